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

func policy(p Preemption) func(*Quota) { return func(q *Quota) { q.Preemption = p } }

func with(q Quota, change ...func(*Quota)) Quota {
	for _, c := range change {
		c(&q)
	}
	return q
}

func of(quota string, prio int) func(*Running) {
	return func(r *Running) { r.Quota, r.Priority = quota, prio }
}

func mayBeDisplaced(r *Running) { r.Preemptible = true }

func doesNotRunYet(r *Running) { r.Starting = true }

func startedAt(d time.Duration) func(*Running) { return func(r *Running) { r.Start = start.Add(d) } }

func TestDisplace(t *testing.T) {
	byPriority := policy(Preemption{LowerPriority: AnyVictims})
	reclaim := policy(Preemption{Reclaim: AnyVictims})
	node := gpuNode("a", "A100", 4)
	tests := map[string]struct {
		world []any
		want  []string
	}{
		"nobody where the quota does not say so": {
			world: []any{node, wide(), runs("low", "a", 4, 0, of("wide", -1)), job("high", 4, priority(1))},
		},
		"the lower priority": {
			world: []any{node, with(wide(), byPriority), runs("low", "a", 2, 0, of("wide", -1)), runs("same", "a", 2, 0, of("wide", 1)), job("high", 2, priority(1))},
			want:  []string{"low"},
		},
		"nobody for nothing": {
			world: []any{node, with(wide(), byPriority), runs("low", "a", 2, 0, of("wide", -1)), runs("same", "a", 2, 0, of("wide", 1)), job("high", 4, priority(1))},
		},
		"no more than need be, and rather the one that lost least": {
			world: []any{
				node, with(wide(), byPriority), runs("old", "a", 2, 0, of("wide", -1), startedAt(-5*time.Hour)), runs("new", "a", 2, 0, of("wide", -1)),
				job("high", 2, priority(1)),
			},
			want: []string{"new"},
		},
		"one large rather than also the small ones that came first into the plan": {
			world: []any{
				node, with(wide(), byPriority), runs("1", "a", 1, 0, of("wide", -1), startedAt(-time.Minute)), runs("2", "a", 3, 0, of("wide", -1)),
				job("high", 3, priority(1)),
			},
			want: []string{"2"},
		},
		"only those who said so": {
			world: []any{
				node, with(wide(), policy(Preemption{LowerPriority: PreemptibleVictims})), runs("asked", "a", 2, 0, of("wide", -1), mayBeDisplaced), runs("not", "a", 2, 0, of("wide", -2)),
				job("high", 2, priority(1)),
			},
			want: []string{"asked"},
		},
		"nobody who has not run for the time that is promised": {
			world: []any{
				node, with(wide(), policy(Preemption{LowerPriority: AnyVictims, MinRun: 2 * time.Hour})), runs("safe", "a", 2, 0, of("wide", -1)),
				runs("not", "a", 2, 0, of("wide", -1), startedAt(-3*time.Hour)), job("high", 2, priority(1)),
			},
			want: []string{"not"},
		},
		"nobody who has not run at all, where a time is promised": {
			world: []any{
				node, with(wide(), policy(Preemption{LowerPriority: AnyVictims, MinRun: time.Minute})),
				runs("pulls", "a", 4, 0, of("wide", -1), startedAt(-time.Hour), doesNotRunYet), job("high", 4, priority(1)),
			},
		},
		"rather who does not run yet than who has run for a moment": {
			world: []any{
				node, with(wide(), byPriority), runs("pulls", "a", 2, 0, of("wide", -1), startedAt(-time.Hour), doesNotRunYet),
				runs("runs", "a", 2, 0, of("wide", -1), startedAt(-time.Minute)), job("high", 2, priority(1)),
			},
			want: []string{"pulls"},
		},
		"nobody while others are being ended for it": {
			world: []any{
				node, with(wide(), byPriority), runs("ending", "a", 2, 0, of("wide", -1), func(r *Running) { r.Ending = true }), runs("low", "a", 2, 0, of("wide", -1)),
				job("high", 2, priority(1)),
			},
		},
		"whoever borrowed what is one's own": {
			world: []any{
				node, gpuQuota("all", 0), child("mine", "all", 2, reclaim), child("theirs", "all", 2), runs("1", "a", 2, 0, of("theirs", 0)),
				runs("2", "a", 2, 0, of("theirs", 0), startedAt(-time.Minute)), job("waits", 2, under("mine")),
			},
			want: []string{"2"},
		},
		"not those on what is their own": {
			world: []any{
				node, gpuQuota("all", 0), child("mine", "all", 2, reclaim), child("theirs", "all", 4), runs("1", "a", 4, 0, of("theirs", 0)), job("waits", 2, under("mine")),
			},
		},
		"not by borrowing oneself": {
			world: []any{
				node, gpuQuota("all", 0), child("mine", "all", 1, reclaim), child("theirs", "all", 3), runs("1", "a", 4, 0, of("theirs", 0)), job("waits", 2, under("mine")),
			},
		},
		"a turn that is over": {
			world: []any{
				node, with(wide(), policy(Preemption{Quantum: time.Hour})), runs("1", "a", 2, 0, mayBeDisplaced, startedAt(-2*time.Hour)), runs("2", "a", 2, 0, startedAt(-9*time.Hour)),
				job("waits", 2),
			},
			want: []string{"1"},
		},
		"a turn that is not": {
			world: []any{node, with(wide(), policy(Preemption{Quantum: time.Hour})), runs("1", "a", 4, 0, mayBeDisplaced, startedAt(-time.Minute)), job("waits", 2)},
		},
		"a turn that has not begun": {
			world: []any{
				node, with(wide(), policy(Preemption{Quantum: time.Hour})), runs("1", "a", 4, 0, mayBeDisplaced, startedAt(-2*time.Hour), doesNotRunYet), job("waits", 2),
			},
		},
		"for a gang on several nodes at once": {
			world: []any{
				node, gpuNode("b", "A100", 4), with(wide(), byPriority), runs("1", "a", 4, 0, of("wide", -1)), runs("2", "b", 1, 0, of("wide", -1)), runs("3", "b", 3, 0, of("wide", 1)),
				job("gang", 1, replicas(5), priority(1)),
			},
			want: []string{"1", "2"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := engineWith(tc.world...)
			d := e.Decide(start)
			var got []string
			for _, v := range d.Displaced {
				got = append(got, v.Key)
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if again := e.Decide(start.Add(time.Second)); len(again.Displaced) > 0 {
				t.Errorf("and %v a moment later", again.Displaced)
			}
			for _, key := range got {
				e.RemoveRunning(key)
			}
			if started := e.Decide(start.Add(time.Minute)).Starts; len(got) > 0 && len(started) != 1 {
				t.Errorf("they ended for nothing: %v", started)
			}
		})
	}
}

// Where it was not carried out that a job gives way, it is decided again at once.
func TestWhoWasToGiveWayAndDoesNot(t *testing.T) {
	e := New(Options{Renewal: time.Hour})
	low := runs("low", "a", 4, 0, of("wide", -1))
	tell(e, gpuNode("a", "A100", 4), with(wide(), policy(Preemption{LowerPriority: AnyVictims})), low, job("high", 4, priority(1)))
	for i := range 3 {
		if d := e.Decide(start.Add(time.Duration(i) * time.Second)); len(d.Displaced) != 1 {
			t.Fatalf("at the %d. time nobody gives way", i+1)
		}
		tell(e, low)
	}
}

// Without new jobs and without ends there is an end to displacing: nobody is displaced by whom they displaced, on any way, nor twice by
// the same, though starts are not always carried out.
func TestNoPingPong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quotas := drawQuotas(t)
		e := New(drawOptions(t))
		keepsItsPlace := rapid.Bool().Draw(t, "keeps its place")
		for i := range quotas {
			quotas[i].Preemption = Preemption{
				LowerPriority: Victims(rapid.IntRange(0, 2).Draw(t, "lower")), Reclaim: Victims(rapid.IntRange(0, 2).Draw(t, "reclaim")),
			}
			e.SetQuota(quotas[i])
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "nodes") {
			e.SetNode(drawNode(t, fmt.Sprintf("n%d", i)))
		}
		jobs := map[string]Waiting{}
		for i := range rapid.IntRange(1, 8).Draw(t, "jobs") {
			w := drawJob(t, fmt.Sprintf("j%d", i), quotas, start)
			w.Span = 0
			jobs[w.Key] = w
		}
		now := start
		keys := sortedKeys(jobs)
		displaced := 0
		gaveWay := map[Displacement]bool{}
		for round := 0; round < 200; round++ {
			if round < len(keys) { // they come one after another, so that the later ones displace
				e.SetWaiting(jobs[keys[round]])
			}
			d := e.Decide(now)
			now = now.Add(time.Minute)
			if len(d.Starts) == 0 && len(d.Displaced) == 0 && round >= len(keys) {
				return
			}
			for _, s := range d.Starts {
				if round < 50 && rapid.IntRange(0, 4).Draw(t, "carried out") == 0 {
					e.RemoveRunning(s.Key)
					e.SetWaiting(jobs[s.Key])
					continue
				}
				maps.DeleteFunc(gaveWay, func(v Displacement, _ bool) bool { return v.For == s.Key })
			}
			for _, v := range d.Displaced {
				if v.Reclaimed = false; gaveWay[v] {
					t.Fatalf("%s gives way to %s twice", v.Key, v.For)
				}
				gaveWay[v] = true
				displaced++
				w := jobs[v.Key]
				if !keepsItsPlace {
					w.Since = now
				}
				jobs[v.Key] = w
				e.RemoveRunning(v.Key)
				e.SetWaiting(w)
			}
		}
		t.Fatalf("still displacing after 200 rounds: %d times", displaced)
	})
}

