package scheduling

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fairly are the options of an engine in which fair share counts for a day, and then submission.
func fairly() Options {
	return Options{Patience: 5 * time.Minute, Renewal: 5 * time.Second, MaxAge: 24 * time.Hour}
}

// borrowed is a cluster of two GPUs, one for each of two quotas, of which one holds both; it has more jobs that wait, and the other one has one
// that came later.
func borrowed(o Options) *Engine {
	e := New(o)
	mine := func(r *Running) { r.Quota = "a" }
	tell(e, gpuQuota("all", 0), child("a", "all", 1), child("b", "all", 1), gpuNode("n", "A100", 2), runs("r1", "n", 1, 10*time.Minute, mine),
		runs("r2", "n", 1, 20*time.Minute, mine), job("b0", 1, under("b"), after(time.Minute), lasts(time.Hour)))
	for i := range 4 {
		tell(e, job(fmt.Sprintf("a%d", i), 1, under("a"), lasts(time.Hour)))
	}
	return e
}

// Who has waited for long still goes after those who use what is their own, and not before all that were submitted later.
func TestFairShareCountsForThoseWhoWaitForLong(t *testing.T) {
	e := borrowed(fairly())
	e.Decide(start.Add(5 * time.Minute))
	e.Decide(start.Add(6 * time.Minute))
	e.RemoveRunning("r1")
	if diff := cmp.Diff([]string{"b0"}, keysOf(e.Decide(start.Add(10*time.Minute)))); diff != "" {
		t.Error(diff)
	}
}

