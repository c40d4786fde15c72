// Package report is what measurements found, as tables for docs/performance.md, and the budgets that they are held against.
package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Soma is the name of the column that budgets bound.
const Soma = "soma"

// Column is one of the things that are measured side by side. Name finds it, Title is for people.
type Column struct{ Name, Title string }

// Figure is one number of the result: a row and a column of a table.
type Figure struct {
	// Name of what was measured, the same in all columns, and the name of the column.
	Name, Column string
	Value        float64
	Unit         string
	// Detail says more of the measurement, Spread how far single runs were apart.
	Detail, Spread string
}

// or is the value, or another one where there is no figure.
func (f *Figure) or(other float64) float64 {
	if f == nil {
		return other
	}
	return f.Value
}

func find(figures []Figure, name, column string) *Figure {
	for i := range figures {
		if figures[i].Name == name && figures[i].Column == column {
			return &figures[i]
		}
	}
	return nil
}

func title(columns []Column, name string) string {
	for _, c := range columns {
		if c.Name == name {
			return c.Title
		}
	}
	return name
}

// Result is what a run found.
type Result struct {
	Columns []Column
	Figures []Figure
}

// Report adds a figure.
func (r *Result) Report(f Figure) { r.Figures = append(r.Figures, f) }

// ReportMedian adds the median of several runs, and the least and the most of them.
func (r *Result) ReportMedian(f Figure, values []float64) {
	f.Value = Median(values)
	if len(values) > 1 {
		f.Spread = Number(slices.Min(values)) + " to " + Number(slices.Max(values))
	}
	r.Report(f)
}

// Table has one row for each name, in the order in which they were reported, and a cell for each column that has it. Without
// budgets it has no column of aims.
func (r *Result) Table(heading string, budgets []Budget) string {
	if len(r.Figures) == 0 {
		return ""
	}
	var text strings.Builder
	head := []string{heading}
	for _, c := range r.Columns {
		head = append(head, c.Title)
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
	for _, f := range r.Figures {
		if seen[f.Name] {
			continue
		}
		seen[f.Name] = true
		line(r.cells(f, budgets))
	}
	return text.String()
}

// cells is the row of a figure.
func (r *Result) cells(f Figure, budgets []Budget) []string {
	label := f.Name
	if f.Detail != "" {
		label += " (" + f.Detail + ")"
	}
	row, aim := []string{label}, ""
	for _, c := range r.Columns {
		of := find(r.Figures, f.Name, c.Name)
		if of == nil {
			row = append(row, "")
			continue
		}
		cell := format(of.Value, of.Unit)
		for _, b := range budgets {
			if b.Name != f.Name || c.Name != Soma {
				continue
			}
			value, measured := b.value(r.Figures)
			aim = b.aim(r.Columns, of.Unit)
			if measured && b.RatioTo != "" {
				cell += ", " + Number(value) + " of the " + title(r.Columns, b.RatioTo)
			}
			if measured && !b.met(value) {
				aim += ": **not reached**"
			}
		}
		if of.Spread != "" {
			cell += " (" + of.Spread + ")"
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
		return Number(value)
	}
	return Number(value) + " " + unit
}

// Number has three digits that count, and all of those before the point.
func Number(value float64) string {
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
