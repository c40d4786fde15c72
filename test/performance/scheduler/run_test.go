package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/soma-platform/soma/test/performance/report"
)

// TestMain lets this program be Soma's side of the measurement, as main does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == controllersCommand {
		report.Main("scheduler", func(ctx context.Context) error { return runControllers(ctx, os.Args[2:]) })
		os.Exit(0)
	}
	ctrl.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// small is a bench for tests, of Soma alone.
func small(t *testing.T) (*bench, []system) {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{root: root, assets: os.Getenv("KUBEBUILDER_ASSETS"), parts: "baseline", part: 1, rounds: 1, timeout: 5 * time.Minute}
	systems, err := b.systems()
	if err != nil {
		t.Fatal(err)
	}
	return b, systems
}

// TestSideBySide: a small load goes through, and is told of in full. Its large jobs make others give way.
func TestSideBySide(t *testing.T) {
	b, systems := small(t)
	l := load{name: "small", cohorts: 1, queues: 2, cpu: 4, borrowing: 4, classes: []class{
		{name: "small", count: 15, every: time.Millisecond, runs: 100 * time.Millisecond, priority: low, cpu: 1},
		{name: "large", count: 5, every: 50 * time.Millisecond, runs: 100 * time.Millisecond, priority: high, cpu: 4},
	}}
	if err := b.sideBySide(t.Context(), l, systems); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"jobs from submit to end, small", "writes at the API server per job, small", "CPU of the API server per job, small",
		"memory of the scheduler, small", "submit to reserved on average, large, small",
	} {
		if f := figure(b, name); f == nil || f.Value <= 0 {
			t.Errorf("%q was not measured: %+v", name, f)
		}
	}
}

// TestRestart: the measurement of a restart goes through.
func TestRestart(t *testing.T) {
	b, systems := small(t)
	b.part = 500
	if err := b.measureRestart(t.Context(), systems); err != nil {
		t.Fatal(err)
	}
	if f := figure(b, "restart to first reservation"); f == nil || f.Value <= 0 {
		t.Errorf("it was not measured: %+v", f)
	}
}

// TestRunTellsWhyItFails: a scheduler that ends ends the run.
func TestRunTellsWhyItFails(t *testing.T) {
	ended := make(chan error, 1)
	ended <- os.ErrClosed
	r := newRun(&plane{ended: ended}, 1)
	if err := r.wait(t.Context()); err == nil {
		t.Error("want an error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newRun(&plane{}, 1).wait(ctx); err == nil {
		t.Error("want an error")
	}
	if err := newRun(&plane{}, 0).wait(t.Context()); err != nil {
		t.Errorf("where nothing is to end: %v", err)
	}
}

func figure(b *bench, name string) *report.Figure {
	for i := range b.Figures {
		if b.Figures[i].Name == name {
			return &b.Figures[i]
		}
	}
	return nil
}

func TestBudgetsCanBeRead(t *testing.T) {
	var columns []report.Column
	for _, s := range append(kueues("", ""), &soma{}) {
		columns = append(columns, report.Column{Name: s.column(), Title: s.title()})
	}
	if _, err := report.ReadBudgets("budgets.yaml", columns); err != nil {
		t.Error(err)
	}
}
