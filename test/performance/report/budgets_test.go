package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadBudgets(t *testing.T) {
	for name, test := range map[string]struct{ text, wrong string }{
		"a bound and a ratio":       {"[{name: a, max: 1}, {name: b, ratioTo: pod, min: 0.5}]", ""},
		"nothing":                   {"", ""},
		"a field that nobody knows": {"[{name: a, most: 1}]", "most"},
		"no name":                   {"[{max: 1}]", "has no name"},
		"no bound":                  {"[{name: a}]", "either a max or a min"},
		"two bounds":                {"[{name: a, max: 1, min: 0}]", "either a max or a min"},
		"another kind":              {"[{name: a, ratioTo: cow, max: 1}]", `"cow"`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "budgets.yaml")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadBudgets(path, columns)
			if test.wrong == "" && err != nil {
				t.Errorf("got %v, want no error", err)
			}
			if test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)) {
				t.Errorf("got %v, want an error that tells of %q", err, test.wrong)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	figures := []Figure{
		{Name: "start", Column: "pod", Value: 400}, {Name: "start", Column: Soma, Value: 500},
		{Name: "rate", Column: "batch"}, {Name: "rate", Column: Soma, Value: 10},
		{Name: "memory", Column: Soma, Value: 150},
	}
	for name, test := range map[string]struct {
		budget Budget
		wrong  string
	}{
		"within its bound":            {Budget{Name: "memory", Max: new(200.0)}, ""},
		"at its bound":                {Budget{Name: "memory", Max: new(150.0)}, ""},
		"over it":                     {Budget{Name: "memory", Max: new(100.0)}, "is 150; the aim is at most 100"},
		"under it":                    {Budget{Name: "memory", Min: new(200.0)}, "is 150; the aim is at least 200"},
		"a ratio within its bound":    {Budget{Name: "start", RatioTo: "pod", Max: new(1.3)}, ""},
		"a ratio over it":             {Budget{Name: "start", RatioTo: "pod", Max: new(1.2)}, "is 1.25; the aim is at most 1.2 of the bare pod"},
		"a ratio to nothing":          {Budget{Name: "rate", RatioTo: "batch", Min: new(1.0)}, "was not measured"},
		"a ratio to another's figure": {Budget{Name: "memory", RatioTo: "pod", Max: new(1.0)}, "was not measured"},
		"not measured":                {Budget{Name: "cpu", Max: new(1.0)}, "was not measured"},
	} {
		t.Run(name, func(t *testing.T) {
			r := Result{Columns: columns, Figures: figures}
			err := r.Check([]Budget{test.budget})
			if test.wrong == "" && err != nil {
				t.Errorf("got %v, want no error", err)
			}
			if test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)) {
				t.Errorf("got %v, want an error that tells %q", err, test.wrong)
			}
		})
	}
}
