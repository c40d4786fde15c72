package scheduling

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHolders(t *testing.T) {
	e := New(Options{})
	e.SetQuota(gpuQuota("all", 0))
	for _, q := range []string{"vision", "speech"} {
		e.SetQuota(child(q, "all", 4))
	}
	e.SetNode(gpuNode("a", "A100", 8))
	e.SetNode(gpuNode("h", "H100", 8))
	runs := func(key, quota, node, model string, gpus int64) {
		e.SetRunning(Running{
			Key: key, Quota: quota, User: "u", Replica: Amounts{MilliCPU: 1, Memory: 1, GPUs: gpus}, Model: model, Nodes: []Share{{node, 1}}, Start: start,
		})
	}
	runs("v1", "vision", "a", "A100", 1)
	runs("v2", "vision", "h", "H100", 1)
	runs("s1", "speech", "a", "A100", 5)
	runs("o1", "unknown", "a", "A100", 1)
	e.SetWaiting(job("quota", 4, under("vision")))
	e.SetQuota(gpuQuota("other", 100))
	e.SetWaiting(job("nodes", 8, under("other"), models("A100")))
	e.SetWaiting(job("never", 9, under("vision")))
	e.Decide(start)
	for key, want := range map[string]string{
		"quota": "[{speech 1 5} {vision 2 2}]",
		"nodes": "[{speech 1 5} {unknown 1 1} {vision 1 1}]",
		"never": "[]",
	} {
		if got := fmt.Sprint(e.Holders(key, 3)); got != want {
			t.Errorf("%s is held up by %s, want %s", key, got, want)
		}
	}
	if got := fmt.Sprint(e.Holders("quota", 1)); got != "[{speech 1 5}]" {
		t.Errorf("bounded to one: %s", got)
	}
}

// A forecast says as much of a long queue as was asked for, and comes to an end.
func TestForecastIsBounded(t *testing.T) {
	e := New(Options{Patience: time.Minute, Renewal: 5 * time.Second})
	e.SetQuota(gpuQuota("q", 8))
	e.SetNode(gpuNode("n", "A100", 8))
	for i := range 300 {
		e.SetWaiting(job(fmt.Sprintf("w%03d", i), 8, under("q"), lasts(time.Hour)))
	}
	e.Decide(start)
	expected := e.Future().Forecast(start, 10, 1000*time.Hour)
	if len(expected) != 10 || !expected["w010"].Equal(start.Add(10*time.Hour)) {
		t.Errorf("expected starts: %v", expected)
	}
	if all := e.Future().Forecast(start, 1000, 1000*time.Hour); len(all) != 299 { // one has started
		t.Errorf("%d starts are told, want 299", len(all))
	}
}

// Who waits behind many that their user's share holds up is told when they start: it is when they do.
func TestForecastOfWhoPassesManyOfAnotherUser(t *testing.T) {
	e := New(Options{Patience: 5 * time.Minute, Renewal: 5 * time.Second})
	e.SetQuota(with(gpuQuota("q", 2), func(q *Quota) { q.PerUser.GPUs = limit(1) }))
	tell(e, gpuNode("a", "A100", 1), gpuNode("b", "A100", 1))
	for user, end := range map[string]time.Duration{"alice": 10 * time.Hour, "carol": 10 * time.Minute} {
		e.SetRunning(withUser(runs(user, map[string]string{"alice": "a", "carol": "b"}[user], 1, end, of("q", 0)), user))
	}
	for i := range 150 {
		e.SetWaiting(job(fmt.Sprintf("w%03d", i), 1, under("q"), by("alice"), lasts(time.Hour)))
	}
	e.SetWaiting(job("bob's", 1, under("q"), by("bob"), lasts(time.Hour), after(time.Second)))
	e.Decide(start)
	expected := e.Future().Forecast(start, 1000, 1000*time.Hour)["bob's"]
	free := start.Add(10 * time.Minute)
	e.RemoveRunning("carol")
	if starts := keysOf(e.Decide(free)); fmt.Sprint(starts) != "[bob's]" || !expected.Equal(free) {
		t.Errorf("expected at %s; at %s start %s", expected, free, starts)
	}
}

