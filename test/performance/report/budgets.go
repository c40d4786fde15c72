package report

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"sigs.k8s.io/yaml"
)

// Budget bounds a figure of Soma, or its ratio to the same figure of another column.
type Budget struct {
	Name string `json:"name"`
	// RatioTo names the other column.
	RatioTo string   `json:"ratioTo,omitempty"`
	Max     *float64 `json:"max,omitempty"`
	Min     *float64 `json:"min,omitempty"`
}

// ReadBudgets reads a file of budgets before anything is measured: a mistake in it must not cost a run. There are none where no
// file is named.
func ReadBudgets(path string, columns []Column) ([]Budget, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the person who runs the bench names the file
	if err != nil {
		return nil, fmt.Errorf("read the budgets: %w", err)
	}
	var budgets []Budget
	if err := yaml.UnmarshalStrict(text, &budgets); err != nil {
		return nil, fmt.Errorf("read the budgets in %s: %w", path, err)
	}
	for _, b := range budgets {
		known := slices.ContainsFunc(columns, func(c Column) bool { return c.Name == b.RatioTo })
		switch {
		case b.Name == "":
			return nil, fmt.Errorf("a budget in %s has no name", path)
		case (b.Max == nil) == (b.Min == nil):
			return nil, fmt.Errorf("the budget %q in %s has either a max or a min", b.Name, path)
		case b.RatioTo != "" && !known:
			return nil, fmt.Errorf("the budget %q in %s is a ratio to %q, which is not measured", b.Name, path, b.RatioTo)
		}
	}
	return budgets, nil
}

// Check holds the figures against the budgets.
func (r *Result) Check(budgets []Budget) error {
	var problems []error
	for _, b := range budgets {
		value, measured := b.value(r.Figures)
		switch {
		case !measured:
			problems = append(problems, fmt.Errorf("%q has a budget and was not measured", b.Name))
		case !b.met(value):
			problems = append(problems, fmt.Errorf("%q is %s; the aim is %s", b.Name, Number(value), b.aim(r.Columns, "")))
		}
	}
	return errors.Join(problems...)
}

// value is what the budget bounds.
func (b *Budget) value(figures []Figure) (value float64, measured bool) {
	own := find(figures, b.Name, Soma)
	if own == nil || b.RatioTo == "" {
		return own.or(0), own != nil
	}
	other := find(figures, b.Name, b.RatioTo)
	if other.or(0) == 0 {
		return 0, false
	}
	return own.Value / other.Value, true
}

func (b *Budget) met(value float64) bool {
	return (b.Max == nil || value <= *b.Max) && (b.Min == nil || value >= *b.Min)
}

// aim is the budget as a person says it.
func (b *Budget) aim(columns []Column, unit string) string {
	words, bound := "at least ", b.Min
	if b.Max != nil {
		words, bound = "at most ", b.Max
	}
	if b.RatioTo != "" {
		return words + Number(*bound) + " of the " + title(columns, b.RatioTo)
	}
	return words + format(*bound, unit)
}
