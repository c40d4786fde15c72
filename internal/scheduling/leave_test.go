package scheduling

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// leaving is a tree in which quotas lent and third share five GPUs, and own keeps two of its own beside them, with a job that runs on
// node a until in an hour.
func leaving() *Engine {
	own := child("own", "all", 2)
	own.Lending.GPUs = limit(0)
	e := New(Options{Patience: time.Minute, Renewal: 10 * time.Minute})
	tell(e, gpuQuota("all", 0), own, child("lent", "all", 5), child("third", "all", 0),
		gpuNode("a", "A100", 4), gpuNode("b", "A100", 2), gpuNode("c", "A100", 3), runs("r", "a", 2, time.Hour, of("lent", 0)))
	return e
}

func expectStarts(t *testing.T, e *Engine, after time.Duration, want ...string) {
	t.Helper()
	var got []string
	for _, s := range e.Decide(start.Add(after)).Starts {
		got = append(got, s.Key)
	}
	if len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
		t.Fatalf("after %s there start %v, want %v", after, got, want)
	}
}

// What ends within what is guaranteed to its quota took nothing from anybody, and leaves nothing to anybody.
func TestWhatIsGuaranteedToOthersIsNotLeft(t *testing.T) {
	e := leaving()
	tell(e, runs("o1", "c", 1, 0, of("own", 0)), runs("o2", "c", 2, 0, of("own", 0)),
		job("1-large", 3, under("lent")), job("2-third", 1, replicas(3), under("third"), after(time.Minute)))
	expectStarts(t, e, time.Minute)
	e.RemoveRunning("o2")
	expectStarts(t, e, 2*time.Minute)
}

// Who waits behind a reservation alone is looked at when a job ends of which it leaves as much more.
func TestWhoWaitsBehindAReservationIsWoken(t *testing.T) {
	cores := int64(4000)
	quota := gpuQuota("wide", 1)
	quota.Nominal.MilliCPU = &cores
	e := New(Options{Patience: time.Minute, Renewal: time.Hour})
	large := job("1-gpu", 1)
	large.Replica.MilliCPU = 2000
	tell(e, quota, cpuNode("cpus", 64), gpuNode("gpus", "A100", 1), runs("training", "gpus", 1, time.Hour),
		runs("a", "cpus", 0, 0), runs("b", "cpus", 0, 0), large, job("2-cpu", 0))
	expectStarts(t, e, time.Minute)
	e.RemoveRunning("b")
	expectStarts(t, e, 2*time.Minute, "2-cpu")
}

// How much more is left when a job of a quota with a guarantee ends is known when the reservation is worked out anew.
func TestWhoWaitsBehindAReservationIsWokenWhenItIsRenewed(t *testing.T) {
	e := leaving()
	tell(e, runs("o1", "c", 1, 0, of("own", 0)), runs("o2", "c", 2, 0, of("own", 0)),
		job("1-large", 3, under("lent")), job("2-third", 2, under("third"), after(time.Minute)))
	expectStarts(t, e, time.Minute)
	e.RemoveRunning("o1")
	expectStarts(t, e, 2*time.Minute)
	expectStarts(t, e, 11*time.Minute, "2-third")
}

// Who waits as two need what it needs at the same time is looked at when they do not any more.
func TestWhoWaitsForTwoIsWokenWhenTheyPart(t *testing.T) {
	e := New(Options{Patience: time.Minute, Renewal: 5 * time.Second})
	quota := func(r *Running) { r.Quota = "all" }
	tell(e, gpuQuota("all", 8), child("q1", "all", 0), child("q2", "all", 0), child("q3", "all", 0),
		inPool(gpuNode("a", "A100", 5), "p1"), inPool(gpuNode("b", "A100", 3), "p2"), inPool(gpuNode("c", "A100", 1), "p3"),
		runs("r1", "a", 2, 2*time.Hour, quota), runs("r2", "b", 2, 2*time.Hour, quota),
		job("1", 5, under("q1"), pools("p1"), lasts(time.Hour)), job("2", 3, under("q2"), pools("p2"), lasts(10*time.Hour), after(time.Second)))
	expectStarts(t, e, 2*time.Minute)
	if diff := cmp.Diff([]string{"1", "2"}, headsOf(e)); diff != "" {
		t.Fatal(diff)
	}
	tell(e, job("3", 1, under("q3"), pools("p3"), after(2*time.Minute)))
	expectStarts(t, e, 3*time.Minute)
	tell(e, runs("r1", "a", 2, 40*time.Minute, quota))
	expectStarts(t, e, 4*time.Minute, "3")
}