// But not for ever: who has been the next of its quota for longer than fair share counts goes first.
func TestFairShareCountsForSoLong(t *testing.T) {
	o := fairly()
	o.MaxAge = 8 * time.Minute
	minutes := func(e *Engine, at ...time.Duration) {
		for _, at := range at {
			e.Decide(start.Add(at * time.Minute))
		}
	}
	for name, tc := range map[string]struct {
		until func(e *Engine)
		want  string
	}{
		"it has been so for less": {func(e *Engine) { minutes(e, 5, 6, 11, 12) }, "b0"},
		"it gets so old in line":  {func(e *Engine) { minutes(e, 5, 6, 13) }, "a0"},
		"it is set aside meanwhile": {func(e *Engine) {
			minutes(e, 5, 6)
			e.SetAside("a0")
			minutes(e, 7)
			tell(e, job("a0", 1, under("a"), lasts(time.Hour)))
			minutes(e, 8, 13)
		}, "a0"},
		"it is another one that waits": {func(e *Engine) { minutes(e, 5, 6); e.RemoveWaiting("a0"); minutes(e, 7, 13) }, "b0"},
		"it is edited meanwhile": {func(e *Engine) {
			minutes(e, 5, 6)
			tell(e, job("a0", 1, under("a"), lasts(2*time.Hour)))
			minutes(e, 7, 13)
		}, "a0"},
		"the tree changes meanwhile":    {func(e *Engine) { minutes(e, 5, 6); e.SetQuota(gpuQuota("another", 1)); minutes(e, 7, 13) }, "a0"},
		"another manager does not know": {func(e *Engine) { e.TakeOver(); minutes(e, 10, 11) }, "a0"},
	} {
		t.Run(name, func(t *testing.T) {
			e := borrowed(o)
			tc.until(e)
			e.RemoveRunning("r1")
			if diff := cmp.Diff([]string{tc.want}, keysOf(e.Decide(e.lastDecided.Add(time.Second)))); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("another one is kept the only place", func(t *testing.T) {
		o.Reservations = 1
		e := borrowed(o)
		tell(e, child("b", "all", 4), job("b1", 1, under("b"), after(2*time.Minute), lasts(time.Hour)))
		minutes(e, 7)
		e.RemoveRunning("r1")
		minutes(e, 8, 14)
		if diff := cmp.Diff([]string{"b1"}, headsOf(e)); diff != "" {
			t.Error(diff)
		}
		minutes(e, 17)
		if diff := cmp.Diff([]string{"a0"}, headsOf(e)); diff != "" {
			t.Error(diff)
		}
	})
}

// Whoever takes over takes it that each next job of a quota has been that since it waits, and not of those alone that come first by fair share.
func TestWhoTakesOverKnowsWhoIsOld(t *testing.T) {
	e := New(fairly())
	mine := func(r *Running) { r.Quota = "heavy" }
	tell(e, gpuQuota("all", 10), child("heavy", "all", 1), gpuNode("n", "A100", 8), runs("r1", "n", 4, 31*time.Hour, mine), runs("r2", "n", 4, 40*time.Hour, mine),
		job("old", 8, under("heavy"), lasts(time.Hour)))
	for i := range 5 {
		name := fmt.Sprintf("light%d", i)
		tell(e, child(name, "all", 1), job(name, 4, under(name), after(29*time.Hour), lasts(10*time.Hour)))
	}
	now := start.Add(30 * time.Hour)
	e.TakeOver()
	for i := range 3 {
		e.Decide(now.Add(time.Duration(i) * time.Minute))
		if heads := headsOf(e); !slices.Contains(heads, "old") {
			t.Errorf("after %d minutes places are kept for %v", i, heads)
		}
	}
	e.RemoveRunning("r1")
	if diff := cmp.Diff([]string(nil), keysOf(e.Decide(start.Add(31*time.Hour)))); diff != "" {
		t.Error(diff)
	}
}

// In the long run each of two quotas that want more than there is has half of it, whatever the size of their jobs and whoever came first.
func TestTheLineIsFair(t *testing.T) {
	const hours = 48
	for name, anew := range map[string]bool{"one engine": false, "the tree changes each hour": true} {
		t.Run(name, func(t *testing.T) {
			e := New(fairly())
			tell(e, gpuQuota("all", 0), child("large", "all", 8), child("small", "all", 8), gpuNode("n1", "A100", 8), gpuNode("n2", "A100", 8))
			for i := range 2 * hours {
				tell(e, job(fmt.Sprintf("large-%03d", i), 8, under("large"), lasts(time.Hour)))
			}
			for i := range 16 * hours {
				tell(e, job(fmt.Sprintf("small-%03d", i), 1, under("small"), after(time.Second), lasts(time.Hour)))
			}
			held := map[string]int64{}
			playHours(e, 10*time.Minute, hours*time.Hour+10*time.Minute, func(at time.Duration) {
				if anew && at%time.Hour == 40*time.Minute {
					e.SetQuota(gpuQuota("another", int64(at/time.Hour)))
				}
			}, func(key string) { held[e.running[key].Quota] += e.running[key].Replica.GPUs })
			for name, n := range held {
				if n < 8*hours*9/10 {
					t.Errorf("%s has had %d GPU-hours of %d: %v", name, n, 8*hours, held)
				}
			}
		})
	}
}

// Who is kept a place keeps it, also where the tree is made anew, though others have less by now and want one as well.
func TestALowerShareTakesNobodysPlace(t *testing.T) {
	for name, begin := range anew {
		if name == "another engine" { // which does not know whose it was
			continue
		}
		t.Run(name, func(t *testing.T) {
			o := fairly()
			o.Reservations = 2
			e := New(o)
			heavy := func(r *Running) { r.Quota = "heavy" }
			tell(e, gpuQuota("all", 0), child("heavy", "all", 6), child("also-heavy", "all", 0), child("light", "all", 6), child("also-light", "all", 6),
				gpuNode("a", "A100", 8), gpuNode("b", "A100", 2), runs("r", "a", 2, 16*time.Hour, heavy), runs("s", "b", 2, 16*time.Hour, heavy),
				job("small", 2, under("heavy"), lasts(time.Hour), pools("b")), job("large", 8, under("also-heavy"), lasts(time.Hour)),
				job("light", 8, under("light"), after(time.Minute), lasts(time.Hour)), job("also-light", 8, under("also-light"), after(time.Minute), lasts(time.Hour)))
			tell(e, inPool(gpuNode("b", "A100", 2), "b"))
			for minute := range 10 {
				e.Decide(start.Add(time.Duration(minute) * time.Minute))
			}
			if diff := cmp.Diff([]string{"large", "small"}, headsOf(e)); diff != "" {
				t.Fatal(diff)
			}
			e.RemoveRunning("s")
			e = begin(e)
			if diff := cmp.Diff([]string{"small"}, keysOf(e.Decide(start.Add(11*time.Minute)))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"also-light", "large"}, headsOf(e)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Those in line keep their order where the tree is made anew, though others have less by then.
func TestTheOrderInLineOutlivesTheTree(t *testing.T) {
	e := New(fairly())
	of := func(quota string) func(*Running) { return func(r *Running) { r.Quota = quota } }
	tell(e, gpuQuota("all", 0), child("one", "all", 4), child("two", "all", 4), gpuNode("n", "A100", 3), runs("r", "n", 1, time.Hour, of("one")),
		runs("s", "n", 1, 2*time.Hour, of("two")), runs("u", "n", 1, 3*time.Hour, of("two")), job("x", 1, under("one")), job("y", 1, under("two"), after(-time.Second)))
	e.Decide(start.Add(5 * time.Minute))
	if diff := cmp.Diff([]string{"x", "y"}, headsOf(e)); diff != "" {
		t.Fatal(diff)
	}
	tell(e, child("two", "all", 100))
	e.RemoveRunning("s")
	if diff := cmp.Diff([]string{"x"}, keysOf(e.Decide(start.Add(6*time.Minute)))); diff != "" {
		t.Error(diff)
	}
}

// playHours lets minutes pass in which jobs end that have run for an hour; it calls before each decision, and with what starts.
func playHours(e *Engine, from, to time.Duration, before func(at time.Duration), starts func(key string)) {
	ends := map[string]time.Time{"r": start.Add(time.Hour)}
	for at := from; at < to; at += time.Minute {
		now := start.Add(at)
		before(at)
		for _, key := range sortedKeys(ends) {
			if !ends[key].After(now) {
				e.RemoveRunning(key)
				delete(ends, key)
			}
		}
		for _, key := range keysOf(e.Decide(now)) {
			ends[key] = now.Add(time.Hour)
			starts(key)
		}
	}
}

// Of those of a queue that come one after the other, one alone gets older at a time.
func TestManyOfOneQueueDoNotGetOldTogether(t *testing.T) {
	o := fairly()
	o.MaxAge = time.Minute
	e := New(o)
	tell(e, gpuQuota("all", 8), child("a", "all", 0), child("b", "all", 0), gpuNode("n", "A100", 8), runs("r", "n", 8, time.Hour, func(r *Running) { r.Quota = "a" }))
	for i := range 8 {
		unlike := func(w *Waiting) { w.Avoid = fmt.Sprint(i) } // and nothing can be kept for who has to follow one that does not say when it ends
		tell(e, job(fmt.Sprintf("a%d", i), 8, under("a"), unlike), job(fmt.Sprintf("b%d", i), 8, under("b"), unlike))
	}
	var order []string
	playHours(e, 5*time.Minute, 8*time.Hour, func(time.Duration) {}, func(key string) { order = append(order, key[:1]) })
	if got := strings.Join(order, ""); got != "bababab" && got != "abababa" {
		t.Errorf("they start in the order %s", got)
	}
}

// Who has waited for longest in another tree, where submission alone counts, does not go before all that have.
func TestTreesThatCountAgeInTheirOwnWay(t *testing.T) {
	e := New(fairly())
	none, some := time.Duration(0), 2*time.Hour
	tell(e, with(gpuQuota("x", 100), func(q *Quota) { q.MaxAge = &none }), with(gpuQuota("y", 100), func(q *Quota) { q.MaxAge = &some }), gpuNode("n", "A100", 8),
		runs("r", "n", 8, time.Hour, func(r *Running) { r.Quota = "x" }), job("y", 8, under("y"), lasts(time.Hour)))
	started := false
	playHours(e, time.Minute, 12*time.Hour, func(at time.Duration) {
		if at%(30*time.Minute) == 0 {
			tell(e, job("x"+at.String(), 8, under("x"), lasts(time.Hour), after(at)))
		}
	}, func(key string) { started = started || key == "y" })
	if !started {
		t.Error("it has not started in half a day")
	}
}
