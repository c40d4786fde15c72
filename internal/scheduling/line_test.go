package scheduling

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func inPool(n Node, pool string) Node {
	n.Pool = pool
	return n
}

// A gang of another tree is counted on though its first node is one that the job cannot run on.
func TestAGangOfAnotherTreeIsCountedOn(t *testing.T) {
	e := New(Options{Renewal: time.Hour})
	gang := runs("gang", "a", 8, time.Hour, func(r *Running) { r.Quota, r.Nodes = "one", []Share{{"a", 1}, {"b", 1}} })
	tell(e, gpuQuota("one", 100), gpuQuota("two", 100), inPool(gpuNode("a", "A100", 8), "p1"), inPool(gpuNode("b", "A100", 8), "p2"), gang,
		job("waits", 8, under("two"), pools("p2")))
	e.Decide(start)
	if diff := cmp.Diff([]string{"waits"}, headsOf(e)); diff != "" {
		t.Error(diff)
	}
}

// Where who is kept a place is cancelled, the next in line is kept it, and not the next that is like it.
func TestTheNextInLineFollows(t *testing.T) {
	e := New(Options{Patience: 5 * time.Minute, Renewal: time.Hour})
	tell(e, wide(), gpuNode("a", "A100", 8), runs("r", "a", 8, time.Hour), job("1", 8, lasts(time.Hour)),
		job("2", 8, lasts(2*time.Hour), after(5*time.Minute)), job("3", 8, lasts(time.Hour), after(10*time.Minute)))
	e.Decide(start.Add(17 * time.Minute))
	if diff := cmp.Diff([]string{"1"}, headsOf(e)); diff != "" {
		t.Fatal(diff)
	}
	e.RemoveWaiting("1")
	e.Decide(start.Add(18 * time.Minute))
	if diff := cmp.Diff([]string{"2"}, headsOf(e)); diff != "" {
		t.Error(diff)
	}
}

// Who comes back to the queue before others that are like it has waited for as long as it has, and not as they have.
func TestWhoComesBackHasItsPatience(t *testing.T) {
	e := New(Options{Patience: 5 * time.Minute, Renewal: time.Hour})
	tell(e, wide(), gpuNode("a", "A100", 8), runs("r", "a", 8, time.Hour), job("young", 8, after(10*time.Minute)))
	e.Decide(start.Add(11 * time.Minute))
	tell(e, job("middle", 8, after(8*time.Minute)))
	d := e.Decide(start.Add(12 * time.Minute))
	if want := start.Add(13 * time.Minute); !d.Again.Equal(want) {
		t.Errorf("looks again at %s, want %s", d.Again, want)
	}
	tell(e, job("old", 8))
	e.Decide(start.Add(12*time.Minute + time.Second))
	if diff := cmp.Diff([]string{"old"}, headsOf(e)); diff != "" {
		t.Error(diff)
	}
}

// What is kept stays kept where it is not found again.
func TestAReservationIsNotLostWhereItIsRenewed(t *testing.T) {
	e := New(Options{Patience: time.Minute, Renewal: 5 * time.Second})
	held := func(key, node string, gpus int64, until time.Duration) Running {
		return runs(key, node, gpus, until, func(r *Running) { r.Quota = "all" })
	}
	tell(e, gpuQuota("all", 16), child("one", "all", 16), child("two", "all", 16), gpuNode("a", "A100", 8), gpuNode("b", "A100", 8),
		held("r1", "a", 4, 2*time.Hour), held("r2", "a", 4, 3*time.Hour), held("z", "b", 8, 10*time.Hour),
		job("1-large", 8, replicas(2), under("one")), job("2-short", 8, under("two"), lasts(time.Hour)))
	e.Decide(start.Add(time.Minute))
	expect := func(now time.Duration) {
		t.Helper()
		at := map[string]time.Duration{}
		for _, head := range e.heads {
			at[head.first().Key] = head.reservation.at.Sub(start)
		}
		if diff := cmp.Diff(map[string]time.Duration{"1-large": 10 * time.Hour, "2-short": 3 * time.Hour}, at); diff != "" {
			t.Errorf("after %s: %s", now, diff)
		}
	}
	expect(time.Minute)
	tell(e, job("s", 0, under("all"), lasts(time.Hour), after(time.Minute)), job("t", 0, under("all"), lasts(30*time.Minute), after(time.Minute)))
	if started := keysOf(e.Decide(start.Add(2 * time.Minute))); !slices.Equal(started, []string{"s", "t"}) {
		t.Fatalf("%v start", started)
	}
	e.RemoveRunning("t")
	e.Decide(start.Add(3 * time.Minute))
	expect(3 * time.Minute)
}

