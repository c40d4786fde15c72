// Command access measures how soon what users may do is known to Kubernetes: with many users and projects from nothing, and
// after one change. It runs the controllers of access, with the rights that the manager has, against an API server of its own.
// docs/performance.md has its figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/test/performance/report"
)

// bench is the flags, and what every measurement uses.
type bench struct {
	users, projects int
	// memberships is in how many projects a user may do something by a grant.
	memberships, changes int
	timeout              time.Duration

	server *apiserver.Server
	report.Run
}

func main() {
	ctrl.SetLogger(logr.Discard())
	b := &bench{}
	flag.IntVar(&b.users, "users", 10_000, "users")
	flag.IntVar(&b.projects, "projects", 1_000, "projects")
	flag.IntVar(&b.memberships, "memberships", 3, "projects in which each user has a role")
	flag.IntVar(&b.changes, "changes", 100, "grants that are made and revoked one after the other")
	flag.DurationVar(&b.timeout, "timeout", 10*time.Minute, "time after which anything is given up")
	b.BudgetsFlag()
	flag.Parse()
	report.Main("access", b.run)
}

func (b *bench) run(ctx context.Context) (err error) {
	if err := b.Begin(report.Column{Name: report.Soma, Title: fmt.Sprintf("%d users, %d projects", b.users, b.projects)}); err != nil {
		return err
	}
	b.inMemory()
	b.Say("The API server starts.")
	if b.server, err = apiserver.Start(apiserver.Options{}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.Stop()) }()
	if err := b.load(ctx); err != nil {
		return fmt.Errorf("make what is measured with: %w", err)
	}
	return b.End(b.measure(ctx))
}

func (b *bench) figure(name string, value float64, unit, detail string) {
	b.Report(report.Figure{Name: name, Column: report.Soma, Value: value, Unit: unit, Detail: detail})
}
