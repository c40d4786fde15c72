package main

import (
	"errors"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// budget bounds one figure.
type budget struct {
	Name string   `json:"name"`
	Max  *float64 `json:"max,omitempty"`
	Min  *float64 `json:"min,omitempty"`
}

// check holds the figures against the budgets of a file.
func check(figures []figure, path string) error {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the person who runs the bench names the file
	if err != nil {
		return fmt.Errorf("read the budgets: %w", err)
	}
	var budgets []budget
	if err := yaml.UnmarshalStrict(text, &budgets); err != nil {
		return fmt.Errorf("read the budgets in %s: %w", path, err)
	}
	values := map[string]float64{}
	for _, f := range figures {
		values[f.name] = f.value
	}
	var problems []error
	for _, b := range budgets {
		value, measured := values[b.Name]
		switch {
		case !measured:
			problems = append(problems, fmt.Errorf("%q has a budget and was not measured", b.Name))
		case b.Max != nil && value > *b.Max:
			problems = append(problems, fmt.Errorf("%q is %.3g, at most %.3g is allowed", b.Name, value, *b.Max))
		case b.Min != nil && value < *b.Min:
			problems = append(problems, fmt.Errorf("%q is %.3g, at least %.3g is expected", b.Name, value, *b.Min))
		}
	}
	return errors.Join(problems...)
}
