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

// Who gave way does not take its place again before the one that it gave way to, though that one's start could not be written and is of
// lower priority.
func TestWhoGaveWayComesAfterwards(t *testing.T) {
	for _, rank := range []int{0, -1} {
		e := New(Options{Patience: 5 * time.Minute, Urgency: time.Second, Renewal: 5 * time.Second})
		reclaims := policy(Preemption{Reclaim: AnyVictims})
		tell(e, gpuNode("a", "A100", 8), gpuQuota("all", 0), child("borrows", "all", 2), child("owns", "all", 2, reclaims), gpuQuota("other", 1))
		first := job("first", 3, under("borrows"))
		tell(e, runs("first", "a", 3, 0, of("borrows", 0)))
		e.Decide(start)
		second := job("second", 2, under("owns"), after(2*time.Second), priority(rank))
		tell(e, second)
		if d := e.Decide(start.Add(3 * time.Second)); len(d.Displaced) != 1 {
			t.Fatalf("nobody gives way: %v", d)
		}
		tell(e, first)
		if d := e.Decide(start.Add(4 * time.Second)); len(d.Starts) != 1 || d.Starts[0].Key != "second" {
			t.Fatalf("starts %v", d.Starts)
		}
		tell(e, second, job("third", 1, under("other"), after(time.Second)))
		want := map[string]string{"second": "a", "third": "a", "first": exceeded()}
		if diff := cmp.Diff(want, outcome(e, e.Decide(start.Add(5*time.Second)))); diff != "" {
			t.Errorf("priority %d: %s", rank, diff)
		}
	}
}

// Who waits since before a job of another tree does not go before whom that one goes before, where this one is the first in their quota.
func TestTheNearerRelationCounts(t *testing.T) {
	e := New(Defaults())
	tell(e, gpuNode("a", "A100", 8), gpuQuota("all", 0), child("borrows", "all", 2), child("owns", "all", 2), gpuQuota("other", 1))
	tell(e, runs("runs", "a", 2, 0, of("owns", 0)), job("first", 3, under("borrows")))
	e.Decide(start)
	e.RemoveRunning("runs")
	tell(e, job("second", 2, under("owns"), after(2*time.Second)), job("third", 1, under("other"), after(time.Second)))
	want := map[string]string{"second": "a", "third": "a", "first": exceeded()}
	if diff := cmp.Diff(want, outcome(e, e.Decide(start.Add(3*time.Second)))); diff != "" {
		t.Error(diff)
	}
}

// Who is behind another in one race is looked at where that one is not the first of its queue: its queue comes later then.
func TestWhoIsBehindOneThatIsNotTheFirst(t *testing.T) {
	e := New(Defaults())
	tell(e, gpuQuota("all", 0), child("below", "all", 0), job("borrows", 1, under("below")), job("1-below", 0, under("below"), after(time.Second)),
		job("2-carol", 0, under("all"), by("carol"), after(time.Second)), job("3-dave", 0, under("all"), by("dave"), after(time.Second)))
	e.rebuild()
	races := []*race{newRace(need{n: 1}), newRace(need{n: 2}), newRace(need{n: 3})}
	for key, in := range map[string]int{"1-below": 0, "2-carol": 0, "borrows": 1, "3-dave": 2} {
		races[in].enter(e.waiting[key].class)
	}
	if first := firstOfRaces(races).first().Key; first != "2-carol" {
		t.Errorf("the first is %s", first)
	}
}

// Of those that take part in several races, who is looked at goes before all others of its own user, and before the first of every other
// user of its queue.
func TestSeveralRacesAreAsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quotas := drawQuotas(t)
		e := New(Options{})
		for _, q := range quotas {
			e.SetQuota(q)
		}
		e.SetNode(drawNode(t, "n"))
		for i := range rapid.IntRange(0, 4).Draw(t, "running") {
			w := drawJob(t, fmt.Sprintf("r%d", i), quotas, start)
			e.SetRunning(Running{Key: w.Key, Quota: w.Quota, User: w.User, Replica: w.Replica, Start: start})
		}
		for i := range rapid.IntRange(2, 10).Draw(t, "jobs") {
			e.SetWaiting(drawJob(t, fmt.Sprintf("w%d", i), quotas, start.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "since"))*time.Second)))
		}
		e.rebuild()
		races := []*race{newRace(need{n: 1}), newRace(need{n: 2}), newRace(need{n: 3})}
		firsts := map[*lane]*class{}
		for _, w := range slices.SortedFunc(maps.Values(e.waiting), inOrder) {
			if c := w.class; c.first() == w {
				races[rapid.IntRange(0, 2).Draw(t, "race")].enter(c)
				if firsts[c.lane] == nil {
					firsts[c.lane] = c
				}
			}
		}
		first := firstOfRaces(races)
		for l, c := range firsts {
			if l.queue == first.lane.queue && c != first && goesBefore(c, first) {
				t.Errorf("%s is looked at before %s", first.first().Key, c.first().Key)
			}
		}
	})
}

