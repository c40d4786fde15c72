package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// figure is one number of the result: a row and a column of the table in docs/performance.md.
type figure struct {
	// name of what was measured, the same for all kinds, and kind of what it was measured.
	name, kind string
	value      float64
	unit       string
	// detail says more of the measurement, spread how far single runs were apart.
	detail, spread string
}

// or is the value, or another one where there is no figure.
func (f *figure) or(other float64) float64 {
	if f == nil {
		return other
	}
	return f.value
}

func find(figures []figure, name, kind string) *figure {
	for i := range figures {
		if figures[i].name == name && figures[i].kind == kind {
			return &figures[i]
		}
	}
	return nil
}

// result is what a run found.
type result struct {
	figures []figure
	// writes are the requests that change something, per job and kind.
	writes []figure
}

func (r *result) report(f figure) { r.figures = append(r.figures, f) }

// reportMedian reports the median of several runs, and the least and the most of them.
func (r *result) reportMedian(f figure, values []float64) {
	f.value = median(values)
	if len(values) > 1 {
		f.spread = number(slices.Min(values)) + " to " + number(slices.Max(values))
	}
	r.report(f)
}

// markdown is the result as docs/performance.md has it.
func (r *result) markdown(budgets []budget) string {
	text := table("", r.figures, budgets)
	if len(r.writes) > 0 {
		text += "\n" + table("writes at the API server per job, room for all", r.writes, nil)
	}
	return text
}

// table has one row for each name, in the order in which they were reported, and one column for each kind.
func table(title string, figures []figure, budgets []budget) string {
	var text strings.Builder
	head := []string{title}
	for _, k := range kinds {
		head = append(head, k.title)
	}
	if budgets != nil {
		head = append(head, "aim")
	}
	line := func(cells []string) {
		for _, cell := range cells {
			text.WriteString("| " + cell)
			if cell != "" {
				text.WriteString(" ")
			}
		}
		text.WriteString("|\n")
	}
	line(head)
	text.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	seen := map[string]bool{}
	for _, f := range figures {
		if seen[f.name] {
			continue
		}
		seen[f.name] = true
		line(cells(f, figures, budgets))
	}
	return text.String()
}

// cells is the row of a figure.
func cells(f figure, figures []figure, budgets []budget) []string {
	label := f.name
	if f.detail != "" {
		label += " (" + f.detail + ")"
	}
	row, aim := []string{label}, ""
	for _, k := range kinds {
		of := find(figures, f.name, k.name)
		if of == nil {
			row = append(row, "")
			continue
		}
		cell := format(of.value, of.unit)
		for _, b := range budgets {
			if b.Name != f.name || k.name != kindSoma {
				continue
			}
			value, measured := b.value(figures)
			aim = b.aim(of.unit)
			if measured && b.RatioTo != "" {
				cell += ", " + number(value) + " of the " + kindNamed(b.RatioTo).title
			}
			if measured && !b.met(value) {
				aim += ": **not reached**"
			}
		}
		if of.spread != "" {
			cell += " (" + of.spread + ")"
		}
		row = append(row, cell)
	}
	if budgets != nil {
		row = append(row, aim)
	}
	return row
}

func format(value float64, unit string) string {
	if unit == "" {
		return number(value)
	}
	return number(value) + " " + unit
}

// number has three digits that count, and all of those before the point.
func number(value float64) string {
	if math.Abs(value) < 99.95 {
		return fmt.Sprintf("%.3g", value)
	}
	digits := fmt.Sprintf("%.0f", math.Abs(value))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if value < 0 {
		return "-" + digits
	}
	return digits
}
