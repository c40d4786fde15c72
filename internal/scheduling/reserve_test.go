package scheduling

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// runs is a job that runs on a node until a time after the start of the test; without end where that is 0.
func runs(key, node string, gpus int64, until time.Duration, change ...func(*Running)) Running {
	r := Running{
		Key: key, Quota: "wide", User: "somebody", Replica: Amounts{MilliCPU: 1000, Memory: gib, GPUs: gpus}, Model: "A100",
		Nodes: []Share{{node, 1}}, Start: start.Add(-time.Hour),
	}
	if until > 0 {
		r.End = start.Add(until)
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func TestBackfill(t *testing.T) {
	two := []any{wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4)}
	tests := map[string]struct {
		world []any
		want  map[string]string
	}{
		// The first example of Slurm's documentation of its backfill plug-in: a job that ends before those ahead of it can start
		// may start now.
		"small jobs fill the gap before a large one if they end in time": {
			world: []any{runs("r", "a", 4, time.Hour), job("1-large", 4, replicas(2)), job("2-short", 4, lasts(time.Hour)), job("3-long", 4, lasts(2*time.Hour))},
			want:  map[string]string{"1-large": gangWaiting(), "2-short": "b", "3-long": queued()},
		},
		"a job whose end is not known is not in time": {
			world: []any{runs("r", "a", 4, time.Hour), job("1-large", 4, replicas(2)), job("2-unknown", 1)},
			want:  map[string]string{"1-large": gangWaiting(), "2-unknown": queued()},
		},
		"a job that has to end by then is in time, whatever its life span": {
			world: []any{
				runs("r", "a", 4, time.Hour), job("1-large", 4, replicas(2)), job("2-late", 1, until(2*time.Hour)), job("3-pauses", 1, until(time.Hour)),
				job("4-pauses", 1, until(time.Hour), lasts(9*time.Hour)), job("5-long", 1, until(3*time.Hour), lasts(2*time.Hour)),
				job("6-short", 1, until(3*time.Hour), lasts(time.Hour)), job("7-over", 1, until(-time.Hour), lasts(9*time.Hour)),
			},
			want: map[string]string{
				"1-large": gangWaiting(), "2-late": queued(), "3-pauses": "b", "4-pauses": "b", "5-long": queued(), "6-short": "b", "7-over": queued(),
			},
		},
		"nobody waits for nodes that a large job will not need": {
			world: []any{gpuNode("c", "A100", 4), runs("r", "a", 4, time.Hour), runs("s", "b", 4, 2*time.Hour), job("1-large", 4, replicas(2)), job("2-long", 4, lasts(9*time.Hour))},
			want:  map[string]string{"1-large": gangWaiting(), "2-long": queued()},
		},
		"what a large job leaves of its nodes is free to all": {
			world: []any{runs("r", "a", 4, time.Hour), job("1-large", 3, replicas(2)), job("2-small", 1), job("3-small", 1)},
			want:  map[string]string{"1-large": gangWaiting(), "2-small": "b", "3-small": queued()},
		},
		"where no end is known, the nodes of those who run longest are kept": {
			world: []any{runs("r", "a", 4, 0), job("1-large", 4, replicas(2)), job("2-unknown", 1), job("3-known", 1, lasts(100*time.Hour))},
			want:  map[string]string{"1-large": gangWaiting(), "2-unknown": queued(), "3-known": "b"},
		},
		"a quota is kept like nodes": {
			world: []any{gpuQuota("small", 4), runs("r", "a", 2, time.Hour, func(r *Running) { r.Quota = "small" }), job("1-large", 4, under("small")), job("2-long", 2, under("small"), lasts(2*time.Hour)), job("3-short", 2, under("small"), lasts(time.Hour)), job("4-other", 2)},
			want:  map[string]string{"1-large": exceeded(), "2-long": queued(), "3-short": "b", "4-other": "a"},
		},
		"a quota is kept where there are nodes enough": {
			world: []any{gpuNode("c", "A100", 8), gpuQuota("small", 4), runs("r", "a", 2, time.Hour, func(r *Running) { r.Quota = "small" }), job("1-large", 4, under("small")), job("2-long", 2, under("small"), lasts(2*time.Hour)), job("3-short", 2, under("small"), lasts(time.Hour))},
			want:  map[string]string{"1-large": exceeded(), "2-long": queued(), "3-short": "a"},
		},
		"those that are being ended are as good as gone": {
			world: []any{runs("r", "a", 4, 0, func(r *Running) { r.Ending = true }), job("1-large", 4, replicas(2)), job("2-short", 1, lasts(time.Second))},
			want:  map[string]string{"1-large": gangWaiting(), "2-short": queued()},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := engineWith(append(two, tc.world...)...)
			if diff := cmp.Diff(tc.want, outcome(e, e.Decide(start))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A job that was slow to start ends later than it was let in for: what is kept for who waits is kept from then on, and no later.
func TestASlowStartMovesTheReservation(t *testing.T) {
	e := New(Options{Renewal: 5 * time.Second})
	tell(e, wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4), runs("r", "a", 4, time.Hour), job("1-large", 4, replicas(2)), job("2-short", 1, lasts(time.Hour)))
	if diff := cmp.Diff(map[string]string{"1-large": gangWaiting(), "2-short": "b"}, outcome(e, e.Decide(start))); diff != "" {
		t.Fatal(diff)
	}
	e.SetRunning(runs("2-short", "b", 1, 70*time.Minute, startedAt(10*time.Minute)))
	now := start.Add(10 * time.Minute)
	tell(e, job("3-in-time", 1, lasts(time.Hour)), job("4-not", 1, lasts(time.Hour+time.Second)))
	if diff := cmp.Diff(map[string]string{"1-large": queued(), "3-in-time": "b", "4-not": queued()}, outcome(e, e.Decide(now))); diff != "" {
		t.Error(diff)
	}
}

func TestPatience(t *testing.T) {
	e := New(Options{Patience: time.Minute})
	tell(e, wide(), gpuNode("a", "A100", 4), runs("r", "a", 1, time.Hour), job("1-large", 4), job("2-small", 1))
	d := e.Decide(start)
	if diff := cmp.Diff(map[string]string{"1-large": queued(), "2-small": "a"}, outcome(e, d)); diff != "" {
		t.Error(diff)
	}
	if !d.Again.Equal(start.Add(time.Minute)) {
		t.Errorf("wants to decide again at %s", d.Again)
	}
	e.Decide(start.Add(time.Minute))
	tell(e, job("3-small", 1, after(time.Minute)))
	if diff := cmp.Diff(map[string]string{"1-large": queued(), "3-small": queued()}, outcome(e, e.Decide(start.Add(time.Minute)))); diff != "" {
		t.Error(diff)
	}
}

// Who has used more than others starts after them where there is room for one only; but nobody who comes later is kept a place
// before it.
func TestWhoHasWaitedLongestGetsTheReservation(t *testing.T) {
	e := New(Options{Reservations: 1})
	of := func(quota string) func(*Running) { return func(r *Running) { r.Quota = quota } }
	tell(e, gpuQuota("all", 0), child("heavy", "all", 6), child("light", "all", 6), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4),
		gpuNode("c", "A100", 4), runs("r", "a", 4, time.Hour, of("heavy")), runs("s", "c", 4, 9*time.Hour, of("heavy")),
		job("older", 4, replicas(2), under("heavy"), after(time.Second), lasts(time.Hour)), runs("t", "b", 2, 2*time.Hour, of("light")),
		job("newer", 4, replicas(2), under("light"), after(2*time.Second), lasts(5*time.Hour)))
	e.Decide(start.Add(time.Minute))
	e.RemoveRunning("r")
	e.RemoveRunning("t")
	if diff := cmp.Diff(map[string]string{"older": "a b", "newer": exceeded()}, outcome(e, e.Decide(start.Add(time.Hour)))); diff != "" {
		t.Error(diff)
	}
}

// What becomes free before its time is for who has waited longest, and not for who has less, but for who is of higher priority.
func TestWhoHasWaitedLongestTakesWhatBecomesFree(t *testing.T) {
	for name, tc := range map[string]struct {
		newer Waiting
		want  map[string]string
	}{
		"same priority":   {job("newer", 4, under("light")), map[string]string{"older": "b", "newer": queued()}},
		"higher priority": {job("newer", 4, under("light"), priority(1)), map[string]string{"older": queued(), "newer": "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Renewal: time.Hour, Patience: time.Minute})
			heavy := func(r *Running) { r.Quota = "heavy" }
			tell(e, gpuQuota("all", 0), child("heavy", "all", 6), child("light", "all", 6), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4),
				runs("r", "a", 4, time.Hour, heavy), runs("s", "b", 4, 9*time.Hour, heavy), job("older", 4, under("heavy")))
			e.Decide(start.Add(time.Minute))
			tc.newer.Since = start.Add(time.Minute)
			e.SetWaiting(tc.newer)
			e.Decide(start.Add(90 * time.Second))
			e.RemoveRunning("s")
			if diff := cmp.Diff(tc.want, outcome(e, e.Decide(start.Add(100*time.Second)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestForecast(t *testing.T) {
	e := engineWith(wide(), gpuNode("a", "A100", 4), runs("r", "a", 4, time.Hour),
		job("1", 4, lasts(time.Hour)), job("2", 4), job("3-never", 4))
	e.Decide(start)
	want := map[string]time.Time{"1": start.Add(time.Hour), "2": start.Add(2 * time.Hour)}
	if diff := cmp.Diff(want, e.Future().Forecast(start, 10, 24*time.Hour)); diff != "" {
		t.Error(diff)
	}
	if len(e.running) != 1 || len(e.waiting) != 3 {
		t.Error("the forecast changed what is")
	}
}

// simulation plays an engine forward in time, with jobs that end when they say at the latest.
type simulation struct {
	*Engine
	t       *rapid.T
	now     time.Time
	again   time.Time
	ends    map[string]time.Time
	started map[string]time.Time
	// runs is how long jobs run that end before they have to.
	runs map[string]time.Duration
	// promised is when who has a reservation starts at the latest, and what was kept then for those before it in line.
	promised map[string]promise
}

type promise struct {
	at     time.Time
	before string
}

// expectPromisesAreKept looks whether who is kept a place starts no later than was said before, unless others are kept one before it that
// were not then, or another one.
func (s *simulation) expectPromisesAreKept(jobs map[string]Waiting) {
	s.t.Helper()
	now := map[string]promise{}
	for _, head := range s.heads {
		p := promise{at: head.reservation.at}
		for _, other := range slices.SortedFunc(slices.Values(s.heads), inLine) {
			if other == head {
				break
			}
			p.before += fmt.Sprintf("%s at %s on", other.first().Key, other.reservation.at)
			for _, h := range other.reservation.holds {
				p.before += " " + h.on.Name
			}
			p.before += "; "
		}
		key := head.first().Key
		for other, at := range s.started {
			w := jobs[other]
			before := s.options.MaxAge > 0 || inOrder(&waiting{Waiting: &w, Key: w.Key, Since: w.Since}, head.first()) < 0
			if at.Equal(s.now) && before {
				p.before += other + " has started; "
			}
		}
		if old, told := s.promised[key]; told && old.before == p.before && p.at.After(old.at) {
			s.t.Fatalf("%s was to start at %s and starts at %s, though what is kept before it is the same: %q", key, old.at, p.at, p.before)
		}
		now[key] = p
	}
	s.promised = now
}

// decide carries decisions out; displaced jobs go back to the queue at once.
func (s *simulation) decide(jobs map[string]Waiting) {
	d := s.Decide(s.now)
	s.again = d.Again
	for _, start := range d.Starts {
		s.started[start.Key] = s.now
		span := jobs[start.Key].Span
		if runs, early := s.runs[start.Key]; early {
			span = min(span, runs)
		}
		if span > 0 {
			s.ends[start.Key] = s.now.Add(span)
		}
	}
}

// wait lets time pass until the next job ends, or until a time before, where that is not zero; jobs end that do by then.
func (s *simulation) wait(until time.Time) {
	for _, end := range s.ends {
		until = earlier(until, end)
	}
	s.now = until
	for key, end := range s.ends {
		if !end.After(s.now) {
			s.RemoveRunning(key)
			delete(s.ends, key)
		}
	}
}

// A job that fits starts at last, however many smaller ones come after it: once it is the first in the queue, after no more
// than the longest life span of the jobs that run.
func TestNobodyStarves(t *testing.T) {
	const longest = time.Hour
	rapid.Check(t, func(t *rapid.T) {
		s := &simulation{t: t, Engine: New(Options{Renewal: drawOptions(t).Renewal}), now: start, ends: map[string]time.Time{}, started: map[string]time.Time{}}
		nodes := rapid.IntRange(1, 4).Draw(t, "nodes")
		for i := range nodes {
			s.SetNode(gpuNode(fmt.Sprintf("n%d", i), "A100", 4))
		}
		s.SetQuota(gpuQuota("wide", int64(4*nodes)))
		jobs := map[string]Waiting{}
		submit := func(w Waiting) {
			jobs[w.Key] = w
			s.SetWaiting(w)
		}
		small := func(i int) Waiting {
			span := time.Duration(rapid.IntRange(1, 60).Draw(t, "minutes")) * time.Minute
			return job(fmt.Sprintf("small-%03d", i), rapid.Int64Range(1, 3).Draw(t, "gpus"), after(s.now.Sub(start)), lasts(span))
		}
		for i := range 2 * nodes {
			submit(small(i))
		}
		s.decide(jobs)
		s.now = s.now.Add(time.Second)
		submitted := s.now
		large := job("large", 4, replicas(int64(nodes)), after(time.Second), lasts(longest))
		submit(large)
		// Another wave of small jobs for every one that ends.
		for i := 100; i < 400; i++ {
			submit(small(i))
			s.decide(jobs)
			if at, done := s.started["large"]; done {
				ahead := time.Duration(2*nodes) * longest // who was before it in the queue, one after another at worst
				if wait := at.Sub(submitted); wait > ahead+longest {
					t.Fatalf("it waited for %s", wait)
				}
				return
			}
			s.wait(time.Time{})
		}
		t.Fatalf("it did not start by %s", s.now)
	})
}

// What a job that has started took of what a reservation leaves to others is there again when it has ended.
func TestAReservationLeavesAgainWhatEnded(t *testing.T) {
	e := New(Options{Patience: time.Second, Renewal: time.Hour})
	e.SetQuota(wide())
	e.SetNode(gpuNode("a", "A100", 8))
	now := start
	e.SetWaiting(job("holder", 8))
	e.Decide(now)
	e.SetWaiting(job("large", 8))
	now = now.Add(time.Minute)
	e.Decide(now)
	for i := range 200 { // far more than there are cores
		key := fmt.Sprintf("small-%d", i)
		e.SetWaiting(job(key, 0))
		now = now.Add(time.Second)
		if d := e.Decide(now); len(d.Starts) != 1 {
			t.Fatalf("%s waits: %s", key, e.Message(key))
		}
		e.RemoveRunning(key)
	}
}

// What a job held that ran before the reservation was made is there for others once it has ended, and not only when the reservation
// is worked out anew.
func TestAReservationLeavesWhatEndsBeforeItsTime(t *testing.T) {
	cores := int64(3000)
	quota := gpuQuota("wide", 1)
	quota.Nominal.MilliCPU = &cores
	gpus := Node{Name: "gpus", Pool: "A100", GPUModel: "A100", Allocatable: Amounts{MilliCPU: 3000, Memory: 64 * gib, GPUs: 1, Pods: 110}}
	before := func(r *Running) { r.Start = start.Add(-24 * time.Hour) }
	for name, world := range map[string][]any{
		"quota": {quota, cpuNode("cpus", 64), runs("training", "gpus", 1, 0, before), runs("a", "cpus", 0, 0), runs("b", "cpus", 0, 0)},
		"nodes": {wide(), runs("training", "gpus", 1, 0, before), runs("a", "gpus", 0, 0), runs("b", "gpus", 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Patience: time.Minute, Renewal: time.Hour})
			tell(e, gpus)
			tell(e, world...)
			tell(e, job("1-gpu", 1), job("2-cpu", 0), job("3-cpu", 0))
			if d := e.Decide(start.Add(time.Minute)); len(d.Starts) > 0 {
				t.Fatalf("%s starts", d.Starts[0].Key)
			}
			e.RemoveRunning("b")
			if d := e.Decide(start.Add(2 * time.Minute)); len(d.Starts) != 1 {
				t.Errorf("nobody starts though a job has ended: %s", e.Message("2-cpu"))
			}
		})
	}
	t.Run("of others", func(t *testing.T) {
		e := New(Options{Patience: time.Minute, Renewal: time.Hour})
		full := gpus
		full.Foreign = Amounts{MilliCPU: 2000}
		tell(e, full, wide(), runs("training", "gpus", 1, 0), job("1-gpu", 1), job("2-cpu", 0))
		e.Decide(start.Add(time.Minute))
		full.Foreign = Amounts{MilliCPU: 1000}
		e.SetNode(full)
		if d := e.Decide(start.Add(2 * time.Minute)); len(d.Starts) != 1 {
			t.Errorf("nobody starts though a pod of others has ended: %s", e.Message("2-cpu"))
		}
	})
}

// What is guaranteed to a quota is not lent, and so nothing is kept of it for the jobs of another.
func TestAReservationLeavesWhatIsGuaranteed(t *testing.T) {
	own := child("own", "all", 2)
	own.Lending.GPUs = limit(0)
	e := New(Options{Patience: time.Second, Renewal: time.Hour})
	tell(e, gpuQuota("all", 0), own, child("lent", "all", 4), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4),
		runs("r", "a", 1, time.Hour, func(r *Running) { r.Quota = "lent" }), job("1-large", 4, under("lent")))
	e.Decide(start.Add(time.Minute))
	tell(e, job("2-own", 2, under("own"), after(time.Minute)), job("3-own", 1, under("own"), after(time.Minute)))
	want := map[string]string{"1-large": exceeded(), "2-own": "b", "3-own": queued()}
	if diff := cmp.Diff(want, outcome(e, e.Decide(start.Add(2*time.Minute)))); diff != "" {
		t.Error(diff)
	}
}

// Where all jobs say how long they run, and fair share does not count, nobody waits for longer than the patience of the engine, the longest life
// span for each job that waited in the tree when it came, and one more: whoever comes later, in whatever queue, however little others have used,
// and though the tree of quotas changes or another manager takes over. Where it counts, who is the next of its queue waits as long as it counts, and
// then for the longest life span for each user of each queue, and one more: one job of each may have been next for longer, and one may run.
func TestTheBoundOnWaits(t *testing.T) {
	const longest, patience = time.Hour, 5 * time.Minute
	rapid.Check(t, func(t *rapid.T) {
		o := Defaults()
		o.Reservations, o.Renewal = rapid.IntRange(1, 5).Draw(t, "reservations"), drawOptions(t).Renewal
		o.MaxAge = rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "age")
		s := &simulation{t: t, Engine: New(o), now: start, ends: map[string]time.Time{}, started: map[string]time.Time{}}
		nodes := rapid.Int64Range(1, 4).Draw(t, "nodes")
		for i := range nodes {
			s.SetNode(gpuNode(fmt.Sprintf("n%d", i), "A100", 4))
		}
		s.SetQuota(gpuQuota("all", 4*nodes))
		queues, users := rapid.IntRange(1, 5).Draw(t, "queues"), rapid.IntRange(1, 3).Draw(t, "users")
		for i := range queues {
			s.SetQuota(child(fmt.Sprintf("q%d", i+1), "all", rapid.Int64Range(0, 4).Draw(t, "nominal")))
		}
		jobs, before, next := map[string]Waiting{}, map[string]int{}, map[string]time.Time{}
		s.runs = map[string]time.Duration{}
		minutes := func(from, to int, what string) time.Duration {
			return time.Duration(rapid.IntRange(from, to).Draw(t, what)) * time.Minute
		}
		submission := start
		for len(jobs) < 60 || len(s.waiting) > 0 {
			for len(jobs) < 60 && !submission.After(s.now) {
				key := fmt.Sprintf("j%02d", len(jobs))
				parts, quota := rapid.Int64Range(1, nodes).Draw(t, "replicas"), rapid.IntRange(1, queues).Draw(t, "queue")
				w := job(key, rapid.Int64Range(1, 4).Draw(t, "gpus"), replicas(parts), under(fmt.Sprintf("q%d", quota)),
					by(fmt.Sprintf("u%d", rapid.IntRange(1, users).Draw(t, "user"))), after(s.now.Sub(start)), lasts(minutes(1, 60, "life span")))
				jobs[key], before[key], s.runs[key] = w, len(s.waiting), minutes(1, 60, "runs")
				s.SetWaiting(w)
				submission = submission.Add(minutes(0, 30, "pause"))
			}
			switch rapid.IntRange(0, 9).Draw(t, "begins anew") {
			case 0:
				s.SetQuota(gpuQuota("another", rapid.Int64Range(0, 100).Draw(t, "of another")))
			case 1:
				s.Engine, s.promised = takenOver(s.Engine), nil
			}
			s.decide(jobs)
			if o.Renewal == 0 {
				expectFirstIsNotHindered(t, s.Engine, s.now)
			}
			s.expectPromisesAreKept(jobs)
			for _, c := range classesOf(s.Engine) {
				if _, known := next[c.first().Key]; !known && !c.turn.IsZero() {
					next[c.first().Key] = s.now
				}
			}
			until := s.again
			if len(jobs) < 60 {
				until = earlier(until, submission)
			}
			s.wait(until)
		}
		for key, at := range s.started {
			if wait, most := at.Sub(jobs[key].Since), patience+time.Duration(before[key]+1)*longest; o.MaxAge == 0 && wait > most {
				t.Fatalf("%s waited for %s, with %d before it", key, wait, before[key])
			}
			if since, is := next[key]; is && at.Sub(since) > o.MaxAge+growOldInterval+time.Duration(queues*users+1)*longest {
				t.Fatalf("%s waited for %s since it was next, of %d users in each of %d queues", key, at.Sub(since), users, queues)
			}
		}
	})
}

// classesOf are all that wait.
func classesOf(e *Engine) (all []*class) {
	for _, q := range e.queues {
		for _, l := range q.lanes {
			all = slices.AppendSeq(all, maps.Values(l.classes))
		}
	}
	return all
}

// expectFirstIsNotHindered looks whether who is first in line is kept a place as soon as if nobody else were kept one.
func expectFirstIsNotHindered(t failer, e *Engine, now time.Time) {
	heads := slices.SortedFunc(slices.Values(e.heads), inLine)
	if len(heads) < 2 {
		return
	}
	first, kept := heads[0], map[*class]*reservation{}
	for _, head := range heads {
		kept[head] = e.dropReservation(head)
	}
	e.reserve(first, now)
	alone := e.dropReservation(first)
	for _, head := range heads {
		e.keep(head, kept[head])
	}
	if alone != nil && alone.at.Before(kept[first].at) {
		t.Fatalf("%s is kept a place at %s, and at %s if nobody else were kept one", first.first().Key, kept[first].at, alone.at)
	}
}