// That many queues lose patience one after the other, each at another moment, does not use up what a forecast looks at.
func TestForecastOfManyQueues(t *testing.T) {
	e := New(Options{Patience: 5 * time.Minute, Renewal: 5 * time.Second})
	e.SetQuota(gpuQuota("all", 8))
	e.SetNode(gpuNode("n", "A100", 8))
	e.SetRunning(runs("r", "n", 8, 10*time.Hour))
	for i := range 2000 {
		q := fmt.Sprintf("q%d", i)
		e.SetQuota(child(q, "all", 8))
		e.SetWaiting(job("w"+q, 8, under(q), lasts(time.Hour), after(time.Duration(i)*time.Millisecond)))
	}
	e.Decide(start)
	if expected := e.Future().Forecast(start, 10, 1000*time.Hour); len(expected) != 10 {
		t.Errorf("expected starts: %v", expected)
	}
}

// Who used much in the past comes later, in a forecast as well.
func TestForecastKnowsThePast(t *testing.T) {
	e := New(Options{Patience: 1000 * time.Hour})
	root := gpuQuota("all", 8)
	root.HalfLife = time.Hour
	e.SetQuota(root)
	for _, q := range []string{"greedy", "modest", "other"} {
		e.SetQuota(child(q, "all", 0))
	}
	e.SetNode(gpuNode("n", "A100", 8))
	e.SetRunning(runs("past", "n", 8, 0, func(r *Running) { r.Quota, r.User = "greedy", "carol" }))
	e.Decide(start)
	now := start.Add(2 * time.Hour)
	e.Decide(now)
	e.RemoveRunning("past")
	e.SetRunning(runs("now", "n", 8, 3*time.Hour, func(r *Running) { r.Quota = "other" }))
	e.SetWaiting(job("first", 8, under("greedy"), lasts(time.Hour), after(time.Hour)))
	e.SetWaiting(job("second", 8, under("modest"), lasts(time.Hour), after(2*time.Hour)))
	e.Decide(now)
	want := fmt.Sprint(map[string]time.Time{"second": start.Add(3 * time.Hour), "first": start.Add(4 * time.Hour)})
	if got := fmt.Sprint(e.Future().Forecast(now, 10, 100*time.Hour)); got != want {
		t.Errorf("expected starts: %s, want %s", got, want)
	}
}

// A job that has to end by a time holds nothing from then on, and has not started by then if it did not before.
func TestForecastOfJobsThatHaveToEndByATime(t *testing.T) {
	e := New(Options{Patience: time.Minute, Renewal: 5 * time.Second})
	e.SetQuota(gpuQuota("q", 8))
	e.SetNode(gpuNode("n", "A100", 8))
	for _, w := range []Waiting{
		job("1", 8, under("q"), until(time.Hour)), job("2", 8, under("q"), lasts(9*time.Hour)), job("3", 8, under("q"), until(2*time.Hour)), job("4", 8, under("q")),
	} {
		e.SetWaiting(w)
	}
	e.Decide(start)
	got := fmt.Sprint(e.Future().Forecast(start, 10, 1000*time.Hour))
	if want := fmt.Sprint(map[string]time.Time{"2": start.Add(time.Hour), "4": start.Add(10 * time.Hour)}); got != want {
		t.Errorf("expected starts: %s, want %s", got, want)
	}
}

// What is being ended is free when it has had its time for that; of what should have gone long ago nobody knows when it will.
func TestForecastOfJobsThatAreBeingEnded(t *testing.T) {
	for grace, gone := range map[time.Duration]time.Duration{0: time.Minute, time.Hour: time.Hour + 30*time.Second} {
		e := engineWith(wide(), gpuNode("n", "A100", 8), job("w", 8), runs("ending", "n", 8, 10*time.Hour, func(r *Running) { r.Ending, r.Grace = true, grace }))
		for _, since := range []time.Duration{0, gone / 2} {
			e.Decide(start.Add(since))
			if at := e.Future().Forecast(start.Add(since), 10, 100*time.Hour)["w"]; !at.Equal(start.Add(gone)) {
				t.Errorf("behind a job that is being ended for %s with a grace of %s it starts at %s", since, grace, at)
			}
		}
		late := start.Add(3 * time.Hour)
		e.Decide(late)
		if at, known := e.Future().Forecast(late, 10, 100*time.Hour)["w"]; known {
			t.Errorf("behind a job that is being ended for 3 h with a grace of %s it starts at %s", grace, at)
		}
	}
}