// Nobody yields to who cannot be kept anything.
func TestNobodyYieldsForNothing(t *testing.T) {
	e := New(Options{Patience: time.Minute, Renewal: time.Hour})
	foreign := gpuNode("b", "H100", 8)
	foreign.Foreign = Amounts{GPUs: 8}
	tell(e, wide(), gpuNode("a", "A100", 8), foreign, runs("r", "a", 8, time.Hour), job("waits", 8, models("A100"), after(time.Second)))
	e.Decide(start.Add(2 * time.Minute))
	for i := range mostRefused + 1 { // others will not say when they end
		tell(e, job(fmt.Sprintf("older-%d", i), int64(i%8)+1, models("H100"), lasts(time.Duration(i+1)*time.Hour)))
	}
	e.Decide(start.Add(3 * time.Minute))
	if diff := cmp.Diff([]string{"waits"}, headsOf(e)); diff != "" {
		t.Error(diff)
	}
}

// Of several with a place the last yields it, and not the one that others gave way to.
func TestWhomOthersGaveWayForYieldsToNobody(t *testing.T) {
	e := New(Options{Reservations: 2, Patience: time.Minute, Renewal: time.Hour})
	tell(e, gpuQuota("all", 100), child("one", "all", 100), child("two", "all", 100), child("three", "all", 100), gpuNode("a", "A100", 8), gpuNode("b", "A100", 8),
		runs("r", "a", 8, time.Hour), runs("s", "b", 8, time.Hour), job("2", 8, under("one"), after(time.Second)), job("3", 8, under("two"), after(2*time.Second)))
	e.Decide(start.Add(2 * time.Minute))
	for _, head := range e.heads {
		head.paid = head.first().Key == "3"
	}
	tell(e, job("1", 8, under("three")))
	e.Decide(start.Add(3 * time.Minute))
	if diff := cmp.Diff([]string{"1", "3"}, headsOf(e)); diff != "" {
		t.Error(diff)
	}
}

// A GPU model that no node has is not counted because somebody asks for it.
func TestOnlyModelsThatThereAreCount(t *testing.T) {
	e := New(Options{Renewal: time.Hour})
	tell(e, wide(), gpuNode("a", "A100", 8), runs("r", "a", 8, time.Hour), job("waits", 8, models("nonsense", "A100")))
	e.Decide(start)
	if slices.Contains(e.models.names, "nonsense") {
		t.Errorf("models are %v", e.models.names)
	}
}

// Who may be displaced from now on is looked at by who waits.
func TestWhoMayBeDisplacedNow(t *testing.T) {
	e := New(Options{Renewal: 5 * time.Second})
	low := runs("low", "a", 8, 10*time.Hour, of("wide", -1))
	tell(e, gpuNode("a", "A100", 8), with(wide(), policy(Preemption{LowerPriority: PreemptibleVictims})), low, job("high", 8, priority(1)))
	if d := e.Decide(start); len(d.Displaced) > 0 {
		t.Fatal("it gives way though it may not be displaced")
	}
	low.Preemptible = true
	tell(e, low)
	if d := e.Decide(start.Add(time.Minute)); len(d.Displaced) != 1 {
		t.Error("it does not give way")
	}
}

// A job that waits for nodes is told when there are none any more on which it could ever run, or too few.
func TestWhatBecomesImpossible(t *testing.T) {
	for name, tc := range map[string]struct {
		world []any
		waits Waiting
	}{
		"the last node that is so large":         {[]any{gpuNode("a", "A100", 4)}, job("waits", 8)},
		"the last of all":                        {nil, job("waits", 8)},
		"the last of its model":                  {[]any{gpuNode("a", "H100", 8)}, job("waits", 8, models("A100"))},
		"one of those that its replicas need":    {[]any{gpuNode("a", "A100", 8)}, job("waits", 8, replicas(2))},
		"one of two of which the other is small": {[]any{gpuNode("a", "A100", 4)}, job("waits", 4, replicas(3))},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Patience: time.Hour})
			tell(e, tc.world...)
			tell(e, wide(), gpuNode("b", "A100", 8), runs("r", "b", 8, time.Hour), tc.waits)
			e.Decide(start)
			if reason, _ := e.Reason("waits"); !reason.Busy() {
				t.Fatalf("it waits for %s", reason)
			}
			e.RemoveNode("b")
			e.Decide(start.Add(time.Second))
			if reason, _ := e.Reason("waits"); string(reason) != unschedulable() {
				t.Errorf("without the node it waits for %s", reason)
			}
		})
	}
}

