// Command trace plays a made trace of a GPU cluster to several schedulers in simulated time, Soma's engine among them, and prints how
// well each used the GPUs and how long jobs waited. docs/performance.md has its table and its plot.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/test/performance/report"
)

func main() {
	jobs := flag.Int("jobs", 10_000, "jobs in a trace")
	traces := flag.Int("traces", 10, "traces, each made from another seed")
	load := flag.Float64("load", 1.1, "GPU time that is asked for, as a multiple of what there is while jobs are submitted")
	plot := flag.String("plot", "", "file that the plot is written to, as SVG")
	budgets := flag.String("budgets", "", "file of budgets to check; a figure that misses its budget fails the run")
	flag.Parse()
	if err := run(*jobs, *traces, *load, *plot, *budgets); err != nil {
		fmt.Fprintln(os.Stderr, "trace:", err)
		os.Exit(1)
	}
}

// contestant is a scheduler that is compared, made anew for each trace.
type contestant struct {
	name string
	make func(shape) scheduler
	// soma is set for what is compared with the others.
	soma bool
}

// withDefaults is Soma's engine with the options of the manager.
const withDefaults = "Soma"

func contestants() []contestant {
	single := scheduling.Defaults()
	single.Reservations = 1
	return []contestant{
		{"FIFO", func(c shape) scheduler { return newFIFO(c) }, false},
		{"Kueue's order", func(c shape) scheduler { return newKueue(c) }, false},
		{"EASY backfill", func(c shape) scheduler { return newEASY(c) }, false},
		{withDefaults, func(c shape) scheduler { return newSoma(c, scheduling.Defaults()) }, true},
		{"Soma, one reservation", func(c shape) scheduler { return newSoma(c, single) }, true},
	}
}

func run(jobs, traces int, load float64, plotFile, budgetsFile string) error {
	if jobs < 1 || traces < 1 || load <= 0 {
		return fmt.Errorf("there must be jobs, traces and a load")
	}
	budgets, err := report.ReadBudgets(budgetsFile, []report.Column{{Name: report.Soma}})
	if err != nil {
		return err
	}
	c := shape{nodes: 64, queues: 8, gpusPerNode: 8}
	results := map[string][]measures{}
	var first []*schedule
	for seed := range traces {
		trace := generate(uint64(seed+1), jobs, c, load) //nolint:gosec // seeds are small
		for _, one := range contestants() {
			s, err := simulate(one.name, one.make(c), trace, c)
			if err != nil {
				return err
			}
			results[one.name] = append(results[one.name], measure(s, c))
			if seed == 0 {
				first = append(first, s)
			}
		}
		fmt.Fprintf(os.Stderr, "%d of %d traces played\n", seed+1, traces)
	}
	printTable(os.Stdout, results)
	printDifference(os.Stdout, results)
	if plotFile != "" {
		if err := os.WriteFile(plotFile, []byte(draw(first, c)), 0o644); err != nil { //nolint:gosec // a picture for everybody
			return fmt.Errorf("write the plot: %w", err)
		}
	}
	return aims(results, budgets)
}
