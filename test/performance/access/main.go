// Command access measures how soon what users may do is known to Kubernetes: with many users and projects from nothing, and
// after one change. It runs the controllers of access, with the rights that the manager has, against an API server of its own.
// docs/performance.md has its figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/test/performance/report"
)

// bench is the flags, and what every measurement uses.
type bench struct {
	budgets         string
	users, projects int
	// memberships is in how many projects a user may do something by a grant.
	memberships, changes int
	timeout              time.Duration

	began  time.Time
	server *apiserver.Server
	report.Result
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrl.SetLogger(logr.Discard())
	b := &bench{began: time.Now()}
	flag.IntVar(&b.users, "users", 10_000, "users")
	flag.IntVar(&b.projects, "projects", 1_000, "projects")
	flag.IntVar(&b.memberships, "memberships", 3, "projects in which each user has a role")
	flag.IntVar(&b.changes, "changes", 100, "grants that are made and revoked one after the other")
	flag.DurationVar(&b.timeout, "timeout", 10*time.Minute, "time after which anything is given up")
	flag.StringVar(&b.budgets, "budgets", "", "file of budgets to check; a figure over its budget fails the run")
	flag.Parse()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "access:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) (err error) {
	b.Columns = []report.Column{{Name: report.Soma, Title: fmt.Sprintf("%d users, %d projects", b.users, b.projects)}}
	budgets, err := report.ReadBudgets(b.budgets, b.Columns)
	if err != nil {
		return err
	}
	b.inMemory()
	b.say("The API server starts.")
	if b.server, err = apiserver.Start(apiserver.Options{}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.Stop()) }()
	if err := b.load(ctx); err != nil {
		return fmt.Errorf("make what is measured with: %w", err)
	}
	// What was measured is of use also where the rest was not.
	err = b.measure(ctx)
	fmt.Print(b.Table("", budgets))
	if err != nil {
		return err
	}
	return b.Check(budgets)
}

// say tells on the side how far it is.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

func (b *bench) figure(name string, value float64, unit, detail string) {
	b.Report(report.Figure{Name: name, Column: report.Soma, Value: value, Unit: unit, Detail: detail})
}
