package scheduling

import (
	"fmt"
	"slices"
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

// pooled are quotas with what their statuses say of those below them, as their controller derives it from the jobs: what a quota's
// own jobs hold is what is used of it and not of those below.
func pooled(quotas ...platformv1.Quota) []platformv1.Quota {
	held, below := map[string]*platformv1.ResourceAmounts{}, map[string][]*platformv1.Quota{}
	for i := range quotas {
		held[quotas[i].Name] = quotas[i].Status.Used.DeepCopy()
	}
	for i := range quotas {
		q := &quotas[i]
		if own := held[q.Spec.Parent]; own != nil {
			*own.GPUs -= *q.Status.Used.GPUs
		}
		for at := q.Spec.Parent; at != ""; {
			below[at] = append(below[at], q)
			n := slices.IndexFunc(quotas, func(q platformv1.Quota) bool { return q.Name == at })
			if n < 0 {
				break
			}
			at = quotas[n].Spec.Parent
		}
	}
	for i := range quotas {
		if under := below[quotas[i].Name]; len(under) > 0 {
			quotas[i].Status.Pool = PoolOf(&quotas[i], under, held)
		}
	}
	return quotas
}

// The numbers of GPUs are those of Kueue's example of borrowing: 9 and 12 in one cohort.
func TestBooks(t *testing.T) {
	root := func(used int64) platformv1.Quota { return apiQuota("all", "", 0, used) }
	lends := func(n int64) func(*platformv1.Quota) {
		return func(q *platformv1.Quota) { q.Spec.Lending = &platformv1.ResourceAmounts{GPUs: new(int32(n))} }
	}
	borrows := func(n int64) func(*platformv1.Quota) {
		return func(q *platformv1.Quota) { q.Spec.Borrowing = &platformv1.ResourceAmounts{GPUs: new(int32(n))} }
	}
	tests := map[string]struct {
		quotas []platformv1.Quota
		// want is what each quota has borrowed, lent and left, and may use at most.
		want map[string][4]int32
	}{
		"nothing is used": {
			quotas: []platformv1.Quota{root(0), apiQuota("a", "all", 9, 0), apiQuota("b", "all", 12, 0)},
			want:   map[string][4]int32{"a": {0, 0, 21, 21}, "b": {0, 0, 21, 21}},
		},
		"one has borrowed of the other": {
			quotas: []platformv1.Quota{root(14), apiQuota("a", "all", 9, 0), apiQuota("b", "all", 12, 14)},
			want:   map[string][4]int32{"a": {0, 2, 7, 21}, "b": {2, 0, 7, 21}},
		},
		"what is not lent stays": {
			quotas: []platformv1.Quota{root(17), apiQuota("a", "all", 9, 0, lends(5)), apiQuota("b", "all", 12, 17)},
			want:   map[string][4]int32{"a": {0, 5, 4, 21}, "b": {5, 0, 0, 17}},
		},
		"no more is borrowed than may be": {
			quotas: []platformv1.Quota{root(10), apiQuota("a", "all", 9, 0), apiQuota("b", "all", 8, 10, borrows(4))},
			want:   map[string][4]int32{"a": {0, 2, 7, 17}, "b": {2, 0, 2, 12}},
		},
		"what is not lent is the parent's as well": {
			quotas: []platformv1.Quota{apiQuota("all", "", 3, 7), apiQuota("a", "all", 9, 5, lends(5)), apiQuota("b", "all", 12, 2, lends(0))},
			want:   map[string][4]int32{"a": {0, 0, 7, 12}, "b": {0, 0, 17, 20}, "all": {0, 0, 7, 24}},
		},
		"what those below hold counts once": {
			quotas: []platformv1.Quota{root(14), apiQuota("a", "all", 9, 0), apiQuota("b", "all", 12, 14), apiQuota("team", "b", 0, 14)},
			want:   map[string][4]int32{"a": {0, 2, 7, 21}, "b": {2, 0, 7, 21}, "team": {14, 0, 7, 21}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			quotas := pooled(tc.quotas...)
			books := OpenBooks(quotas, true)
			got := map[string][4]int32{}
			for quota := range tc.want {
				b := books.Balance(quota)
				if diff := cmp.Diff(b, OpenBooks(chainOf(quota, quotas), false).Balance(quota)); diff != "" {
					t.Errorf("%s: those above it alone tell something else: %s", quota, diff)
				}
				if quota == "all" { // who has no parent neither borrows nor lends
					b.Borrowed.GPUs, b.Lent.GPUs = new(int32(0)), new(int32(0))
				}
				got[quota] = [4]int32{*b.Borrowed.GPUs, *b.Lent.GPUs, *b.Left.GPUs, *b.Most.GPUs}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// chainOf are a quota and those above it.
func chainOf(name string, quotas []platformv1.Quota) []platformv1.Quota {
	for i := range quotas {
		if quotas[i].Name == name {
			return append(chainOf(quotas[i].Spec.Parent, quotas), quotas[i])
		}
	}
	return nil
}

// What is not limited is not told, however much of it is used.
func TestWhatIsNotLimitedIsNotLeft(t *testing.T) {
	b := OpenBooks([]platformv1.Quota{apiQuota("q", "", 9, 2)}, true).Balance("q")
	if b.Left.RunningJobs != nil || b.Borrowed.GPUs != nil || b.Lent.GPUs != nil {
		t.Errorf("a quota without a limit on jobs, and without a parent, stands so: %+v", b)
	}
}

// A quota above that may not be seen bounds nothing that is known, and is named.
func TestHiddenParent(t *testing.T) {
	quotas := pooled(apiQuota("all", "", 3, 5), apiQuota("lab", "all", 9, 5), apiQuota("team", "lab", 2, 4))
	quotas[2].Spec.Borrowing = &platformv1.ResourceAmounts{GPUs: new(int32(6))}
	books := OpenBooks(quotas[1:], false)
	for name, want := range map[string]string{"lab": "none left of all", "team": "4 left of all"} {
		b := books.Balance(name)
		left := "none"
		if b.Left.GPUs != nil {
			left = fmt.Sprint(*b.Left.GPUs)
		}
		if got := left + " left of " + b.Hidden; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	got := books.Startable("team", "ada", Request{Replica: Amounts{MilliCPU: 1000, GPUs: 2}, Replicas: 1}, nil)
	if want := (Startable{2, `quota "team"`, `what is left of quota "all"`}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, name := range []string{"all", "other"} {
		got := books.Startable(name, "ada", Request{Replicas: 1}, nil)
		if want := fmt.Sprintf("quota %q does not exist, or you may not see it", name); got.Jobs != 0 || got.Bound != want {
			t.Errorf("of what is not seen %d may start by %s", got.Jobs, got.Bound)
		}
	}
}

func TestStartable(t *testing.T) {
	asks := func(gpus int64, models ...string) Request {
		return Request{Replica: Amounts{MilliCPU: 1000, Memory: gib, GPUs: gpus}, Replicas: 1, Models: models}
	}
	jobs := func(n int32) func(*platformv1.Quota) {
		return func(q *platformv1.Quota) { q.Spec.Nominal.RunningJobs = &n }
	}
	models := func(counts ...platformv1.GPUModelAmount) func(*platformv1.Quota) {
		return func(q *platformv1.Quota) { q.Spec.Nominal.GPUs, q.Spec.Nominal.GPUModels = nil, counts }
	}
	a100, h100 := platformv1.GPUModelAmount{Model: "A100", Count: 4}, platformv1.GPUModelAmount{Model: "H100", Count: 4}
	// Of as many users as a status names, each holds a GPU.
	others := func(q *platformv1.Quota) {
		for i := range platformv1.QuotaUsers {
			usedBy(fmt.Sprintf("user-%d", i), 1)(q)
		}
	}
	one := func(q platformv1.Quota) []platformv1.Quota { return []platformv1.Quota{q} }
	tests := map[string]struct {
		quotas []platformv1.Quota
		asks   Request
		nodes  map[string]int64
		want   Startable
	}{
		"as many as are left":           {one(apiQuota("q", "", 9, 2)), asks(2), nil, Startable{3, `quota "q"`, ""}},
		"no more than may run":          {one(apiQuota("q", "", 9, 2, jobs(3))), asks(1), nil, Startable{2, `quota "q"`, ""}},
		"no more than the user's share": {one(apiQuota("q", "", 9, 2, perUser(3), usedBy("ada", 2))), asks(1), nil, Startable{1, `the share of user "ada" in quota "q"`, ""}},
		"what others of the users hold does not count": {
			one(apiQuota("q", "", 9, 2, perUser(3), usedBy("bob", 2))), asks(1), nil, Startable{3, `the share of user "ada" in quota "q"`, ""},
		},
		"a user's share above counts as well": {
			[]platformv1.Quota{apiQuota("all", "", 0, 2, perUser(3), usedBy("ada", 2)), apiQuota("q", "all", 9, 2, usedBy("ada", 2))}, asks(1), nil,
			Startable{1, `the share of user "ada" in quota "all"`, ""},
		},
		"what of a user's share is used is not told": {
			one(apiQuota("q", "", 99, 26, perUser(3), others)), asks(1), nil, Startable{3, `the share of user "ada" in quota "q"`, `what user "ada" holds in quota "q"`},
		},
		"users that are not named hold nothing":     {one(apiQuota("q", "", 99, 24, perUser(3), others)), asks(1), nil, Startable{3, `the share of user "ada" in quota "q"`, ""}},
		"what is used of a share does not matter":   {one(apiQuota("q", "", 27, 26, perUser(3), others)), asks(1), nil, Startable{1, `quota "q"`, ""}},
		"a user who is named is known":              {one(apiQuota("q", "", 99, 27, perUser(3), usedBy("ada", 2), others)), asks(1), nil, Startable{1, `the share of user "ada" in quota "q"`, ""}},
		"nodes have no room for what is not known":  {one(apiQuota("q", "", 99, 26, perUser(3), others)), asks(1, "A100"), map[string]int64{"A100": 1}, Startable{1, `quota "q"`, ""}},
		"what the parent has no more":               {[]platformv1.Quota{apiQuota("all", "", 0, 8), apiQuota("p", "all", 9, 8), apiQuota("q", "all", 0, 0)}, asks(1), nil, Startable{1, `quota "all"`, ""}},
		"all of the models":                         {one(apiQuota("q", "", 0, 0, models(a100, h100))), asks(1, "H100", "A100"), nil, Startable{8, `quota "q"`, ""}},
		"those of the models that are there":        {one(apiQuota("q", "", 0, 0, models(a100))), asks(1, "H100", "A100"), nil, Startable{4, `quota "q"`, ""}},
		"none of a model that is not there":         {one(apiQuota("q", "", 0, 0, models(a100))), asks(1, "H100"), nil, Startable{0, `quota "q"`, ""}},
		"no more of a model than there are":         {one(apiQuota("q", "", 0, 0, models(a100, h100))), asks(1, "H100", "A100"), map[string]int64{"A100": 3, "H100": 8}, Startable{7, `quota "q"`, ""}},
		"none where others are free":                {one(apiQuota("q", "", 0, 0, models(h100))), asks(1, "H100", "A100"), map[string]int64{"A100": 8}, Startable{0, `quota "q"`, ""}},
		"no more than GPUs of all models together":  {one(apiQuota("q", "", 5, 0)), asks(1, "H100", "A100"), map[string]int64{"A100": 4, "H100": 4}, Startable{5, `quota "q"`, ""}},
		"each model in as many as its GPUs make up": {one(apiQuota("q", "", 0, 0, models(a100, h100))), asks(3, "H100", "A100"), nil, Startable{2, `quota "q"`, ""}},
		"none where there is no quota":              {nil, asks(1), nil, Startable{0, `quota "q" does not exist`, ""}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := OpenBooks(pooled(tc.quotas...), true).Startable("q", "ada", tc.asks, tc.nodes); got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}

// What a quota's children lend of a model that it does not name is its own, and what they keep is not.
func TestPoolOfModels(t *testing.T) {
	named := func(n int32) []platformv1.GPUModelAmount {
		return []platformv1.GPUModelAmount{{Model: "A100", Count: n}}
	}
	quotas := []platformv1.Quota{apiQuota("all", "", 0, 3), apiQuota("lab", "all", 2, 3), apiQuota("team", "lab", 6, 3)}
	quotas[2].Spec.Nominal.GPUModels, quotas[2].Spec.Lending = named(5), &platformv1.ResourceAmounts{GPUs: new(int32(4)), GPUModels: named(1)}
	quotas[2].Status.Used.GPUModels = named(3)
	below := []*platformv1.Quota{&quotas[2]}
	got := PoolOf(&quotas[1], below, map[string]*platformv1.ResourceAmounts{"team": quotas[2].Status.Used})
	for what, told := range map[string]struct {
		amounts platformv1.ResourceAmounts
		want    string
	}{"total": {got.Total, "8 [{A100 5}]"}, "kept": {got.Kept, "2 [{A100 4}]"}, "used": {got.Used, "1 []"}} {
		if text := fmt.Sprint(*told.amounts.GPUs, told.amounts.GPUModels); text != told.want {
			t.Errorf("%s: %s, want %s", what, text, told.want)
		}
	}
	quotas[1].Status.Pool = got
	quotas[0].Status.Pool = PoolOf(&quotas[0], append(below, &quotas[1]), map[string]*platformv1.ResourceAmounts{"team": quotas[2].Status.Used})
	left := OpenBooks(quotas[:2], true).Startable("lab", "ada", Request{Replica: Amounts{GPUs: 1}, Replicas: 1, Models: []string{"A100"}}, nil)
	if left.Jobs != 5 { // of its GPUs; those of the model are its parent's to grant
		t.Errorf("%d may start", left.Jobs)
	}
	circle := []platformv1.Quota{apiQuota("a", "b", 1, 0), apiQuota("b", "a", 1, 0)}
	if got := PoolOf(&circle[0], []*platformv1.Quota{&circle[1]}, nil); got != nil {
		t.Errorf("in a circle there is %+v", got)
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
			quotas := pooled(m.api()...)
			for i := range quotas {
				name := quotas[i].Name
				got, want := int64(*OpenBooks(chainOf(name, quotas), false).Balance(name).Left.GPUs), e.queues[name].left(dimGPUs)
				if got != want && (got < countless/2 || want < countless/2) {
					t.Fatalf("by the statuses of %s and those above it, %d GPUs are left of it, want %d", name, got, want)
				}
			}
		})
	})
}

// countless stands in the API for GPUs without bound.
const countless = 1 << 30

// api are the quotas as the API has them, with what is used of their GPUs.
func (m *model) api() []platformv1.Quota {
	amount := func(n *int64) *platformv1.ResourceAmounts {
		if n == nil {
			return nil
		}
		return &platformv1.ResourceAmounts{GPUs: new(int32(*n))}
	}
	var quotas []platformv1.Quota
	for _, name := range sortedKeys(m.quotas) {
		q := m.quotas[name]
		used := int64(0)
		for _, r := range m.running {
			for at := r.Quota; at != ""; at = m.quotas[at].Parent {
				if at == name {
					used += countedOf(r, ofGPUs)
				}
			}
		}
		quotas = append(quotas, apiQuota(name, q.Parent, min(m.own(name, ofGPUs), countless), used, func(api *platformv1.Quota) {
			api.Spec.Borrowing, api.Spec.Lending = amount(q.Borrowing.GPUs), amount(q.Lending.GPUs)
		}))
	}
	return quotas
}
