package scheduling

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A job of higher priority does not wait for what is kept for one of lower priority: neither for what becomes free, nor for its turn
// to displace others.
func TestReservationsYieldToHigherPriority(t *testing.T) {
	low := func(key string, options ...option) Waiting {
		return job(key, 8, append([]option{priority(-1)}, options...)...)
	}
	runs := func(e *Engine, change ...func(*Running)) {
		r := runs("running", "a", 8, 0, change...)
		r.Priority = -1
		e.SetRunning(r)
	}
	t.Run("what becomes free", func(t *testing.T) {
		for _, quota := range []string{"wide", "other"} {
			e := New(Options{Patience: time.Minute, Renewal: time.Hour})
			tell(e, wide(), gpuQuota("other", 8), gpuNode("a", "A100", 8))
			runs(e)
			tell(e, low("low"))
			e.Decide(start.Add(time.Minute)) // it is kept for low
			tell(e, job("high", 8, priority(1), under(quota), after(time.Minute)))
			e.Decide(start.Add(61 * time.Second))
			e.RemoveRunning("running")
			want := map[string]string{"high": "a", "low": queued()}
			if diff := cmp.Diff(want, outcome(e, e.Decide(start.Add(62*time.Second)))); diff != "" {
				t.Errorf("under %s: %s", quota, diff)
			}
		}
	})
	t.Run("a quota", func(t *testing.T) {
		e := New(Options{Patience: time.Minute, Renewal: time.Hour})
		tell(e, gpuQuota("all", 0), child("wide", "all", 8), child("other", "all", 0), gpuNode("a", "A100", 8), gpuNode("b", "A100", 8))
		runs(e)
		tell(e, low("low"))
		e.Decide(start.Add(time.Minute))
		tell(e, job("high", 8, priority(1), under("other"), after(time.Minute)))
		e.RemoveRunning("running")
		want := map[string]string{"high": "a", "low": exceeded()}
		if diff := cmp.Diff(want, outcome(e, e.Decide(start.Add(62*time.Second)))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("whom to displace", func(t *testing.T) {
		for _, quota := range []string{"wide", "other"} {
			e := New(Options{Patience: time.Minute, Urgency: 5 * time.Second, Renewal: time.Hour})
			displacing := gpuQuota("all", 8)
			displacing.Preemption.LowerPriority = AnyVictims
			tell(e, displacing, child("wide", "all", 8), child("other", "all", 8), gpuNode("a", "A100", 8))
			runs(e)
			tell(e, low("low"))
			e.Decide(start.Add(5 * time.Second))
			tell(e, job("high", 8, priority(1), under(quota), after(6*time.Second)))
			e.Decide(start.Add(6 * time.Second))
			d := e.Decide(start.Add(11 * time.Second))
			if diff := cmp.Diff([]Displacement{{Key: "running", For: "high"}}, d.Displaced); diff != "" {
				t.Errorf("under %s: %s", quota, diff)
			}
			e.RemoveRunning("running")
			if d := e.Decide(start.Add(12 * time.Second)); len(d.Starts) != 1 || d.Starts[0].Key != "high" {
				t.Errorf("under %s starts %v", quota, d.Starts)
			}
		}
	})
	t.Run("all reservations are in use", func(t *testing.T) {
		e := New(Options{Reservations: 1, Patience: time.Minute, Renewal: time.Hour})
		tell(e, gpuQuota("all", 8), child("wide", "all", 8), child("other", "all", 8), gpuNode("a", "A100", 8))
		runs(e)
		tell(e, low("low"))
		e.Decide(start.Add(time.Minute))
		tell(e, job("high", 8, priority(1), under("other"), after(time.Minute)))
		e.Decide(start.Add(2 * time.Minute))
		if len(e.heads) != 1 || e.heads[0].first().Key != "high" {
			t.Errorf("%d reservations, the first for %s", len(e.heads), e.heads[0].first().Key)
		}
	})
}

// Who comes after a job that was to be held back for others waits for as long as they say as well.
func TestPatienceOfThoseThatComeAfter(t *testing.T) {
	e := New(Options{Patience: 5 * time.Minute, Renewal: time.Hour})
	tell(e, wide(), gpuNode("a", "A100", 8), runs("r", "a", 1, 0), job("1-large", 8), job("2-large", 8, after(time.Minute)))
	e.Decide(start)
	e.RemoveWaiting("1-large")
	e.Decide(start.Add(2 * time.Minute))
	d := e.Decide(start.Add(5 * time.Minute))
	if !d.Again.Equal(start.Add(6 * time.Minute)) {
		t.Errorf("wants to decide again at %s", d.Again)
	}
	e.Decide(start.Add(6 * time.Minute))
	tell(e, job("3-small", 1, after(6*time.Minute)))
	if diff := cmp.Diff(map[string]string{"2-large": queued(), "3-small": queued()}, outcome(e, e.Decide(start.Add(6*time.Minute)))); diff != "" {
		t.Error(diff)
	}
}

// Time alone makes a running job one that may be displaced: its turn is over, or it has run for as long as it is safe.
func TestTurnsEndWithTime(t *testing.T) {
	for name, tc := range map[string]struct {
		preemption Preemption
		priority   int
	}{
		"quantum":         {Preemption{Quantum: time.Hour}, 0},
		"minimum running": {Preemption{LowerPriority: AnyVictims, MinRun: time.Hour}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Urgency: 5 * time.Second, Renewal: 5 * time.Second})
			quota := wide()
			quota.Preemption = tc.preemption
			tell(e, quota, gpuNode("a", "A100", 8), job("waits", 8, after(time.Minute)))
			tell(e, runs("r", "a", 8, 0, func(r *Running) { r.Start, r.Preemptible, r.Priority = start, true, tc.priority }))
			now := start.Add(2 * time.Minute)
			for range 100 {
				d := e.Decide(now)
				if len(d.Displaced) > 0 {
					if late := now.Sub(start.Add(time.Hour)); late < 0 || late > 10*time.Second {
						t.Errorf("it is displaced at %s", now)
					}
					return
				}
				if d.Again.IsZero() {
					break
				}
				now = d.Again
			}
			t.Errorf("it is never displaced: nobody looks after %s", now)
		})
	}
}

