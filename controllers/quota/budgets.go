package quota

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/platform/conditions"
)

// burn is what jobs used, and use, under a quota and those below it.
type burn struct {
	// days are what was settled, or stands in the status of jobs by day.
	days []v1alpha1.DayUsage
	// stretches are what attempts used of jobs that are not settled.
	stretches []accounting.Stretch
	runners   []accounting.Runner
}

// burnOf sums nothing up yet: it finds what counts, each once. What is settled counts by the quota's own status, everything else
// by that of the job.
func burnOf(quota *v1alpha1.Quota, below []*v1alpha1.Quota, jobs []*v1alpha1.Job, now time.Time) burn {
	var b burn
	settled, takenOver := map[string]map[types.UID]bool{}, map[types.UID]bool{}
	tree := append([]*v1alpha1.Quota{quota}, below...)
	for _, q := range tree {
		settled[q.Name] = map[types.UID]bool{}
		for _, uid := range q.Status.Settling {
			settled[q.Name][uid], takenOver[uid] = true, true
		}
	}
	for _, q := range tree {
		if !takenOver[q.UID] {
			b.days = append(b.days, q.Status.Usage...)
		}
	}
	for _, job := range jobs {
		counts := func(name string) bool {
			of, within := settled[name]
			return within && !of[job.UID]
		}
		for _, s := range accounting.Stretches(job, now) {
			if counts(s.Quota) {
				b.stretches = append(b.stretches, s)
			}
		}
		for j := range job.Status.Earlier {
			if e := &job.Status.Earlier[j]; counts(e.Quota) {
				b.days = append(b.days, e.DayUsage)
			}
		}
		if runner := accounting.RunnerOf(job); runner != nil && counts(job.Status.Reservation.Quota) {
			b.runners = append(b.runners, *runner)
		}
	}
	return b
}

// within is what was used from one midnight to another.
func (b *burn) within(from, to time.Time) accounting.Usage {
	used := accounting.Between(b.days, from, to)
	for i := range b.stretches {
		used.Add(b.stretches[i].Within(from, to))
	}
	return used
}

// assess writes into the status how the budgets stand. Next is when one stands differently if nothing happens; zero where there
// are none.
func assess(quota *v1alpha1.Quota, below []*v1alpha1.Quota, jobs []*v1alpha1.Job, now time.Time) (next time.Time) {
	before := quota.Status.Budgets
	quota.Status.Budgets = nil
	if len(quota.Spec.Budgets) == 0 {
		conditions.Delete(&quota.Status.Conditions, v1alpha1.ConditionBudgetWarning)
		conditions.Delete(&quota.Status.Conditions, v1alpha1.ConditionBudgetExhausted)
		return time.Time{}
	}
	b := burnOf(quota, below, jobs, now)
	used := map[v1alpha1.BudgetPeriod]accounting.Usage{}
	for i := range quota.Spec.Budgets {
		budget := &quota.Spec.Budgets[i]
		if _, known := used[budget.Period]; !known {
			used[budget.Period] = b.within(accounting.Window(budget.Period, now))
		}
		status, changes := accounting.Assess(budget, accounting.StatusOf(before, budget.Name), used[budget.Period], b.runners, now)
		quota.Status.Budgets = append(quota.Status.Budgets, status)
		if next.IsZero() || changes.Before(next) {
			next = changes
		}
	}
	tell(quota, now)
	return next
}

// tell sets the conditions that tell of budgets. They name no figure that changes all the time.
func tell(quota *v1alpha1.Quota, now time.Time) {
	var warned, exhausted []string
	for i := range quota.Spec.Budgets {
		budget := &quota.Spec.Budgets[i]
		switch status := accounting.StatusOf(quota.Status.Budgets, budget.Name); {
		case status.ExhaustedTime != nil:
			exhausted = append(exhausted, usedUp(budget, status))
		case status.Warned > 0:
			warned = append(warned, warning(status))
		}
	}
	set := func(kind, reason string, which []string, fine string) {
		c := metav1.Condition{
			Type: kind, Status: metav1.ConditionFalse, ObservedGeneration: quota.Generation, Reason: v1alpha1.ReasonWithinBudgets, Message: fine,
		}
		if len(which) > 0 {
			c.Status, c.Reason, c.Message = metav1.ConditionTrue, reason, strings.Join(which, " ")
		}
		conditions.Set(&quota.Status.Conditions, now, c)
	}
	set(v1alpha1.ConditionBudgetWarning, v1alpha1.ReasonThresholdReached, warned, "No budget warns.")
	set(v1alpha1.ConditionBudgetExhausted, v1alpha1.ReasonUsedUp, exhausted, "No budget is used up.")
}

// consequences say what follows from each action.
var consequences = map[v1alpha1.BudgetAction]string{
	v1alpha1.BudgetNotify:       "Jobs go on and start as before",
	v1alpha1.BudgetStartNothing: "What runs goes on, nothing new is started",
	v1alpha1.BudgetSuspend:      "What runs is ended and waits with the others",
	v1alpha1.BudgetCancel:       "What runs is cancelled, what waits goes on waiting",
}

func usedUp(budget *v1alpha1.Budget, status *v1alpha1.BudgetStatus) string {
	return fmt.Sprintf("Budget %q of %s %s is used up. %s until it is renewed, %s, or raised.",
		status.Name, status.Limit, status.Unit, consequences[budget.Action], accounting.Moment(status.WindowEnd.Time))
}

func warning(status *v1alpha1.BudgetStatus) string {
	return fmt.Sprintf("%d%% of budget %q of %s %s are used; it is renewed %s.",
		status.Warned, status.Name, status.Limit, status.Unit, accounting.Moment(status.WindowEnd.Time))
}

// withOldFigures is the status with what is used and will be as it was told before, where that is of the same budget and period: figures
// change all the time. When it will be used up changes only with what runs, and nobody counts on the status from then on.
func withOldFigures(status, before *v1alpha1.QuotaStatus) *v1alpha1.QuotaStatus {
	quiet := status.DeepCopy()
	for i := range quiet.Budgets {
		b := &quiet.Budgets[i]
		old := accounting.StatusOf(before.Budgets, b.Name)
		if old == nil || old.Period != b.Period || old.Limit != b.Limit || old.Unit != b.Unit || !old.WindowStart.Equal(&b.WindowStart) {
			continue
		}
		b.Used, b.Forecast = old.Used, old.Forecast
	}
	return quiet
}
