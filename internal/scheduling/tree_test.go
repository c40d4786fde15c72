package scheduling

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func child(name, parent string, gpus int64, change ...func(*Quota)) Quota {
	q := gpuQuota(name, gpus)
	q.Parent = parent
	for _, c := range change {
		c(&q)
	}
	return q
}

func borrowing(gpus int64) func(*Quota) { return func(q *Quota) { q.Borrowing.GPUs = &gpus } }
func lending(gpus int64) func(*Quota)   { return func(q *Quota) { q.Lending.GPUs = &gpus } }
func weight(n int64) func(*Quota)       { return func(q *Quota) { q.Weight = n } }

// holds is a job that runs.
func holds(key, quota string, gpus int64) Running {
	return Running{Key: key, Quota: quota, User: "somebody", Replica: Amounts{GPUs: gpus}, Model: "A100", Nodes: []Share{{"elsewhere", 1}}, Start: start}
}

func withUser(r Running, user string) Running {
	r.User = user
	return r
}

// What a quota may use follows the rules of cohorts that Kueue documents (concepts/cluster_queue and concepts/cohort). The
// numbers are those of its examples, with GPUs for cores.
func TestBorrowingAndLending(t *testing.T) {
	tests := map[string]struct {
		quotas []any
		held   []any
		// may is what each quota may still use.
		may map[string]int64
	}{
		"all that is not used by the others can be borrowed": {
			quotas: []any{gpuQuota("all", 0), child("a", "all", 9), child("b", "all", 12)},
			may:    map[string]int64{"a": 21, "b": 21, "all": 21},
		},
		"what others use cannot": {
			quotas: []any{gpuQuota("all", 0), child("a", "all", 9), child("b", "all", 12)},
			held:   []any{holds("1", "b", 14)},
			may:    map[string]int64{"a": 7, "b": 7},
		},
		"no more than the borrowing limit": {
			quotas: []any{gpuQuota("all", 0), child("a", "all", 9, borrowing(1)), child("b", "all", 12)},
			may:    map[string]int64{"a": 10, "b": 21},
		},
		"no more than the others lend": {
			quotas: []any{gpuQuota("all", 0), child("a", "all", 9), child("b", "all", 12, lending(1))},
			may:    map[string]int64{"a": 10, "b": 21},
		},
		"what is not lent is left to the quota when all else is used": {
			quotas: []any{gpuQuota("all", 0), child("a", "all", 9), child("b", "all", 12, lending(1))},
			held:   []any{holds("1", "a", 10)},
			may:    map[string]int64{"a": 0, "b": 11},
		},
		"a parent has something of its own for all": {
			quotas: []any{gpuQuota("all", 5), child("a", "all", 1), child("b", "all", 1)},
			held:   []any{holds("1", "a", 4)},
			may:    map[string]int64{"a": 3, "b": 3, "all": 3},
		},
		"through several levels": {
			quotas: []any{
				gpuQuota("all", 0), child("left", "all", 0, lending(4)), child("right", "all", 0, borrowing(2)),
				child("a", "left", 8), child("b", "left", 2, lending(0)), child("c", "right", 3),
			},
			// left has 8 and lends 4; b keeps its 2; right has 3 and borrows 2.
			may: map[string]int64{"a": 11, "b": 13, "c": 5},
		},
		"more in use than there is after a quota was lowered": {
			quotas: []any{gpuQuota("all", 0), child("a", "all", 2), child("b", "all", 3, lending(0))},
			held:   []any{holds("1", "a", 4)},
			may:    map[string]int64{"a": 0, "b": 3},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for quota, may := range tc.may {
				for _, asks := range []int64{may, may + 1} {
					e := engineWith(tc.quotas...)
					tell(e, tc.held...)
					tell(e, gpuNode("n", "A100", 100), job("asks", asks, under(quota)))
					started := len(e.Decide(start).Starts) == 1
					if asks > 0 && started != (asks == may) {
						t.Errorf("quota %s starts a job of %d GPUs: %t; it may use %d", quota, asks, started, may)
					}
				}
			}
		})
	}
}

// order is in which order jobs start where all of them can.
func order(e *Engine) []string {
	var keys []string
	for _, s := range e.Decide(start.Add(time.Hour)).Starts {
		keys = append(keys, s.Key)
	}
	return keys
}

