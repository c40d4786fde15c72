package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
)

// fullest is the budget of a quota of which most is used, in a few words; empty where it has none.
func fullest(q *v1alpha1.Quota) string {
	if len(q.Spec.Budgets) == 0 {
		return ""
	}
	if len(q.Status.Budgets) == 0 {
		return "?"
	}
	most := slices.MaxFunc(q.Status.Budgets, func(a, b v1alpha1.BudgetStatus) int {
		switch x, y := accounting.Share(&a), accounting.Share(&b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return percent(&most) + " of " + most.Name
}

func percent(b *v1alpha1.BudgetStatus) string {
	return fmt.Sprintf("%d%%", int(accounting.Share(b)*100))
}

// printBudgets prints how the budgets of a quota stand, behind an empty line; nothing where it has none.
func (a *app) printBudgets(q *v1alpha1.Quota) error {
	if len(q.Spec.Budgets) == 0 {
		return nil
	}
	t := &table{columns: []column{{name: "Budget"}, {name: "Used"}, {name: "Of"}, {name: "Share"}, {name: "Forecast"}, {name: "Used up"}, {name: "Renewed"}, {name: "Then"}}}
	for i := range q.Spec.Budgets {
		budget := &q.Spec.Budgets[i]
		limit, unit := accounting.LimitOf(budget)
		of, then := string(limit)+" "+unit, string(budget.Action)
		status := accounting.StatusOf(q.Status.Budgets, budget.Name)
		if status == nil {
			t.add(budget.Name, "?", of, "", "", "", strings.ToLower("every "+string(budget.Period)), then)
			continue
		}
		t.add(budget.Name, amount(status.Used), of, percent(status), amount(status.Forecast), usedUp(status), clock(status.WindowEnd.Time), then)
	}
	fmt.Fprintln(a.out)
	if err := t.print(a.out, false, true); err != nil {
		return err
	}
	for i := range q.Status.Budgets {
		if b := &q.Status.Budgets[i]; len(b.Uncounted) > 0 {
			fmt.Fprintf(a.out, "Budget %s is in %s: what jobs cost in %s does not count.\n", b.Name, b.Unit, strings.Join(b.Uncounted, ", "))
		}
	}
	return nil
}

// amount is an amount without decimals that nobody reads.
func amount(a v1alpha1.BudgetAmount) string {
	whole, fraction, _ := strings.Cut(string(a), ".")
	return whole + "." + (fraction + "00")[:2]
}

// usedUp says since when a budget is used up, or when it will be.
func usedUp(b *v1alpha1.BudgetStatus) string {
	switch {
	case b.ExhaustedTime != nil:
		return "since " + clock(b.ExhaustedTime.Time)
	case b.ExpectedExhaustion != nil:
		return clock(b.ExpectedExhaustion.Time)
	}
	return ""
}

func clock(t time.Time) string { return t.Local().Format(time.DateTime) }

// describeBudgets says in lines how the budgets of a quota stand.
func describeBudgets(q *v1alpha1.Quota) []string {
	var lines []string
	for i := range q.Status.Budgets {
		b := &q.Status.Budgets[i]
		lines = append(lines, fmt.Sprintf("budget %s: %s of %s %s used, renewed %s", b.Name, amount(b.Used), b.Limit, b.Unit, clock(b.WindowEnd.Time)))
	}
	return lines
}