// headAndNext is a node that is full, a job of some GPUs that is kept a place on it, and, since six minutes after the start, another one behind
// it to which "p" may give way.
func headAndNext(gpus int64, nextLasts time.Duration) *Engine {
	e := New(Defaults())
	lower := child("c", "all", 0)
	lower.Preemption.LowerPriority = AnyVictims
	tell(e, gpuQuota("all", 100), child("h", "all", 8), lower, gpuNode("n", "A100", 8), runs("q", "n", 4, time.Hour, func(r *Running) { r.Quota = "h" }),
		runs("p", "n", 4, 10*time.Hour, of("c", -1)), job("head", gpus, under("h"), lasts(20*time.Hour)))
	e.Decide(start.Add(5 * time.Minute))
	tell(e, job("next", 4, under("c"), after(6*time.Minute), lasts(nextLasts)))
	e.Decide(start.Add(6 * time.Minute))
	return e
}

// Who comes after one that is kept a place has others give way where there is room for both then.
func TestWhoIsBehindHasOthersGiveWay(t *testing.T) {
	e := headAndNext(4, 20*time.Hour)
	if diff := cmp.Diff([]Displacement{{Key: "p", For: "next"}}, e.Decide(start.Add(7*time.Minute)).Displaced); diff != "" {
		t.Error(diff)
	}
}

