package scheduling

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The examples that others publish of their schedulers, in this engine's terms and with GPUs for what they count. Those of Kueue's
// borrowing and lending are in TestBorrowingAndLending, the first of Slurm's backfill in TestBackfill.

// Kueue, concepts/preemption and concepts/cluster_queue ("Preemption"): reclaimWithinCohort is Reclaim, withinClusterQueue is LowerPriority.
func TestKueuesPreemption(t *testing.T) {
	team := func(name string, own int64, p Preemption) Quota { return child(name, "cohort", own, policy(p)) }
	both := Preemption{LowerPriority: AnyVictims, Reclaim: AnyVictims}
	node := gpuNode("n", "A100", 21)
	tests := map[string]struct {
		world []any
		want  []string
	}{
		"Never: nobody gives way": {
			world: []any{team("a", 9, Preemption{}), team("b", 12, Preemption{}), runs("lent", "n", 21, 0, of("b", -1)), job("asks", 9, under("a"))},
		},
		"Any: within its own quota it gets back what was borrowed, whatever the priority": {
			world: []any{team("a", 9, both), team("b", 12, Preemption{}), runs("own", "n", 12, 0, of("b", 1)), runs("lent", "n", 9, 0, of("b", 1)), job("asks", 9, under("a"), priority(-1))},
			want:  []string{"lent"},
		},
		"beyond its own it gets nothing back": {
			world: []any{team("a", 9, both), team("b", 12, Preemption{}), runs("own", "n", 12, 0, of("b", 0)), runs("lent", "n", 9, 0, of("b", 0)), job("asks", 10, under("a"))},
		},
		"nobody gives way whose queue does not borrow": {
			world: []any{team("a", 9, both), team("b", 12, Preemption{}), runs("mine", "n", 9, 0, of("a", 0)), runs("theirs", "n", 12, 0, of("b", -1)), job("asks", 1, under("a"))},
		},
		"LowerPriority in its own queue, while others stay": {
			world: []any{team("a", 9, both), team("b", 12, Preemption{}), runs("low", "n", 4, 0, of("a", -1)), runs("same", "n", 5, 0, of("a", 0)), runs("theirs", "n", 12, 0, of("b", -1)), job("asks", 4, under("a"))},
			want:  []string{"low"},
		},
		"of candidates the lowest priority, then who came last": {
			world: []any{team("a", 9, both), team("b", 12, Preemption{}), runs("own", "n", 12, 0, of("b", 0), startedAt(-9*time.Hour)),
				runs("1-old", "n", 3, 0, of("b", 0), startedAt(-5*time.Hour)), runs("2-low", "n", 3, 0, of("b", -1), startedAt(-6*time.Hour)), runs("3-new", "n", 3, 0, of("b", 0), startedAt(-4*time.Hour)),
				job("asks", 6, under("a"))},
			want: []string{"2-low", "3-new"},
		},
		"those it does without are spared": {
			world: []any{team("a", 9, both), team("b", 12, Preemption{}), runs("own", "n", 12, 0, of("b", 0), startedAt(-9*time.Hour)),
				runs("1-small", "n", 1, 0, of("b", -1)), runs("2-large", "n", 8, 0, of("b", 0)), job("asks", 8, under("a"))},
			want: []string{"2-large"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := engineWith(append([]any{node, gpuQuota("cohort", 0)}, tc.world...)...)
			if diff := cmp.Diff(tc.want, displacedBy(e.Decide(start))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func displacedBy(d Decisions) []string {
	var keys []string
	for _, v := range d.Displaced {
		keys = append(keys, v.Key)
	}
	slices.Sort(keys)
	return keys
}

// Kueue, concepts/cohort ("Hierarchical Cohorts"): of what two organizations share, the one with three times the weight gets three
// quarters.
func TestKueuesFairSharing(t *testing.T) {
	e := engineWith(gpuNode("n", "A100", 8), gpuQuota("root", 8), child("important", "root", 0, weight(3)), child("regular", "root", 0, weight(1)),
		child("i", "important", 0), child("r", "regular", 0))
	for n := range 8 {
		tell(e, job(fmt.Sprintf("i%d", n), 1, under("i")), job(fmt.Sprintf("r%d", n), 1, under("r")))
	}
	got := map[byte]int{}
	for _, s := range e.Decide(start).Starts {
		got[s.Key[0]]++
	}
	if diff := cmp.Diff(map[byte]int{'i': 6, 'r': 2}, got); diff != "" {
		t.Error(diff)
	}
}

// Kueue, concepts/cluster_queue ("Queueing strategy"): BestEffortFIFO lets newer workloads pass that fit, in order; what Soma keeps for
// the older one comes on top and is bounded by its patience.
func TestKueuesBestEffortFIFO(t *testing.T) {
	e := New(Options{Patience: time.Hour})
	tell(e, wide(), gpuNode("n", "A100", 4), runs("r", "n", 2, 0), job("1-large", 4), job("2-small", 1), job("3-middle", 2), job("4-small", 1))
	if diff := cmp.Diff([]string{"2-small", "4-small"}, keysOf(e.Decide(start))); diff != "" {
		t.Error(diff)
	}
}

// Slurm, fair_tree.html: all users of an account that is served less go before all users of its sibling, whatever these
// used themselves. Its example: root => Acct1 => Acct12 => UserA, and Acct16 => UserB.
func TestSlurmsFairTree(t *testing.T) {
	held := func(key, quota, user string, gpus int64) Running {
		r := holds(key, quota, gpus)
		r.User = user
		return r
	}
	tree := []any{gpuNode("n", "A100", 100), gpuQuota("root", 100), child("acct1", "root", 0), child("acct2", "root", 0), child("acct12", "acct1", 0), child("acct16", "acct1", 0)}
	tests := map[string]struct {
		held []any
		want []string
	}{
		"the account decides at the level below the common ancestor": {
			// UserB holds more than UserA, but its account less than UserA's.
			held: []any{held("1", "acct12", "other", 8), held("2", "acct16", "userB", 4)},
			want: []string{"2-userB", "1-userA"},
		},
		"and within an account its users": {
			held: []any{held("1", "acct12", "userA", 8), held("2", "acct16", "userB", 2), held("3", "acct16", "userC", 1)},
			want: []string{"3-userC", "2-userB", "1-userA"},
		},
		"a higher level decides before a lower one": {
			held: []any{held("1", "acct16", "other", 4), held("2", "acct2", "userD", 3)},
			want: []string{"4-userD", "1-userA", "2-userB"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := engineWith(append(tree, tc.held...)...)
			waits := map[string]Waiting{
				"1-userA": job("1-userA", 1, under("acct12"), by("userA")), "2-userB": job("2-userB", 1, under("acct16"), by("userB")),
				"3-userC": job("3-userC", 1, under("acct16"), by("userC")), "4-userD": job("4-userD", 1, under("acct2"), by("userD")),
			}
			for _, key := range tc.want {
				tell(e, waits[key])
			}
			if diff := cmp.Diff(tc.want, order(e)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Slurm, sched_config.html: jobs are looked at strictly by priority, and a lower one starts before a higher one only where that does
// not put its expected start off.
func TestSlurmsBackfillByPriority(t *testing.T) {
	e := engineWith(wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4), runs("r", "a", 4, 30*time.Hour),
		job("high", 4, replicas(2), priority(1), after(time.Minute)), job("low-short", 2, lasts(2*time.Hour)), job("low-long", 2, lasts(48*time.Hour)))
	if diff := cmp.Diff(map[string]string{"high": gangWaiting(), "low-short": "b", "low-long": queued()}, outcome(e, e.Decide(start.Add(time.Hour)))); diff != "" {
		t.Error(diff)
	}
}

// Slurm, preempt.html, its example and what it says would be better in another, with jobs that are queued again (PreemptMode=REQUEUE): five
// nodes, and a job for three of them that may displace those that run.
func TestSlurmsPreemptionWithRequeue(t *testing.T) {
	node := func(i int) string { return fmt.Sprintf("n%d", i) }
	cluster := func(running int) *Engine {
		e := engineWith(with(wide(), policy(Preemption{LowerPriority: AnyVictims})))
		for i := range 5 {
			tell(e, gpuNode(node(i), "A100", 1))
		}
		for i := range running {
			tell(e, runs(fmt.Sprintf("active%d", i), node(i), 1, 300*time.Second, startedAt(time.Duration(i)*time.Second)))
		}
		tell(e, job("hipri", 1, replicas(3), priority(1), lasts(30*time.Second), after(time.Minute)))
		return e
	}
	t.Run("all nodes are busy: three give way, two go on", func(t *testing.T) {
		e, now := cluster(5), start.Add(time.Minute)
		displaced := displacedBy(e.Decide(now))
		if diff := cmp.Diff([]string{"active2", "active3", "active4"}, displaced); diff != "" {
			t.Fatal(diff)
		}
		for i, key := range displaced { // they end, and queue again with their old place
			e.RemoveRunning(key)
			tell(e, job(key, 1, after(time.Duration(i)*time.Second), lasts(300*time.Second)))
		}
		if diff := cmp.Diff(map[string]string{"hipri": "n2 n3 n4", "active2": queued(), "active3": queued(), "active4": queued()}, outcome(e, e.Decide(now))); diff != "" {
			t.Fatal(diff)
		}
		e.RemoveRunning("hipri")
		if diff := cmp.Diff(displaced, keysOf(e.Decide(now.Add(30*time.Second)))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("two nodes are free: one gives way, where Slurm stopped three", func(t *testing.T) {
		if diff := cmp.Diff([]string{"active2"}, displacedBy(cluster(3).Decide(start.Add(time.Minute)))); diff != "" {
			t.Error(diff)
		}
	})
}