func TestFairShare(t *testing.T) {
	jobs := func(quotas ...string) []Waiting {
		var all []Waiting
		for i, q := range quotas {
			for n := range 3 {
				all = append(all, job(fmt.Sprintf("%s%d", q, n), 1, under(q), after(time.Duration(i)*time.Minute)))
			}
		}
		return all
	}
	world := []any{gpuNode("n", "A100", 100), gpuQuota("all", 12)}
	tests := map[string]struct {
		more []any
		want []string
	}{
		"quotas take turns": {
			more: []any{child("a", "all", 0), child("b", "all", 0), jobs("a", "b")},
			want: []string{"a0", "b0", "a1", "b1", "a2", "b2"},
		},
		"twice the weight is twice the share": {
			more: []any{child("a", "all", 0), child("b", "all", 0, weight(2)), jobs("a", "b")},
			want: []string{"a0", "b0", "b1", "a1", "b2", "a2"},
		},
		"who holds more comes later": {
			more: []any{child("a", "all", 0), child("b", "all", 0), holds("1", "a", 2), jobs("a", "b")},
			want: []string{"b0", "b1", "a0", "b2", "a1", "a2"},
		},
		"what is their own before what is borrowed": {
			more: []any{child("a", "all", 0), child("b", "all", 2), jobs("a", "b")},
			want: []string{"b0", "b1", "a0", "b2", "a1", "a2"},
		},
		"where nothing is lent, who holds less of a quota goes first": {
			more: []any{gpuQuota("all", 0), child("a", "all", 12, lending(0)), withUser(holds("1", "a", 6), "carol"), withUser(holds("2", "a", 1), "dave"),
				job("c", 1, under("a"), by("carol")), job("d", 1, under("a"), by("dave"), after(time.Minute))},
			want: []string{"d", "c"},
		},
		"who lends nothing does not borrow by that": {
			more: []any{gpuQuota("all", 0), child("left", "all", 0), child("a", "left", 8, lending(0)), child("right", "all", 8), holds("1", "right", 2),
				job("l", 2, under("a")), job("r", 2, under("right"), after(time.Minute))},
			want: []string{"l", "r"},
		},
		"priority before fairness": {
			more: []any{child("a", "all", 0), child("b", "all", 0), jobs("a"), job("urgent", 1, under("a"), priority(1), after(time.Hour)), jobs("b")},
			want: []string{"urgent", "b0", "a0", "b1", "a1", "b2", "a2"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := engineWith(append(world, tc.more...)...)
			if diff := cmp.Diff(tc.want, order(e)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Who held much until a moment ago comes after who held nothing, and less so with time.
func TestPastUseFades(t *testing.T) {
	root := gpuQuota("all", 12)
	root.HalfLife = time.Hour
	e := engineWith(gpuNode("n", "A100", 100), root, child("a", "all", 0), child("b", "all", 0), holds("1", "a", 8))
	e.Decide(start)
	e.Decide(start.Add(4 * time.Hour))
	e.RemoveRunning("1")
	tell(e, job("a0", 1, under("a")), job("b0", 1, under("b"), after(time.Minute)), job("b1", 1, under("b"), after(time.Minute)))
	if diff := cmp.Diff([]string{"b0", "b1", "a0"}, keysOf(e.Decide(start.Add(4*time.Hour+time.Minute)))); diff != "" {
		t.Errorf("soon after: %s", diff)
	}
	for _, key := range []string{"a0", "b0", "b1"} {
		e.RemoveRunning(key)
	}
	tell(e, job("a2", 1, under("a")), job("b2", 1, under("b"), after(time.Minute)), job("b3", 1, under("b"), after(time.Minute)))
	if diff := cmp.Diff([]string{"b2", "a2", "b3"}, keysOf(e.Decide(start.Add(24*time.Hour)))); diff != "" {
		t.Errorf("a day later: %s", diff)
	}
}

func keysOf(d Decisions) []string {
	var keys []string
	for _, s := range d.Starts {
		keys = append(keys, s.Key)
	}
	return keys
}

// Past use outlives a change of quotas, and the engine itself where somebody keeps it.
func TestPastUseIsKept(t *testing.T) {
	root := gpuQuota("all", 12)
	root.HalfLife = time.Hour
	world := []any{gpuNode("n", "A100", 100), root, child("a", "all", 0)}
	waiting := []any{job("carol", 1, under("a"), by("carol")), job("dave", 1, under("a"), by("dave"), after(time.Minute))}
	used := func() *Engine {
		e := engineWith(world...)
		running := holds("1", "a", 8)
		running.User = "carol"
		e.SetRunning(running)
		e.Decide(start)
		e.Decide(start.Add(4 * time.Hour))
		e.RemoveRunning("1")
		e.Decide(start.Add(4 * time.Hour))
		return e
	}
	for name, again := range map[string]func() *Engine{
		"it goes on": used,
		"a quota changes": func() *Engine {
			e := used()
			tell(e, child("b", "all", 0))
			e.Decide(start.Add(4 * time.Hour))
			return e
		},
		"another takes over": func() *Engine {
			before, e := used(), engineWith(world...)
			e.SetPast(before.Past(), start.Add(4*time.Hour))
			return e
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := again()
			tell(e, waiting...)
			if diff := cmp.Diff([]string{"dave", "carol"}, keysOf(e.Decide(start.Add(4*time.Hour+time.Minute)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is kept of the past is what another engine has of it.
func TestPastUseIsTheSame(t *testing.T) {
	root := gpuQuota("all", 12)
	root.HalfLife = time.Hour
	e := engineWith(gpuNode("n", "A100", 100), root, child("a", "all", 0), holds("1", "a", 8))
	e.Decide(start)
	e.Decide(start.Add(time.Hour))
	other := engineWith(root, child("a", "all", 0))
	other.SetPast(e.Past(), start.Add(time.Hour))
	if diff := cmp.Diff(e.Past(), other.Past()); diff != "" || len(e.Past()) != 3 {
		t.Errorf("%s: %+v", diff, e.Past())
	}
}