// Of a class of which one was to start, one goes first, and the others when it is theirs.
func TestOnlyWhoReturnedGoesFirst(t *testing.T) {
	e := New(Defaults())
	tell(e, wide(), gpuNode("a", "A100", 1), job("1", 1, by("alice")), job("2", 1, by("alice")), job("3", 1, by("bob"), after(time.Second)))
	if d := e.Decide(start.Add(time.Second)); len(d.Starts) != 1 || d.Starts[0].Key != "1" {
		t.Fatalf("starts %v", d.Starts)
	}
	tell(e, job("1", 1, by("alice")), gpuNode("a", "A100", 2))
	want := map[string]string{"1": "a", "2": queued(), "3": "a"}
	if diff := cmp.Diff(want, outcome(e, e.Decide(start.Add(2*time.Second)))); diff != "" {
		t.Error(diff)
	}
}

// Whoever is first in a race is the first by what counts now, also after past use has faded.
func TestRacesAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, now, jobs := New(Defaults()), start, 0
		root := gpuQuota("all", 8)
		root.HalfLife = time.Minute
		two := int64(2)
		tell(e, root, gpuNode("n", "A100", 4))
		for _, name := range []string{"a", "b", "c"} {
			q := child(name, "all", 2)
			q.PerUser.GPUs = &two
			tell(e, q, child(name+"1", name, 1))
		}
		in := rapid.SampledFrom([]string{"a", "a1", "b", "b1", "c", "c1"})
		for step := range 60 {
			does := 0
			if step >= 25 {
				does = rapid.SampledFrom([]int{0, 1, 2, 1, 2}).Draw(t, "step")
			}
			switch does {
			case 0:
				jobs++
				tell(e, job(fmt.Sprintf("j%02d", jobs), 1, under(in.Draw(t, "in")),
					by(rapid.SampledFrom([]string{"u", "v", "w"}).Draw(t, "user")), after(now.Sub(start))))
			case 1:
				if keys := sortedKeys(e.running); len(keys) > 0 {
					e.RemoveRunning(rapid.SampledFrom(keys).Draw(t, "ends"))
				}
			case 2:
				now = now.Add(time.Duration(rapid.SampledFrom([]int{1, 7, 20, 60, 200}).Draw(t, "seconds")) * time.Second)
				e.Decide(now)
			}
			for _, r := range racesOf(e) {
				if r.top != nil {
					firstByNow(t, r.top)
				}
			}
		}
	})
}

// racesOf are all races in which classes of the tree take part.
func racesOf(e *Engine) []*race {
	all := []*race{e.ready}
	for _, q := range e.queues {
		for _, p := range q.parks {
			all = append(all, p.races...)
		}
	}
	for _, g := range e.groups {
		all = append(all, g.park.races...)
	}
	return all
}

// firstByNow is the first class of an entry, looked for among all that are below it.
func firstByNow(t *rapid.T, at *entry) (first *class) {
	if at.of.lane != nil {
		return at.best
	}
	var of *contender
	for _, below := range at.below {
		c := firstByNow(t, below)
		shares := below.of.share
		if below.of.weigh(); below.of.share != shares {
			t.Fatalf("the share is %g, and %g is told", below.of.share, shares)
		}
		if first == nil || precedes(below.of, c, of, first) < 0 {
			first, of = c, below.of
		}
	}
	if first != at.best {
		t.Fatalf("%q is the first, not %q", first.first().Key, at.best.first().Key)
	}
	return first
}
