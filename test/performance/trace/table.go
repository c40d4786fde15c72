package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// row is one measure in the table.
type row struct {
	title, format string
	of            func(measures) float64
}

var rows = []row{
	{"GPUs in use while jobs ask for all of them or more", "%.1f %%", func(m measures) float64 { return 100 * m.loaded }},
	{"idle meanwhile: waiting jobs would fit on them", "%.1f %%", func(m measures) float64 { return 100 * m.kept }},
	{"idle meanwhile: on nodes in part in use, and no waiting job fits", "%.1f %%", func(m measures) float64 { return 100 * m.part }},
	{"idle meanwhile: on empty nodes, and no waiting job fits", "%.1f %%", func(m measures) float64 { return 100 * m.empty }},
	{"GPUs in use while jobs are submitted", "%.1f %%", func(m measures) float64 { return 100 * m.submitting }},
	{"until the last job has ended", "%.0f h", func(m measures) float64 { return m.makespan }},
	{"wait, mean", "%.2f h", func(m measures) float64 { return m.mean }},
	{"wait, p99", "%.1f h", func(m measures) float64 { return m.p99 }},
	{"wait of jobs of 64 GPUs and more, mean", "%.1f h", func(m measures) float64 { return m.large }},
	{"wait of jobs of 64 GPUs and more, longest", "%.0f h", func(m measures) float64 { return m.longestLarge }},
	{"bounded slowdown, mean", "%.0f", func(m measures) float64 { return m.slowdown }},
	{"what the worst served queue held of its own while it waited", "%.0f %%", func(m measures) float64 { return 100 * m.own }},
	{"longest wait, as a part of (jobs before it in its queue + 1) × the longest life span", "%.2f", func(m measures) float64 { return m.bound }},
	{"all decisions of a trace", "%.2f s", func(m measures) float64 { return m.deciding }},
	{"the slowest decision", "%.3f s", func(m measures) float64 { return m.slowest }},
}

// printTable prints the mean over the traces, with the least and the most in brackets.
func printTable(w io.Writer, results map[string][]measures) {
	all := contestants()
	fmt.Fprint(w, "| |")
	for _, one := range all {
		fmt.Fprintf(w, " %s |", one.name)
	}
	fmt.Fprintln(w, "\n|---|"+strings.Repeat("---|", len(all)))
	for _, r := range rows {
		fmt.Fprintf(w, "| %s |", r.title)
		for _, one := range all {
			played := values(results[one.name], r.of)
			fmt.Fprintf(w, " "+r.format, mean(played))
			if len(played) > 1 {
				fmt.Fprintf(w, " (%s–%s)", bare(r.format, slices.Min(played)), bare(r.format, slices.Max(played)))
			}
			fmt.Fprint(w, " |")
		}
		fmt.Fprintln(w)
	}
}

// bare is a value without its unit.
func bare(format string, v float64) string {
	number, _, _ := strings.Cut(format, " ")
	return fmt.Sprintf(number, v)
}
