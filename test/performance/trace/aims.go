package main

import "github.com/soma-platform/soma/test/performance/report"

// The figures that budgets bound. Each is of the means over the traces.
const (
	figureUse   = "GPUs in use, against the best of the others"
	figureBound = "longest wait, as a part of (jobs before it in its queue + 1) × the longest life span"
)

// aims checks what is asked of Soma: more of the GPUs in use than with any of the others, and the bound on waits.
func aims(results map[string][]measures, budgets []report.Budget) error {
	means := func(name string, of func(measures) float64) float64 {
		var values []float64
		for _, m := range results[name] {
			values = append(values, of(m))
		}
		return mean(values)
	}
	best := 0.0
	for _, one := range contestants() {
		if !one.soma {
			best = max(best, means(one.name, func(m measures) float64 { return m.loaded }))
		}
	}
	found := report.Result{Columns: []report.Column{{Name: report.Soma, Title: "Soma"}}}
	found.Report(report.Figure{Name: figureUse, Column: report.Soma, Value: means("Soma", func(m measures) float64 { return m.loaded }) / best})
	found.Report(report.Figure{Name: figureBound, Column: report.Soma, Value: means("Soma", func(m measures) float64 { return m.bound })})
	return found.Check(budgets)
}
