package scheduling

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Where those are used up that a forecast looks at of some that are alike, nobody is told a start whom the others may go before. It goes on for
// those whom they cannot.
func TestForecastStopsWhereItLooksNoFurther(t *testing.T) {
	e := New(Options{Patience: 10_000 * time.Hour})
	for _, q := range []string{"one", "other"} {
		tell(e, gpuQuota(q, 8), inPool(gpuNode(q, "A100", 8), q), runs(q, q, 8, time.Hour, of(q, 0)))
	}
	for i := range 10 {
		e.SetWaiting(job(fmt.Sprintf("w%02d", i), 8, under("one"), pools("one"), priority(1), lasts(time.Hour)))
	}
	e.SetWaiting(job("late", 8, under("one"), pools("one"), lasts(time.Hour)))
	e.SetWaiting(job("elsewhere", 8, under("other"), pools("other"), lasts(time.Hour)))
	e.SetWaiting(job("later", 8, under("other"), pools("other"), lasts(9*time.Hour)))
	e.SetWaiting(job("last", 8, under("other"), pools("other"), lasts(2*time.Hour), after(time.Second)))
	e.SetWaiting(job("never", 9, under("other"), pools("other")))
	e.Decide(start)
	at := func(hours int) time.Time { return start.Add(time.Duration(hours) * time.Hour) }
	want := map[string]time.Time{"w00": at(1), "w01": at(2), "w02": at(3), "elsewhere": at(1), "later": at(2), "last": at(11)}
	if diff := cmp.Diff(want, e.future(7).Forecast(start, 100, 1000*time.Hour)); diff != "" {
		t.Error(diff)
	}
	e.SetWaiting(job("anywhere", 8, under("other"), lasts(100*time.Hour), after(time.Minute)))
	e.Decide(start)
	delete(want, "last") // the fourth of those that it does not look at may take the node on which it would start
	if diff := cmp.Diff(want, e.future(8).Forecast(start, 100, 1000*time.Hour)); diff != "" {
		t.Errorf("where some may run on the nodes of both: %s", diff)
	}
}

// What is told by a look at the first of those that are alike is what is told by a look at all.
func TestForecastOfTheFirstIsThatOfAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := New(Options{Patience: rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "patience")})
		tell(e, gpuQuota("q", 16), inPool(gpuNode("a", "A100", 8), "a"), inPool(gpuNode("b", "A100", 8), "b"),
			runs("1", "a", 8, time.Hour, of("q", 0)), runs("2", "b", 8, 90*time.Minute, of("q", 0)))
		for i := range 15 {
			e.SetWaiting(job(fmt.Sprint(i), rapid.SampledFrom([]int64{2, 8}).Draw(t, "gpus"), under("q"), by(rapid.SampledFrom([]string{"u", "v"}).Draw(t, "user")),
				pools(rapid.SampledFrom([][]string{nil, {"a"}}).Draw(t, "pools")...), lasts(time.Hour), after(time.Duration(i)*time.Second)))
		}
		e.Decide(start)
		all := e.Future().Forecast(start, 1000, 100*time.Hour)
		for key, at := range e.future(len(e.lines(forecastWaiting))).Forecast(start, 1000, 100*time.Hour) {
			if !all[key].Equal(at) {
				t.Fatalf("%s is told to start at %s, and by a look at all at %s", key, at, all[key])
			}
		}
	})
}

// Who gives way waits again for what it asked for, and not for any nodes: so who is behind it starts after it.
func TestForecastOfWhoGivesWayInItsPool(t *testing.T) {
	low := runs("low", "a", 8, 5*time.Hour, of("wide", -1), func(r *Running) { r.Start, r.Pools = start, []string{"a"} })
	e := engineWith(with(wide(), policy(Preemption{LowerPriority: AnyVictims})), inPool(gpuNode("a", "A100", 8), "a"), inPool(gpuNode("b", "A100", 8), "b"),
		low, runs("r", "b", 8, 2*time.Hour, of("wide", 1)), job("high", 8, priority(1), lasts(3*time.Hour), pools("a")),
		job("behind", 8, priority(-1), lasts(time.Hour), pools("a"), after(time.Second)))
	gone := start.Add(time.Minute)
	want := map[string]time.Time{"high": gone, "behind": gone.Add(8 * time.Hour)}
	if diff := cmp.Diff(want, e.Future().Forecast(start, 10, 100*time.Hour)); diff != "" {
		t.Error(diff)
	}
}

// The same goes for who starts in the forecast and gives way when its turn is over. What is told is when it starts first.
func TestForecastOfTurns(t *testing.T) {
	e := engineWith(with(wide(), policy(Preemption{Quantum: time.Hour})), inPool(gpuNode("a", "A100", 8), "a"), inPool(gpuNode("b", "A100", 8), "b"),
		runs("first", "a", 8, time.Hour), runs("r", "b", 8, 150*time.Minute))
	for i, pool := range []string{"a", "a", "b"} {
		e.SetWaiting(job(fmt.Sprint(i), 8, by(fmt.Sprint(i)), pools(pool), lasts(5*time.Hour),
			after(time.Duration(i)*time.Second), func(w *Waiting) { w.Preemptible = true }))
	}
	e.Decide(start)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	want := map[string]time.Time{"0": at(60), "1": at(121), "2": at(150)}
	if diff := cmp.Diff(want, e.Future().Forecast(start, 10, 10*time.Hour)); diff != "" {
		t.Error(diff)
	}
}

// Of too many that all differ, it looks at the first of each queue.
func TestForecastOfManyThatDiffer(t *testing.T) {
	e := engineWith(wide(), gpuNode("n", "A100", 8), runs("r", "n", 8, time.Hour))
	want := map[string]time.Time{}
	for i, at := 1, start.Add(time.Hour); i <= 5; i++ {
		span := time.Duration(i) * time.Hour
		e.SetWaiting(job(fmt.Sprint(i), 8, lasts(span), after(span)))
		if i <= 3 {
			want[fmt.Sprint(i)] = at
		}
		at = at.Add(span)
	}
	e.Decide(start)
	if diff := cmp.Diff(want, e.future(3).Forecast(start, 100, 1000*time.Hour)); diff != "" {
		t.Error(diff)
	}
}

func TestEvenDepth(t *testing.T) {
	for _, tc := range []struct {
		sizes      []int
		most, want int
	}{
		{nil, 10, 0},
		{[]int{3, 4}, 10, 7},
		{[]int{5, 5}, 10, 5},
		{[]int{100}, 10, 10},
		{[]int{100, 2}, 10, 8},
		{[]int{100, 2, 100, 1}, 10, 3},
		{[]int{2, 2, 2}, 2, 0},
	} {
		if got := evenDepth(tc.sizes, tc.most); got != tc.want {
			t.Errorf("of %d, %d at most: %d of each, want %d", tc.sizes, tc.most, got, tc.want)
		}
	}
}