// Where the first of several that are alike is cancelled, the next is patient in its place, and is kept a place when that is over.
func TestWhoFollowsLosesItsPatienceToo(t *testing.T) {
	e := New(Options{Patience: 5 * time.Minute, Renewal: time.Hour})
	tell(e, wide(), gpuNode("a", "A100", 8), gpuNode("b", "A100", 4), runs("r", "a", 8, 0), runs("s", "b", 4, 0),
		job("first", 4, lasts(time.Minute), pools("A100")), job("second", 8, after(time.Second)), job("third", 8, after(10*time.Minute)))
	e.Decide(start.Add(10 * time.Minute))
	e.RemoveWaiting("second")
	e.RemoveRunning("s")
	d := e.Decide(start.Add(11 * time.Minute))
	if got := keysOf(d); len(got) != 1 || got[0] != "first" {
		t.Fatalf("%v start", got)
	}
	if want := start.Add(15 * time.Minute); !d.Again.Equal(want) {
		t.Fatalf("looks again at %s, want %s", d.Again, want)
	}
	e.Decide(d.Again)
	if diff := cmp.Diff([]string{"third"}, headsOf(e)); diff != "" {
		t.Error(diff)
	}
}

// What is kept on a node on which others have taken the room is kept elsewhere.
func TestWhatOthersTakeIsNotKept(t *testing.T) {
	e := New(Options{Renewal: 5 * time.Second})
	large := job("waits", 8)
	large.Replica.MilliCPU = 60_000
	tell(e, wide(), gpuNode("a", "A100", 8), gpuNode("b", "A100", 8), runs("r", "a", 8, 10*time.Hour), runs("s", "b", 8, 11*time.Hour), large)
	e.Decide(start)
	full := gpuNode("a", "A100", 8)
	full.Foreign = Amounts{MilliCPU: 10_000}
	tell(e, full)
	e.Decide(start.Add(time.Minute))
	if len(e.heads) != 1 || !e.heads[0].reservation.at.Equal(start.Add(11*time.Hour)) {
		t.Errorf("it is kept a place on %s", e.heads[0].reservation.holds[0].on.Name)
	}
}

// Who takes its time to end is waited for, and nobody else has to give way meanwhile.
func TestWhoHasLongToEndIsWaitedFor(t *testing.T) {
	e := New(Defaults())
	tell(e, gpuNode("a", "A100", 8), gpuNode("b", "A100", 8), with(wide(), policy(Preemption{LowerPriority: AnyVictims})),
		runs("v1", "a", 8, 0, of("wide", -1), startedAt(0), func(r *Running) { r.Grace = time.Hour }), runs("v2", "b", 8, 0, of("wide", -1), startedAt(-time.Hour)),
		job("high", 8, priority(1)))
	now := start.Add(time.Minute)
	if d := e.Decide(now); len(d.Displaced) != 1 || d.Displaced[0].Key != "v1" {
		t.Fatalf("%v give way", d.Displaced)
	}
	for now.Sub(start) < time.Hour {
		now = now.Add(time.Minute)
		if d := e.Decide(now); len(d.Displaced) > 0 {
			t.Fatalf("after %s %v give way as well", now.Sub(start), d.Displaced)
		}
	}
}

// When the clock is set back, what was to be looked at again after a while is so then.
func TestReservationsAreRenewedWhenTheClockIsSetBack(t *testing.T) {
	e := New(Options{Renewal: time.Minute})
	tell(e, wide(), gpuNode("a", "A100", 8), runs("r", "a", 6, 20*time.Hour), runs("s", "a", 2, 10*time.Hour), job("waits", 8))
	e.Decide(start.Add(6 * time.Hour))
	tell(e, runs("r", "a", 6, 11*time.Hour))
	e.Decide(start.Add(time.Hour))
	if len(e.heads) != 1 || !e.heads[0].reservation.at.Equal(start.Add(11*time.Hour)) {
		t.Errorf("it is kept a place from %s on", e.heads[0].reservation.at)
	}
}
