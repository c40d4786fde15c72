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

// budgetRows is a table of budgets, and what is to be said of them.
type budgetRows struct {
	table
	quotas bool
	notes  []string
}

// budgetTable is a table of the budgets of one quota, or of several, whose names it tells then.
func budgetTable(quotas bool) *budgetRows {
	t := &budgetRows{quotas: quotas}
	t.columns = []column{{name: "Budget"}, {name: "Used"}, {name: "Of"}, {name: "Share"}, {name: "Forecast"}, {name: "Used up"}, {name: "Renewed"}, {name: "Then"}}
	if quotas {
		t.columns = append([]column{{name: "Quota"}}, t.columns...)
	}
	return t
}

// addBudgets adds how the budgets of a quota stand.
func (t *budgetRows) addBudgets(q *v1alpha1.Quota) {
	for i := range q.Spec.Budgets {
		budget := &q.Spec.Budgets[i]
		limit, unit := accounting.LimitOf(budget)
		of, then := string(limit)+" "+unit, string(budget.Action)
		cells := []any{budget.Name, "?", of, "", "", "", strings.ToLower("every " + string(budget.Period)), then}
		if status := accounting.StatusOf(q.Status.Budgets, budget.Name); status != nil {
			cells = []any{budget.Name, amount(status.Used), of, percent(status), amount(status.Forecast), usedUp(status), clock(status.WindowEnd.Time), then}
		}
		if t.quotas {
			cells = append([]any{q.Name}, cells...)
		}
		t.add(cells...)
	}
	for i := range q.Status.Budgets {
		if b := &q.Status.Budgets[i]; len(b.Uncounted) > 0 {
			t.notes = append(t.notes, fmt.Sprintf("Budget %s is in %s: what jobs cost in %s does not count.", b.Name, b.Unit, strings.Join(b.Uncounted, ", ")))
		}
	}
}

// printBudgetTable prints the budgets behind an empty line; nothing where there are none.
func (a *app) printBudgetTable(t *budgetRows) error {
	if len(t.rows) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	if err := t.print(a.out, false, true); err != nil {
		return err
	}
	for _, note := range t.notes {
		fmt.Fprintln(a.out, note)
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