// What others gave way for is not taken by who comes later, as somebody else should have ended by now, and has not.
func TestWhoShouldHaveEndedLeavesNothing(t *testing.T) {
	e, most := New(Options{Patience: 5 * time.Second, Urgency: 5 * time.Second}), int64(3)
	quota := wide()
	quota.Nominal.Jobs, quota.Preemption.Quantum = &most, time.Hour
	tell(e, quota, gpuNode("n", "A100", 8), runs("late", "n", 0, time.Minute), runs("long", "n", 0, 0), runs("turn", "n", 0, 0, mayBeDisplaced),
		job("waits", 0, after(30*time.Second)), job("later", 0, after(2*time.Minute), priority(1)))
	if diff := cmp.Diff([]Displacement{{Key: "turn", For: "waits", Turn: true}}, e.Decide(start.Add(2*time.Minute)).Displaced); diff != "" {
		t.Fatal(diff)
	}
	e.RemoveRunning("turn")
	if diff := cmp.Diff([]string{"waits"}, keysOf(e.Decide(start.Add(2*time.Minute+time.Second)))); diff != "" {
		t.Error(diff)
	}
}

// Of jobs that are spread over many nodes those of one node give way, and nobody beside them that was thought of before.
func TestThoseOfOneNodeGiveWay(t *testing.T) {
	e := New(Options{Urgency: time.Second})
	all := wide()
	all.Preemption.LowerPriority = AnyVictims
	tell(e, all, job("whole", 2))
	for i := range 6 { // who started last is thought of first: of each node one, and then the other of n0
		node := fmt.Sprintf("n%d", i%3)
		tell(e, gpuNode(node, "A100", 2), runs(fmt.Sprintf("r%d", i), node, 1, 0, of("wide", -1), func(r *Running) { r.Start = start.Add(-time.Duration(i) * time.Minute) }))
	}
	if diff := cmp.Diff([]Displacement{{Key: "r0", For: "whole"}, {Key: "r3", For: "whole"}}, e.Decide(start.Add(time.Second)).Displaced); diff != "" {
		t.Error(diff)
	}
}

