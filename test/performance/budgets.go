package main

import (
	"errors"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// budget bounds a figure of Soma, or its ratio to the same figure of another kind.
type budget struct {
	Name string `json:"name"`
	// RatioTo names the other kind.
	RatioTo string   `json:"ratioTo,omitempty"`
	Max     *float64 `json:"max,omitempty"`
	Min     *float64 `json:"min,omitempty"`
}

// readBudgets reads a file of budgets before anything is measured: a mistake in it must not cost a run.
func readBudgets(path string) ([]budget, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the person who runs the bench names the file
	if err != nil {
		return nil, fmt.Errorf("read the budgets: %w", err)
	}
	var budgets []budget
	if err := yaml.UnmarshalStrict(text, &budgets); err != nil {
		return nil, fmt.Errorf("read the budgets in %s: %w", path, err)
	}
	for _, b := range budgets {
		switch {
		case b.Name == "":
			return nil, fmt.Errorf("a budget in %s has no name", path)
		case (b.Max == nil) == (b.Min == nil):
			return nil, fmt.Errorf("the budget %q in %s has either a max or a min", b.Name, path)
		case b.RatioTo != "" && kindNamed(b.RatioTo) == nil:
			return nil, fmt.Errorf("the budget %q in %s is a ratio to %q; it can be one to %q or %q", b.Name, path, b.RatioTo, kindPod, kindBatch)
		}
	}
	return budgets, nil
}

// check holds the figures against the budgets.
func check(figures []figure, budgets []budget) error {
	var problems []error
	for _, b := range budgets {
		value, measured := b.value(figures)
		switch {
		case !measured:
			problems = append(problems, fmt.Errorf("%q has a budget and was not measured", b.Name))
		case !b.met(value):
			problems = append(problems, fmt.Errorf("%q is %s; the aim is %s", b.Name, number(value), b.aim("")))
		}
	}
	return errors.Join(problems...)
}

// value is what the budget bounds.
func (b *budget) value(figures []figure) (value float64, measured bool) {
	own := find(figures, b.Name, kindSoma)
	if own == nil || b.RatioTo == "" {
		return own.or(0), own != nil
	}
	other := find(figures, b.Name, b.RatioTo)
	if other.or(0) == 0 {
		return 0, false
	}
	return own.value / other.value, true
}

func (b *budget) met(value float64) bool {
	return (b.Max == nil || value <= *b.Max) && (b.Min == nil || value >= *b.Min)
}

// aim is the budget as a person says it.
func (b *budget) aim(unit string) string {
	words, bound := "at least ", b.Min
	if b.Max != nil {
		words, bound = "at most ", b.Max
	}
	if b.RatioTo != "" {
		return words + number(*bound) + " of the " + kindNamed(b.RatioTo).title
	}
	return words + format(*bound, unit)
}