// Gangs keep off nodes with GPUs and spot nodes like single replicas do.
func TestGangsKeepOffWhatTheyDoNotNeed(t *testing.T) {
	large := gpuNode("gpus", "A100", 8)
	spot := cpuNode("spot", 512)
	spot.Spot = true
	tests := map[string]struct {
		world []any
		want  string
	}{
		"no GPUs":               {[]any{large, cpuNode("a", 8), cpuNode("b", 8), job("gang", 0, replicas(12))}, "a*8 b*4"},
		"no spot":               {[]any{spot, cpuNode("a", 8), cpuNode("b", 8), job("gang", 0, replicas(12), onSpot())}, "a*8 b*4"},
		"others have no room":   {[]any{large, cpuNode("a", 8), job("gang", 0, replicas(12))}, "gpus*12"},
		"together they have":    {[]any{gpuNode("gpus", "A100", 8), cpuNode("a", 8), job("gang", 0, replicas(70))}, "gpus*64 a*6"},
		"one node of no GPUs":   {[]any{large, cpuNode("a", 8), cpuNode("b", 16), job("gang", 0, replicas(12))}, "b*12"},
		"spot if there is need": {[]any{spot, cpuNode("a", 8), job("gang", 0, replicas(12), onSpot())}, "spot*12"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := engineWith(append([]any{wide()}, tc.world...)...)
			if diff := cmp.Diff(map[string]string{"gang": tc.want}, outcome(e, e.Decide(start))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Where a quota far above is missing, nothing starts: what it would bound is not known.
func TestAllBelowAMissingQuotaWait(t *testing.T) {
	e := engineWith(child("middle", "missing", 8), child("wide", "middle", 8), gpuNode("a", "A100", 8), job("a-job", 1))
	want := map[string]string{"a-job": "QuotaMissing"}
	if diff := cmp.Diff(want, outcome(e, e.Decide(start))); diff != "" {
		t.Error(diff)
	}
}

// Bounds beyond all that there is do not overflow.
func TestHugeBounds(t *testing.T) {
	huge := int64(1<<63 - 1)
	top, below := gpuQuota("all", 8), child("wide", "all", 8)
	top.Nominal.Memory, below.Nominal.Memory, below.Borrowing.Memory = &huge, &huge, &huge
	e := engineWith(top, below, gpuNode("a", "A100", 8), job("a-job", 1))
	if diff := cmp.Diff(map[string]string{"a-job": "a"}, outcome(e, e.Decide(start))); diff != "" {
		t.Error(diff)
	}
}

// Whom an engine that is told everything anew would displace for the same jobs, one that was told step by step does too: neither a
// change nor the time at which it wanted to look again is missed.
func TestNobodyIsForgottenWhoMayDisplace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOptions(t)
		o.Renewal = 0
		life(t, o, func(e *Engine, m *model, d Decisions, now time.Time) {
			m.check(t, d.Starts, now)
			for range 3 { // who has just started does not give way at once
				d := e.Decide(now)
				m.displace(t, d)
				m.check(t, d.Starts, now)
			}
			for _, r := range e.running {
				if r.lingers { // an engine that is told anew counts on it to end
					return
				}
			}
			fresh := m.engine(o)
			again := fresh.Decide(now)
			// What is kept for several depends on who came first.
			if len(again.Displaced) > 0 && len(again.Starts) == 0 && len(e.heads) == 1 && slices.Equal(headsOf(e), headsOf(fresh)) {
				t.Fatalf("%s would give way to %s", again.Displaced[0].Key, again.Displaced[0].For)
			}
		})
	})
}

func headsOf(e *Engine) []string {
	var keys []string
	for _, head := range e.heads {
		keys = append(keys, head.first().Key)
	}
	slices.Sort(keys)
	return keys
}

// Nobody is held back without end for a job whose place should have been free long ago.
func TestWhoShouldHaveEndedIsNotCountedOn(t *testing.T) {
	e := New(Options{Patience: time.Minute, Urgency: time.Minute, Renewal: 5 * time.Second})
	quota := wide()
	quota.Preemption.LowerPriority = AnyVictims
	low := func(r *Running) { r.Priority = -1 }
	tell(e, quota, gpuNode("a", "A100", 8), gpuNode("b", "A100", 8), runs("lost", "a", 8, 0, low, func(r *Running) { r.Ending = true }),
		runs("other", "b", 8, 0, low), job("waits", 8))
	now := start.Add(time.Minute)
	for d := e.Decide(now); len(d.Displaced) == 0; d = e.Decide(now) {
		if d.Again.IsZero() || d.Again.After(start.Add(10*time.Minute)) {
			t.Fatal("it waits for who does not end, without end")
		}
		now = d.Again
	}
	if late := now.Sub(start); late < 3*time.Minute || late > 4*time.Minute {
		t.Errorf("another gives way after %s", late)
	}
}

// Nobody gives way for nothing: once all have ended that are to, those for whom they gave way start.
func TestWhoeverIsDisplacedMakesRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		life(t, drawOptions(t), func(e *Engine, m *model, d Decisions, now time.Time) {
			m.check(t, d.Starts, now)
			if len(d.Displaced) == 0 {
				return
			}
			for _, key := range sortedKeys(m.running) {
				if m.running[key].Ending {
					delete(m.running, key)
					e.RemoveRunning(key)
				}
			}
			then := e.Decide(now)
			m.displace(t, then)
			for _, v := range d.Displaced {
				if !slices.ContainsFunc(then.Starts, func(s Start) bool { return s.Key == v.For }) {
					t.Fatalf("%s gave way to %s, which does not start", v.Key, v.For)
				}
			}
			m.check(t, then.Starts, now)
		})
	})
}

