package promises

import (
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// hindsight is how long the scheduler may need to see that a budget is used up.
const hindsight = 5 * time.Second

// budgets reports where a reservation was just made though a budget of its quota, or of one above it, was used up.
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
				if status.Name != budget.Name || status.ExhaustedTime == nil || quota.Status.ObservedGeneration != quota.Generation {
					continue // one that was just raised may pay again
				}
				if made.After(status.ExhaustedTime.Add(hindsight)) && made.Before(status.WindowEnd.Time) {
					w.report(e, "job %s reserved at %s though budget %s of quota %s was used up since %s",
						e.Job.Name, made, budget.Name, quota.Name, status.ExhaustedTime)
				}
			}
		}
		quota = w.quotas[quota.Spec.Parent]
	}
}
