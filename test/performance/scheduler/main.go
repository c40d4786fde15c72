// Command scheduler measures Soma's scheduler against Kueue's: the same load on the same kind of API server, which is new for
// each run, the same program that submits the jobs and ends them, one after the other in turn. docs/performance.md says what its
// figures mean and how they were made.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/procfs"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/soma-platform/soma/test/performance/report"
)

// bench is the flags, and what every measurement uses.
type bench struct {
	root, assets, kueue, kueueCRDs string
	parts, columns, profiles       string
	part, rounds                   int
	timeout                        time.Duration

	report.Run
	// writes are the requests that change something, per job.
	writes report.Result
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == controllersCommand {
		report.Main("scheduler", func(ctx context.Context) error { return runControllers(ctx, os.Args[2:]) })
		return
	}
	ctrl.SetLogger(logr.Discard())
	report.Main("scheduler", newBench().run)
}

func newBench() *bench {
	b := &bench{}
	flag.StringVar(&b.root, "root", ".", "folder of the repository")
	flag.StringVar(&b.assets, "assets", os.Getenv("KUBEBUILDER_ASSETS"), "folder of etcd and kube-apiserver")
	flag.StringVar(&b.kueue, "kueue", "", "program of test/performance/kueue; without it Soma is measured alone")
	flag.StringVar(&b.kueueCRDs, "kueue-crds", "", "folder of the CRDs of Kueue")
	flag.StringVar(&b.parts, "parts", strings.Join(partNames(), ","), "what is measured")
	flag.StringVar(&b.columns, "columns", "", "columns that are measured, of those that there are; all by default")
	flag.StringVar(&b.profiles, "profiles", "", "address where the scheduler that is measured serves its profiles")
	flag.IntVar(&b.part, "part", 1, "measure with one of so many parts of the jobs")
	flag.IntVar(&b.rounds, "rounds", 1, "rounds in which the systems take turns")
	flag.DurationVar(&b.timeout, "timeout", 30*time.Minute, "time after which one run is given up")
	b.BudgetsFlag()
	flag.Parse()
	return b
}

// parts are what can be measured, in this order.
var parts = []struct {
	name    string
	measure func(*bench, context.Context, []system) error
}{
	{"baseline", func(b *bench, ctx context.Context, all []system) error {
		return b.sideBySide(ctx, baseline(b.part), all)
	}},
	{"hot", func(b *bench, ctx context.Context, all []system) error {
		return b.sideBySide(ctx, hotQueue(b.part), all)
	}},
	{"many", func(b *bench, ctx context.Context, all []system) error {
		return b.sideBySide(ctx, manyQueues(b.part), all)
	}},
	{"contention", (*bench).measureContention},
	{"latency", (*bench).measureLatency},
	{"restart", (*bench).measureRestart},
}

func partNames() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

func (b *bench) run(ctx context.Context) error {
	systems, err := b.systems()
	if err != nil {
		return err
	}
	var columns []report.Column
	for _, s := range systems {
		columns = append(columns, report.Column{Name: s.column(), Title: s.title()})
	}
	if err := b.Begin(columns...); err != nil {
		return err
	}
	b.writes.Columns = columns
	for _, p := range parts {
		if !slices.Contains(strings.Split(b.parts, ","), p.name) {
			continue
		}
		if err = p.measure(b, ctx, systems); err != nil {
			break
		}
	}
	b.againstBaseline()
	return b.End(err, b.writes.Table("writes at the API server per job", nil))
}

// systems are those that are measured, Soma last.
func (b *bench) systems() ([]system, error) {
	root, err := filepath.Abs(b.root)
	if err != nil {
		return nil, err
	}
	if b.assets == "" {
		b.assets = filepath.Join(root, ".soma", "bin")
	}
	if b.part < 1 || b.rounds < 1 {
		return nil, errors.New("-part and -rounds are 1 or more")
	}
	for _, name := range strings.Split(b.parts, ",") {
		if !slices.Contains(partNames(), name) {
			return nil, fmt.Errorf("-parts names %q; there are %s", name, strings.Join(partNames(), ", "))
		}
	}
	var all []system
	if b.kueue != "" {
		all = kueues(b.kueue, b.kueueCRDs)
	}
	all = append(all, &soma{root: root})
	if b.columns == "" {
		return all, nil
	}
	var chosen []system
	for _, s := range all {
		if slices.Contains(strings.Split(b.columns, ","), s.column()) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("-columns names none of those that are measured")
	}
	return chosen, nil
}

// profile are the arguments by which a system serves its profiles.
func (b *bench) profile() []string {
	if b.profiles == "" {
		return nil
	}
	return []string{"-pprof-bind-address=" + b.profiles}
}

// loadAverage is how busy the machine was in the last minute.
func loadAverage() string {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return "unknown"
	}
	load, err := fs.LoadAvg()
	if err != nil {
		return "unknown"
	}
	return report.Number(load.Load1)
}