// What is kept for one is not kept for another at the same time: who comes first starts first.
func TestReservationsDoNotOverlap(t *testing.T) {
	for name, change := range map[string]option{"life spans": lasts(time.Hour), "no life spans": func(*Waiting) {}} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Patience: time.Minute, Renewal: time.Hour})
			tell(e, gpuQuota("all", 8), gpuNode("a", "A100", 8), runs("r", "a", 8, 10*time.Hour, func(r *Running) { r.Quota = "all" }))
			for _, name := range []string{"1", "2", "3", "4"} {
				tell(e, child("q"+name, "all", 8), job(name, 8, under("q"+name), change))
			}
			e.Decide(start.Add(time.Minute))
			e.RemoveRunning("r")
			if got := keysOf(e.Decide(start.Add(10 * time.Hour))); !slices.Equal(got, []string{"1"}) {
				t.Errorf("%v start; the first is 1", got)
			}
		})
	}
}

// What is kept for several is more than what is kept for each: who comes later leaves room for all of it.
func TestReservationsAddUp(t *testing.T) {
	for name, most := range map[string]int64{"nodes": 100, "quota": 8} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Patience: time.Minute, Renewal: time.Hour})
			nodes := []any{gpuNode("a", "A100", 8)}
			if name == "quota" {
				nodes = []any{gpuNode("a", "A100", 6), gpuNode("b", "A100", 4), gpuNode("c", "A100", 4)}
			}
			tell(e, nodes...)
			tell(e, gpuQuota("all", most), runs("r", "a", 6, time.Hour, of("all", 0)))
			for _, name := range []string{"1", "2", "3"} {
				tell(e, child("q"+name, "all", 0))
			}
			tell(e, job("1", 4, under("q1"), lasts(10*time.Hour)), job("2", 4, under("q2"), lasts(10*time.Hour)))
			e.Decide(start.Add(time.Minute))
			if diff := cmp.Diff([]string{"1", "2"}, headsOf(e)); diff != "" {
				t.Fatal(diff)
			}
			tell(e, job("3", 2, under("q3"), after(2*time.Minute)), job("4", 2, under("q3"), lasts(30*time.Minute), after(2*time.Minute)))
			if got := keysOf(e.Decide(start.Add(3 * time.Minute))); !slices.Equal(got, []string{"4"}) {
				t.Fatalf("%v start, though both will need it all", got)
			}
			e.RemoveRunning("r")
			e.RemoveRunning("4")
			if got := keysOf(e.Decide(start.Add(time.Hour))); !slices.Equal(got, []string{"1", "2"}) {
				t.Errorf("%v start", got)
			}
		})
	}
}

