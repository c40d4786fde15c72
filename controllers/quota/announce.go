package quota

import (
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
)

// usedUpPercent stands for a budget that is used up.
const usedUpPercent = 100

var (
	budgetUsedRatio = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "soma_budget_used_ratio", Help: "Part of a budget that is used in the present period; 1 is all of it.",
	}, []string{"quota", "budget"})
	budgetReachedPercent = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "soma_budget_reached_percent", Help: "Highest warning of a budget that was reached in the present period; 100 where it is used up, 0 where none was.",
	}, []string{"quota", "budget"})
)

func init() { metrics.Registry.MustRegister(budgetUsedRatio, budgetReachedPercent) }

// measure brings the figures of a quota's budgets up to date.
func measure(name string, before, after []v1alpha1.BudgetStatus) {
	for i := range before {
		if accounting.StatusOf(after, before[i].Name) == nil {
			budgetUsedRatio.DeleteLabelValues(name, before[i].Name)
			budgetReachedPercent.DeleteLabelValues(name, before[i].Name)
		}
	}
	for i := range after {
		b := &after[i]
		budgetUsedRatio.WithLabelValues(name, b.Name).Set(accounting.Share(b))
		budgetReachedPercent.WithLabelValues(name, b.Name).Set(float64(reached(b)))
	}
}

// unmeasure drops the figures of a quota that is gone.
func unmeasure(name string) {
	budgetUsedRatio.DeletePartialMatch(prometheus.Labels{"quota": name})
	budgetReachedPercent.DeletePartialMatch(prometheus.Labels{"quota": name})
}

func reached(b *v1alpha1.BudgetStatus) int32 {
	if b.ExhaustedTime != nil {
		return usedUpPercent
	}
	return b.Warned
}

// announce makes an event of each warning that was reached, and of each budget that was used up, since before.
func (r *Reconciler) announce(before, after *v1alpha1.Quota) {
	for i := range after.Spec.Budgets {
		budget := &after.Spec.Budgets[i]
		now := accounting.StatusOf(after.Status.Budgets, budget.Name)
		if now == nil {
			continue
		}
		was := int32(0)
		if old := accounting.StatusOf(before.Status.Budgets, budget.Name); old != nil && old.WindowStart.Equal(&now.WindowStart) {
			was = reached(old)
		}
		switch {
		case reached(now) <= was:
		case now.ExhaustedTime != nil:
			r.events.Eventf(after, nil, corev1.EventTypeWarning, v1alpha1.ConditionBudgetExhausted, "Budget", "%s", usedUp(budget, now))
		default:
			r.events.Eventf(after, nil, corev1.EventTypeWarning, v1alpha1.ConditionBudgetWarning, "Budget", "%s", warning(now))
		}
	}
}