// To whom others gave way starts when they have ended, though that took a while and who is before it in line was planned anew meanwhile.
func TestNobodyGivesWayInVain(t *testing.T) {
	for name, meanwhile := range map[string][]time.Duration{"": nil, ", and is looked for meanwhile": {10 * time.Second, 20 * time.Second}} {
		t.Run("the end takes half a minute"+name, func(t *testing.T) {
			e := headAndNext(8, 2*time.Hour)
			claimed := start.Add(6*time.Minute + 5*time.Second)
			if diff := cmp.Diff([]Displacement{{Key: "p", For: "next"}}, e.Decide(claimed).Displaced); diff != "" {
				t.Fatal(diff)
			}
			for _, at := range meanwhile {
				e.outdate(e.running["q"])
				e.Decide(claimed.Add(at))
			}
			e.RemoveRunning("p")
			if diff := cmp.Diff([]string{"next"}, keysOf(e.Decide(claimed.Add(30*time.Second)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Where more want to run than there is room for, each has its turn: who had one goes behind those that have not.
func TestTurnsGoRound(t *testing.T) {
	for name, user := range map[string]func(int) string{
		"of one user": func(int) string { return "carol" }, "of several": func(i int) string { return fmt.Sprintf("user-%d", i) },
	} {
		t.Run(name, func(t *testing.T) {
			e, jobs, turns := New(Defaults()), map[string]Waiting{}, map[string]int{}
			tell(e, gpuNode("a", "A100", 4), with(wide(), policy(Preemption{Quantum: time.Hour})))
			for i := range 4 {
				key := fmt.Sprintf("j%d", i)
				jobs[key] = job(key, 4, by(user(i)), func(w *Waiting) { w.Preemptible = true })
				tell(e, jobs[key])
			}
			for at := time.Duration(0); at < 12*time.Hour; at += time.Minute {
				d := e.Decide(start.Add(at))
				for _, s := range d.Starts {
					turns[s.Key]++
				}
				for _, v := range d.Displaced {
					w := jobs[v.Key]
					if v.Turn {
						w.Since = start.Add(at)
					}
					e.RemoveRunning(v.Key)
					tell(e, w)
				}
			}
			for key := range jobs {
				if turns[key] < 2 {
					t.Errorf("in twelve hours turns were taken so often: %v", turns)
				}
			}
		})
	}
}

// Where jobs take turns as well, nobody gives way before what is promised to it is over, and two never push each other away before a turn
// is.
func TestNobodyGivesWayBeforeItsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quotas := drawQuotas(t)
		e := New(drawOptions(t))
		minutes := func(what string, of ...int) time.Duration {
			return time.Duration(rapid.SampledFrom(of).Draw(t, what)) * time.Minute
		}
		parents := map[string]Quota{}
		turn := never.Sub(start)
		for i := range quotas {
			quotas[i].Preemption = Preemption{
				LowerPriority: Victims(rapid.IntRange(0, 2).Draw(t, "lower")), Reclaim: Victims(rapid.IntRange(0, 2).Draw(t, "reclaim")),
				Quantum: minutes("quantum", 0, 3, 10), MinRun: minutes("minimum", 0, 0, 2, 5),
			}
			if q := quotas[i].Preemption.Quantum; q > 0 {
				turn = min(turn, q)
			}
			parents[quotas[i].Name] = quotas[i]
			e.SetQuota(quotas[i])
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "nodes") {
			e.SetNode(drawNode(t, fmt.Sprintf("n%d", i)))
		}
		jobs, began, gaveWay, now := map[string]Waiting{}, map[string]time.Time{}, map[[2]string]time.Time{}, start
		count := rapid.IntRange(1, 8).Draw(t, "jobs")
		for round := range 60 {
			if round < count {
				w := drawJob(t, fmt.Sprintf("j%d", round), quotas, now)
				w.Span = 0
				jobs[w.Key] = w
				e.SetWaiting(w)
			}
			d := e.Decide(now)
			for _, s := range d.Starts {
				began[s.Key] = now
			}
			for _, v := range d.Displaced {
				w, other, ran := jobs[v.Key], jobs[v.For], now.Sub(began[v.Key])
				for q := parents[w.Quota]; q.Name != ""; q = parents[q.Parent] {
					if ran < q.Preemption.MinRun {
						t.Fatalf("%s gives way after %s, and %s is promised to it", v.Key, ran, q.Preemption.MinRun)
					}
				}
				if ofTurn := w.Priority >= other.Priority && !v.Reclaimed; ofTurn && (!w.Preemptible || ran < turn) {
					t.Fatalf("%s gives way to %s after %s; preemptible: %t, a turn is %s", v.Key, v.For, ran, w.Preemptible, turn)
				}
				if before, did := gaveWay[[2]string{v.For, v.Key}]; did && now.Sub(before) < turn {
					t.Fatalf("%s gives way to %s, which gave way to it %s before", v.Key, v.For, now.Sub(before))
				}
				gaveWay[[2]string{v.Key, v.For}] = now
				e.RemoveRunning(v.Key)
				e.SetWaiting(w)
			}
			now = now.Add(time.Minute)
		}
	})
}

// Until a job runs nobody can tell when its turn is over; when it does, whoever waits for that looks again by themselves.
func TestATurnBeginsWhenTheJobRuns(t *testing.T) {
	for name, p := range map[string]Preemption{"turn": {Quantum: time.Hour}, "minimum": {LowerPriority: AnyVictims, MinRun: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			e := New(Defaults())
			first := runs("1", "a", 4, 0, mayBeDisplaced, startedAt(0), doesNotRunYet, of("wide", 0))
			if name == "minimum" {
				first.Priority = -1
			}
			tell(e, gpuNode("a", "A100", 4), with(wide(), policy(p)), first, job("waits", 4))
			for _, at := range []time.Duration{0, 5 * time.Second, 2 * time.Hour} {
				if d := e.Decide(start.Add(at)); len(d.Displaced) > 0 {
					t.Fatalf("after %s it gives way, before it runs", at)
				}
			}
			ran := start.Add(2 * time.Hour)
			first.Start, first.Starting = ran, false
			e.SetRunning(first)
			at := ran
			for range 3 {
				d := e.Decide(at)
				if len(d.Displaced) > 0 {
					break
				}
				if d.Again.IsZero() {
					t.Fatalf("nobody looks again after %s", at.Sub(start))
				}
				at = d.Again
			}
			if over := ran.Add(time.Hour); !at.Equal(over) {
				t.Errorf("it gives way at %s, want %s", at, over)
			}
		})
	}
}
