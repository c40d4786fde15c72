package main

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/soma-platform/soma/test/performance/report"
)

// The figures that budgets bound: the one of the means over the traces, the other of the worst of them.
const (
	figureUse   = "GPUs in use, against the best of the others"
	figureBound = "longest wait, as a part of (jobs before it in its queue + 1) × the longest life span"
)

// aims checks what is asked of Soma: more of the GPUs in use than with any of the others, and the bound on waits in every trace.
func aims(results map[string][]measures, budgets []report.Budget) error {
	_, best := bestOfTheOthers(results)
	soma := results[withDefaults]
	found := report.Result{Columns: []report.Column{{Name: report.Soma, Title: "Soma"}}}
	found.Report(report.Figure{Name: figureUse, Column: report.Soma, Value: mean(values(soma, loaded)) / mean(values(best, loaded))})
	bounds := values(soma, func(m measures) float64 { return m.bound })
	found.Report(report.Figure{Name: figureBound, Column: report.Soma, Value: slices.Max(bounds)})
	return found.Check(budgets)
}

func loaded(m measures) float64 { return m.loaded }

func values(of []measures, value func(measures) float64) (all []float64) {
	for _, m := range of {
		all = append(all, value(m))
	}
	return all
}

// bestOfTheOthers is with which of what Soma is compared the most GPUs are in use.
func bestOfTheOthers(results map[string][]measures) (name string, best []measures) {
	for _, one := range contestants() {
		if of := results[one.name]; !one.soma && (best == nil || mean(values(of, loaded)) > mean(values(best, loaded))) {
			name, best = one.name, of
		}
	}
	return name, best
}

// printDifference tells how many more GPUs are in use than with the best of the others, and how sure that is: traces differ more from each
// other than schedulers do, so it is the standard error over pairs.
func printDifference(w io.Writer, results map[string][]measures) {
	name, best := bestOfTheOthers(results)
	soma := values(results[withDefaults], loaded)
	if len(soma) < 2 {
		return
	}
	var differences []float64
	for i, other := range values(best, loaded) {
		differences = append(differences, 100*(soma[i]-other))
	}
	middle, variance := mean(differences), 0.0
	for _, d := range differences {
		variance += (d - middle) * (d - middle) / float64(len(differences)-1)
	}
	fmt.Fprintf(w, "\nWith Soma %+.2f points more of the GPUs are in use while jobs ask for all than with %s, from %+.1f to %+.1f, with a standard error of %.2f.\n",
		middle, name, slices.Min(differences), slices.Max(differences), math.Sqrt(variance/float64(len(differences))))
}