// Of those of whom nobody knows when they start, each counts on others being gone: what they take is not added up as if nobody were.
func TestWhatIsKeptForAnUnknownTimeDoesNotAddUp(t *testing.T) {
	for _, ended := range []string{"1", "3", "5"} {
		e := New(Options{Patience: time.Minute, Renewal: time.Hour})
		e.TakeOver()
		tell(e, gpuQuota("all", 0), gpuNode("a", "A100", 8))
		for _, name := range []string{"1", "2", "3", "4", "5"} {
			tell(e, child("q"+name, "all", 1, borrowing(0)), job(name, 1, under("q"+name)))
			if name != ended {
				tell(e, runs("r"+name, "a", 1, 0, of("q"+name, 0)))
			}
		}
		if got := keysOf(e.Decide(start.Add(time.Minute))); !slices.Equal(got, []string{ended}) {
			t.Errorf("where a job of q%s has ended, %v start", ended, got)
		}
	}
}

// What is kept for those behind does not count for who comes first in line: neither for when it could start, nor where it can at once.
func TestReservationsYieldToWhoComesFirst(t *testing.T) {
	world := func() *Engine {
		e := New(Options{Patience: time.Minute, Renewal: 5 * time.Second})
		tell(e, gpuQuota("all", 12), child("first", "all", 12), child("second", "all", 12),
			gpuNode("a", "A100", 4), gpuNode("b", "A100", 4), gpuNode("c", "A100", 4))
		for node, until := range map[string]time.Duration{"a": 10 * time.Hour, "b": 2 * time.Hour, "c": 9 * time.Hour} {
			tell(e, runs("on-"+node, node, 4, until, func(r *Running) { r.Quota = "all" }))
		}
		tell(e, job("1-large", 4, replicas(2), under("first"), lasts(20*time.Hour)), job("2-small", 4, under("second"), lasts(20*time.Hour)))
		e.Decide(start.Add(time.Minute)) // b and c are kept for the first in 9 hours, a for the second in 10
		e.RemoveRunning("on-a")
		return e
	}
	t.Run("later", func(t *testing.T) {
		e := world()
		if diff := cmp.Diff(map[string]string{"1-large": gangWaiting(), "2-small": queued()}, outcome(e, e.Decide(start.Add(time.Hour)))); diff != "" {
			t.Fatal(diff)
		}
		e.RemoveRunning("on-b")
		if diff := cmp.Diff(map[string]string{"1-large": "a b", "2-small": queued()}, outcome(e, e.Decide(start.Add(2*time.Hour)))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("at once", func(t *testing.T) {
		e := world()
		e.RemoveRunning("on-b")
		if diff := cmp.Diff(map[string]string{"1-large": "a b", "2-small": queued()}, outcome(e, e.Decide(start.Add(62*time.Second)))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("others wait for both", func(t *testing.T) {
		e := world()
		tell(e, job("3-long", 4, under("second"), lasts(20*time.Hour), after(time.Second)), job("4-short", 4, under("all"), lasts(30*time.Minute), after(time.Second)))
		want := map[string]string{"1-large": gangWaiting(), "2-small": queued(), "3-long": queued(), "4-short": "a"}
		if diff := cmp.Diff(want, outcome(e, e.Decide(start.Add(time.Hour)))); diff != "" {
			t.Error(diff)
		}
	})
}

// Who comes back to the queue before one that is kept something is kept the place in its stead, also where there may be another reservation.
func TestTheLastYieldsItsPlace(t *testing.T) {
	for _, most := range []int{1, 2} {
		e := New(Options{Reservations: most, Patience: time.Minute, Renewal: time.Hour})
		tell(e, gpuQuota("all", 8), child("wide", "all", 8), child("other", "all", 8), gpuNode("a", "A100", 8), runs("r", "a", 8, time.Hour), job("newer", 8, after(time.Second)))
		e.Decide(start.Add(2 * time.Minute))
		tell(e, job("older", 8, under("other")))
		e.Decide(start.Add(3 * time.Minute))
		if diff := cmp.Diff([]string{"older"}, headsOf(e)); diff != "" {
			t.Errorf("of at most %d reservations: %s", most, diff)
		}
	}
}

// What runs until who comes first has started is there for who comes after it, once that ends.
func TestWhoComesSecondCountsOnWhatEndsMeanwhile(t *testing.T) {
	for name, world := range map[string][]any{
		"of a quota": {gpuQuota("all", 2), gpuNode("n", "A100", 1), gpuNode("m", "A100", 1), gpuNode("idle", "A100", 2)},
		"of a node":  {gpuQuota("all", 100), gpuNode("n", "A100", 2)},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Patience: time.Minute, Renewal: time.Hour})
			tell(e, world...)
			on := map[string]string{"of a quota": "m", "of a node": "n"}[name]
			tell(e, child("one", "all", 0), child("two", "all", 0), runs("r", "n", 1, 10*time.Hour, func(r *Running) { r.Quota = "one" }),
				runs("s", on, 1, 20*time.Hour, func(r *Running) { r.Quota = "two" }), job("1", 1, under("one")), job("2", 1, under("two"), after(time.Second)))
			e.Decide(start.Add(2 * time.Minute))
			at := map[string]time.Duration{}
			for _, head := range e.heads {
				at[head.first().Key] = head.reservation.at.Sub(start)
			}
			if diff := cmp.Diff(map[string]time.Duration{"1": 10 * time.Hour, "2": 20 * time.Hour}, at); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Who comes second may be kept what the first will have used by then.
func TestWhoComesSecondFollowsTheFirst(t *testing.T) {
	for name, root := range map[string]int64{"of a quota": 1, "of a node": 100} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Patience: time.Minute, Renewal: time.Hour})
			tell(e, gpuQuota("all", root), child("one", "all", 0), child("two", "all", 0), gpuNode("n", "A100", 1),
				runs("r", "n", 1, time.Hour, func(r *Running) { r.Quota = "one" }), job("1", 1, under("one"), lasts(2*time.Hour)),
				job("2", 1, under("two"), after(time.Second), lasts(time.Hour)))
			e.Decide(start.Add(2 * time.Minute))
			at := map[string]time.Duration{}
			for _, head := range e.heads {
				at[head.first().Key] = head.reservation.at.Sub(start)
			}
			if diff := cmp.Diff(map[string]time.Duration{"1": time.Hour, "2": 3 * time.Hour}, at); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Who comes second is kept a place before the first as well, where it has ended by then.
func TestWhoComesSecondMayGoBeforeTheFirst(t *testing.T) {
	e := New(Options{Patience: time.Minute, Renewal: time.Hour})
	one := func(r *Running) { r.Quota = "one" }
	tell(e, gpuQuota("all", 100), child("one", "all", 0), child("two", "all", 0), gpuNode("n", "A100", 2), runs("r1", "n", 0, 10*time.Minute, one),
		runs("r2", "n", 0, 20*time.Minute, one), runs("r3", "n", 1, time.Hour, one), runs("r4", "n", 1, 3*time.Hour, one),
		job("1", 2, under("one")), job("2", 1, under("two"), after(time.Second), lasts(time.Hour)))
	e.Decide(start.Add(2 * time.Minute))
	at := map[string]time.Duration{}
	for _, head := range e.heads {
		at[head.first().Key] = head.reservation.at.Sub(start)
	}
	if diff := cmp.Diff(map[string]time.Duration{"1": 3 * time.Hour, "2": time.Hour}, at); diff != "" {
		t.Error(diff)
	}
}
