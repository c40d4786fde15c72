package promises

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
)

// hindsight is how long the scheduler may need to see that a budget is used up.
const hindsight = 5 * time.Second

// budgets reports where a reservation was just made though a budget of its quota, or of one above it, was used up, or by all that was known
// had to be.
func (w *world) budgets(e Event, quota *v1alpha1.Quota) {
	made := e.Job.Status.Reservation.Time.Time
	for depth := 0; quota != nil && depth <= len(w.quotas); depth++ {
		for i := range quota.Spec.Budgets {
			budget := &quota.Spec.Budgets[i]
			if budget.Action == v1alpha1.BudgetNotify {
				continue
			}
			for j := range quota.Status.Budgets {
				status := &quota.Status.Budgets[j]
				if status.Name != budget.Name || quota.Status.ObservedGeneration != quota.Generation || !made.Before(status.WindowEnd.Time) {
					continue // one that was just raised may pay again
				}
				since := func(at *metav1.Time) bool { return at != nil && made.After(at.Add(hindsight)) }
				if since(status.ExhaustedTime) {
					w.report(e, "job %s reserved at %s though budget %s of quota %s was used up since %s",
						e.Job.Name, made, budget.Name, quota.Name, status.ExhaustedTime)
				}
				if since(status.ExpectedExhaustion) {
					w.report(e, "job %s reserved at %s though budget %s of quota %s should have been used up at %s, and nobody had looked",
						e.Job.Name, made, budget.Name, quota.Name, status.ExpectedExhaustion)
				}
			}
		}
		quota = w.quotas[quota.Spec.Parent]
	}
}

// account is what a quota settled: whom, and how much they used.
type account struct {
	taken map[types.UID]bool
	sum   accounting.Usage
	// gone reports that the quota does not exist any more.
	gone bool
}

func (w *world) account(quota *v1alpha1.Quota) *account {
	if w.accounts[quota.UID] == nil {
		w.accounts[quota.UID] = &account{taken: map[types.UID]bool{}}
	}
	return w.accounts[quota.UID]
}

func (w *world) quota(e Event) {
	if e.Deleted {
		w.account(e.Quota).gone = true
		for _, job := range w.jobs {
			if held := job.Status.Reservation; held != nil && held.Quota == e.Quota.Name {
				w.report(e, "quota %s was removed while job %s holds something under it", e.Quota.Name, job.Name)
			}
		}
	} else {
		w.settled(e)
	}
	w.quotas[e.Quota.Name] = e.Quota
}

// settled reports where the usage of a quota is not what those used that it settled, each once, and where one is forgotten that is
// still there.
func (w *world) settled(e Event) {
	quota, a := e.Quota, w.account(e.Quota)
	var before []types.UID
	if known := w.quotas[quota.Name]; known != nil && known.UID == quota.UID {
		before = known.Status.Settling
	}
	for _, uid := range quota.Status.Settling {
		if slices.Contains(before, uid) {
			continue
		}
		if a.taken[uid] {
			w.report(e, "quota %s settled %s twice", quota.Name, uid)
		}
		a.taken[uid] = true
		days, there := w.used(uid, quota.Name)
		if !there {
			w.report(e, "quota %s settled %s, which does not exist", quota.Name, uid)
		}
		for i := range days {
			a.sum.Add(accounting.UsageOf(&days[i]))
		}
	}
	for _, uid := range before {
		if _, there := w.used(uid, quota.Name); there && !slices.Contains(quota.Status.Settling, uid) {
			w.report(e, "quota %s took %s for gone, which is there", quota.Name, uid)
		}
	}
	var sum accounting.Usage
	for i := range quota.Status.Usage {
		sum.Add(accounting.UsageOf(&quota.Status.Usage[i]))
	}
	for _, currency := range slices.Concat(slices.Collect(maps.Keys(sum.PriceSeconds)), slices.Collect(maps.Keys(a.sum.PriceSeconds))) {
		if x, y := sum.PriceSeconds[currency], a.sum.PriceSeconds[currency]; x == nil || y == nil || x.Cmp(y) != 0 {
			w.report(e, "quota %s has settled %s millionths of %s, and those that it settled used %s", quota.Name, x, currency, y)
		}
	}
	if sum.GPUSeconds != a.sum.GPUSeconds {
		w.report(e, "quota %s has settled %d GPU-seconds, and those that it settled used %d", quota.Name, sum.GPUSeconds, a.sum.GPUSeconds)
	}
}

// used is what a job that exists used under a quota, or a quota that exists has settled itself.
func (w *world) used(uid types.UID, quota string) (days []v1alpha1.DayUsage, there bool) {
	if job := w.jobs[uid]; job != nil {
		return accounting.DaysOf(job, quota, time.Now()), true
	}
	for _, q := range w.quotas {
		if q.UID == uid && !w.account(q).gone {
			return q.Status.Usage, true
		}
	}
	return nil, false
}

// unsettled reports that a job is removed before a quota has settled what it used.
func (w *world) unsettled(e Event) {
	for _, name := range accounting.Quotas(e.Job) {
		if quota := w.quotas[name]; quota != nil && quota.Settles() && !w.account(quota).taken[e.Job.UID] {
			w.report(e, "job %s was removed before quota %s settled what it used", e.Job.Name, name)
		}
	}
}