// Those held back for a job that waits for others who are being ended are told when these are gone at the latest.
func TestWhoIsHeldBackIsToldWhenOthersAreGone(t *testing.T) {
	ending := func(key, node string) Running {
		return runs(key, node, 4, 10*time.Hour, func(r *Running) { r.Ending, r.Grace = true, time.Hour })
	}
	for name, running := range map[string][]Running{
		"all are being ended": {ending("1", "a"), ending("2", "b")},
		"others end before":   {ending("1", "a"), runs("2", "b", 4, 10*time.Minute)},
	} {
		e := engineWith(wide(), gpuNode("a", "A100", 8), gpuNode("b", "A100", 8), job("large", 8, replicas(2)), job("small", 4, by("v")), running[0], running[1])
		for _, at := range []time.Duration{0, 5 * time.Minute} {
			e.Decide(start.Add(at))
			if got, want := e.Message("small"), "they start at 2026-01-01 01:00:30 UTC at the latest"; !strings.HasSuffix(got, want) {
				t.Errorf("%s, after %s: %q, want %q", name, at, got, want)
			}
		}
	}
}

// Who gives way within a forecast has its time to end, as who does already; a start that is told is the first.
func TestForecastReckonsWithTheGraceOfWhoGivesWay(t *testing.T) {
	victim := runs("low", "a", 8, 5*time.Hour, of("wide", -1), mayBeDisplaced, func(r *Running) { r.Grace = time.Hour })
	gone := start.Add(time.Hour + 30*time.Second)
	for name, decideFirst := range map[string]bool{"before it is asked to": false, "as it is being ended": true} {
		e := engineWith(gpuNode("a", "A100", 8), with(wide(), policy(Preemption{LowerPriority: AnyVictims})), victim,
			job("high", 8, priority(1), lasts(time.Hour)), job("behind", 8, priority(-1), lasts(time.Hour), after(time.Second)))
		if decideFirst {
			e.Decide(start)
		}
		want := map[string]time.Time{"high": gone, "behind": gone.Add(7 * time.Hour)} // the one that gave way comes back before it
		if diff := cmp.Diff(want, e.Future().Forecast(start, 10, 100*time.Hour)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Each of many that take turns is told its own.
func TestForecastOfManyTurns(t *testing.T) {
	e := New(Defaults())
	tell(e, gpuNode("a", "A100", 4), with(wide(), policy(Preemption{Quantum: time.Hour})))
	for i := range 4 {
		tell(e, job(fmt.Sprintf("j%d", i), 4, func(w *Waiting) { w.Preemptible = true }))
	}
	e.Decide(start)
	expected := e.Future().Forecast(start, 10, 10*time.Hour)
	for i := 1; i < 4; i++ {
		key := fmt.Sprintf("j%d", i)
		if at := expected[key].Sub(start).Round(30 * time.Minute); at != time.Duration(i)*time.Hour {
			t.Errorf("%s is told %s", key, expected[key])
		}
	}
}

// Those in line stand there in a forecast as they do in the engine, whatever order its jobs come in.
func TestForecastOfThoseInLine(t *testing.T) {
	e := New(fairly())
	of := func(quota string) func(*Running) { return func(r *Running) { r.Quota = quota } }
	tell(e, gpuQuota("all", 0), child("one", "all", 4), child("two", "all", 4), gpuNode("n", "A100", 3), runs("r", "n", 1, time.Hour, of("one")),
		runs("s", "n", 1, 2*time.Hour, of("two")), runs("u", "n", 1, 30*time.Hour, of("two")), job("x", 1, under("one")), job("y", 1, under("two")))
	e.Decide(start.Add(5 * time.Minute))
	want := map[string]time.Time{"x": start.Add(time.Hour), "y": start.Add(2 * time.Hour)}
	for range 20 {
		if diff := cmp.Diff(want, e.Future().Forecast(start.Add(6*time.Minute), 10, 10*time.Hour)); diff != "" {
			t.Fatal(diff)
		}
	}
}
