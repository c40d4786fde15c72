package scheduler

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/scheduling"
)

// unknownAtMost is for how long jobs keep their places while it is not known how a budget stands: the controller of quotas looks at one
// quota after another, and at midnight many are renewed.
const unknownAtMost = time.Minute

// budget is one that may keep the jobs under a quota from running, as the status of the quota that has it tells.
type budget struct {
	quota  string
	spec   *platformv1.Budget
	status *platformv1.BudgetStatus
	// known reports that the status tells of this budget at all; it does so until it is renewed.
	known, exhausted bool
	renewed          time.Time
	// expected is when it is used up if nothing happens; nil where it is not.
	expected *metav1.Time
}

// budgetName names a budget of all quotas.
type budgetName struct{ quota, name string }

func (b *budget) key() budgetName { return budgetName{b.quota, b.spec.Name} }

// budgetsOf are those of a quota that have a consequence for jobs.
func budgetsOf(q *platformv1.Quota) []budget {
	var all []budget
	for i := range q.Spec.Budgets {
		spec := &q.Spec.Budgets[i]
		if spec.Action == platformv1.BudgetNotify {
			continue
		}
		b := budget{quota: q.Name, spec: spec, status: accounting.StatusOf(q.Status.Budgets, spec.Name)}
		if b.status != nil && accounting.Describes(b.status, spec) {
			b.known, b.exhausted, b.renewed = true, b.status.ExhaustedTime != nil, b.status.WindowEnd.Time
			b.expected = b.status.ExpectedExhaustion
		}
		all = append(all, b)
	}
	return all
}

// over reports whether it is used up; what is not known for now is not.
func (b *budget) over(now time.Time) bool { return b.known && b.exhausted && now.Before(b.renewed) }

// gatherBudgets finds for each quota the budgets that jobs under it are bound by: its own and those of the quotas above it.
func (w *world) gatherBudgets() {
	w.budgets = map[string][]budget{}
	for name := range w.quotas {
		var all []budget
		at := name
		for range maxDepth {
			q := w.quotas[at]
			if q == nil {
				break
			}
			all = append(all, budgetsOf(q)...)
			at = q.Spec.Parent
		}
		if len(all) > 0 {
			w.budgets[name] = all
		}
	}
}

// current reports whether it is known how the budget stands now.
func (b *budget) current(now time.Time) bool { return b.known && accounting.Current(b.status, now) }

// unknownSince is since when it is not known how budgets stand, of those of which it is not, by what it was before.
func (w *world) unknownSince(before map[budgetName]time.Time, now time.Time) map[budgetName]time.Time {
	since := map[budgetName]time.Time{}
	for _, all := range w.budgets {
		for i := range all {
			if b := &all[i]; !b.current(now) {
				at, was := before[b.key()]
				if !was {
					at = now
				}
				since[b.key()] = at
			}
		}
	}
	return since
}

// unpaid is what keeps jobs from starting that could.
type unpaid struct {
	// refusal is why they do not want to now; nil where they do.
	refusal *scheduling.Refusal
	// hold is for how long yet they keep their places and do not start; zero where they may.
	hold time.Duration
}

// unpaid is what budgets keep from jobs under the quota. One that is used up has them step back; one of which that is not known has them
// wait where they are, for a while.
func (w *world) unpaid(quota string, unknown map[budgetName]time.Time, now time.Time) (u unpaid) {
	for i := range w.budgets[quota] {
		b := &w.budgets[quota][i]
		why := accounting.Hinders(b.quota, b.spec, b.status, now)
		if why == "" {
			continue
		}
		if since, is := unknown[b.key()]; is {
			if left := since.Add(unknownAtMost).Sub(now); left > 0 {
				u.hold = sooner(u.hold, left)
				continue
			}
		}
		return unpaid{refusal: &scheduling.Refusal{Reason: platformv1.JobReasonBudgetExhausted, Message: why}}
	}
	return u
}

func (b *budget) words() string { return accounting.InWords(b.quota, b.spec) }

// overBudget ends running jobs whose budget is used up, where it says so.
func overBudget(w *world, job *platformv1.Job, now time.Time) *scheduling.Refusal {
	var ends *scheduling.Refusal
	all := w.budgets[job.Status.Reservation.Quota]
	for i := range all {
		b := &all[i]
		if !b.over(now) {
			continue
		}
		switch b.spec.Action {
		case platformv1.BudgetCancel:
			return &scheduling.Refusal{Reason: platformv1.JobReasonQuotaExhausted, Message: b.words() + " is used up"}
		case platformv1.BudgetSuspend:
			ends = &scheduling.Refusal{Reason: platformv1.JobReasonBudgetExhausted, Message: fmt.Sprintf(
				"%s is used up; the job goes on when it is renewed, %s", b.words(), accounting.Moment(b.renewed))}
		}
	}
	return ends
}

// renewal is how soon the next budget is renewed; zero where none is.
func (w *world) renewal(now time.Time) (soonest time.Duration) {
	for name := range w.budgets {
		for i := range w.budgets[name] {
			if b := &w.budgets[name][i]; b.known && b.renewed.After(now) {
				soonest = sooner(soonest, b.renewed.Sub(now))
			}
		}
	}
	return soonest
}

// budgetsChanged lets through the updates of quotas that tell something new of budgets which keep jobs from running.
func budgetsChanged(e event.UpdateEvent) bool {
	before, okBefore := e.ObjectOld.(*platformv1.Quota)
	after, okAfter := e.ObjectNew.(*platformv1.Quota)
	if !okBefore || !okAfter {
		return true
	}
	was, is := budgetsOf(before), budgetsOf(after)
	if len(was) != len(is) {
		return true
	}
	for i := range is {
		if was[i].known != is[i].known || was[i].exhausted != is[i].exhausted || !was[i].renewed.Equal(is[i].renewed) ||
			!was[i].expected.Equal(is[i].expected) {
			return true
		}
	}
	return false
}
