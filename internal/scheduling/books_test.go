package scheduling

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func gpusAmount(n int64) platformv1.ResourceAmounts {
	cpu, memory := resource.MustParse("1000"), resource.MustParse("1Ti")
	return platformv1.ResourceAmounts{CPU: &cpu, Memory: &memory, GPUs: new(int32(n))}
}

func apiQuota(name, parent string, own, used int64, change ...func(*platformv1.Quota)) platformv1.Quota {
	q := platformv1.Quota{Spec: platformv1.QuotaSpec{Parent: parent, Nominal: gpusAmount(own)}}
	q.Name = name
	q.Status.Used = &platformv1.ResourceAmounts{GPUs: new(int32(used)), RunningJobs: new(int32(1))}
	for _, c := range change {
		c(&q)
	}
	return q
}

func usedBy(user string, gpus int64) func(*platformv1.Quota) {
	return func(q *platformv1.Quota) {
		q.Status.Users = append(q.Status.Users, platformv1.UserUsage{Name: user, Used: platformv1.ResourceAmounts{GPUs: new(int32(gpus))}})
	}
}

func perUser(gpus int64) func(*platformv1.Quota) {
	return func(q *platformv1.Quota) { q.Spec.PerUser = &platformv1.ResourceAmounts{GPUs: new(int32(gpus))} }
}

// The numbers of GPUs are those of Kueue's example of borrowing: 9 and 12 in one cohort.
func TestBooks(t *testing.T) {
	root := func(used int64) platformv1.Quota { return apiQuota("all", "", 0, used) }
	lends := func(n int64) func(*platformv1.Quota) {
		return func(q *platformv1.Quota) { q.Spec.Lending = &platformv1.ResourceAmounts{GPUs: new(int32(n))} }
	}
	tests := map[string]struct {
		quotas []platformv1.Quota
		// want is what each quota has borrowed, lent and left.
		want map[string][3]int32
	}{
		"nothing is used": {
			quotas: []platformv1.Quota{root(0), apiQuota("a", "all", 9, 0), apiQuota("b", "all", 12, 0)},
			want:   map[string][3]int32{"a": {0, 0, 21}, "b": {0, 0, 21}},
		},
		"one has borrowed of the other": {
			quotas: []platformv1.Quota{root(14), apiQuota("a", "all", 9, 0), apiQuota("b", "all", 12, 14)},
			want:   map[string][3]int32{"a": {0, 2, 7}, "b": {2, 0, 7}},
		},
		"what is not lent stays": {
			quotas: []platformv1.Quota{root(17), apiQuota("a", "all", 9, 0, lends(5)), apiQuota("b", "all", 12, 17)},
			want:   map[string][3]int32{"a": {0, 5, 4}, "b": {5, 0, 0}},
		},
		"what those below hold counts once": {
			quotas: []platformv1.Quota{root(14), apiQuota("a", "all", 9, 0), apiQuota("b", "all", 12, 14), apiQuota("team", "b", 0, 14)},
			want:   map[string][3]int32{"a": {0, 2, 7}, "b": {2, 0, 7}, "team": {14, 0, 7}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			books := OpenBooks(tc.quotas)
			got := map[string][3]int32{}
			for quota := range tc.want {
				b := books.Balance(quota)
				got[quota] = [3]int32{*b.Borrowed.GPUs, *b.Lent.GPUs, *b.Left.GPUs}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is not limited is not told, however much of it is used.
func TestWhatIsNotLimitedIsNotLeft(t *testing.T) {
	b := OpenBooks([]platformv1.Quota{apiQuota("q", "", 9, 2)}).Balance("q")
	if b.Left.RunningJobs != nil || b.Borrowed.GPUs != nil || b.Lent.GPUs != nil {
		t.Errorf("a quota without a limit on jobs, and without a parent, stands so: %+v", b)
	}
}

func TestStartable(t *testing.T) {
	asks := func(gpus int64, models ...string) Request {
		return Request{Replica: Amounts{MilliCPU: 1000, Memory: gib, GPUs: gpus}, Replicas: 1, Models: models}
	}
	jobs := func(n int32) func(*platformv1.Quota) {
		return func(q *platformv1.Quota) { q.Spec.Nominal.RunningJobs = &n }
	}
	oneModel := func(q *platformv1.Quota) {
		q.Spec.Nominal.GPUs = nil
		q.Spec.Nominal.GPUModels = []platformv1.GPUModelAmount{{Model: "A100", Count: 4}}
	}
	tests := map[string]struct {
		quotas []platformv1.Quota
		asks   Request
		want   string
	}{
		"as many as are left":           {[]platformv1.Quota{apiQuota("q", "", 9, 2)}, asks(2), `3 by quota "q"`},
		"no more than may run":          {[]platformv1.Quota{apiQuota("q", "", 9, 2, jobs(3))}, asks(1), `2 by quota "q"`},
		"no more than the user's share": {[]platformv1.Quota{apiQuota("q", "", 9, 2, perUser(3), usedBy("ada", 2))}, asks(1), `1 by the share of user "ada" in quota "q"`},
		"what others of the users hold does not count": {
			[]platformv1.Quota{apiQuota("q", "", 9, 2, perUser(3), usedBy("bob", 2))}, asks(1), `3 by the share of user "ada" in quota "q"`,
		},
		"a user's share above counts as well": {
			[]platformv1.Quota{apiQuota("all", "", 0, 2, perUser(3), usedBy("ada", 2)), apiQuota("q", "all", 9, 2, usedBy("ada", 2))}, asks(1), `1 by the share of user "ada" in quota "all"`,
		},
		"what the parent has no more":       {[]platformv1.Quota{apiQuota("all", "", 0, 8), apiQuota("p", "all", 9, 8), apiQuota("q", "all", 0, 0)}, asks(1), `1 by quota "all"`},
		"the best of the models":            {[]platformv1.Quota{apiQuota("q", "", 0, 0, oneModel)}, asks(1, "H100", "A100"), `4 by quota "q"`},
		"none of a model that is not there": {[]platformv1.Quota{apiQuota("q", "", 0, 0, oneModel)}, asks(1, "H100"), `0 by quota "q"`},
		"none where there is no quota":      {nil, asks(1), `0 by quota "q" does not exist`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			n, bound := OpenBooks(tc.quotas).Startable("q", "ada", tc.asks)
			if got := fmt.Sprintf("%d by %s", n, bound); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// What the books say is left is what the engine would let start.
func TestWhatIsLeftIsWhatIsAvailable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		life(t, Options{Reservations: -1}, func(e *Engine, m *model, d Decisions, now time.Time) {
			m.check(t, d.Starts, now)
			for name, q := range e.queues {
				for of, d := range map[string]dimension{ofGPUs: dimGPUs, ofCPU: dimCPU, ofMemory: dimMemory} {
					if got, want := q.left(d), max(0, m.available(name, of)); got != want {
						t.Fatalf("%d of %s are left of %s, want %d", got, of, name, want)
					}
				}
			}
		})
	})
}
