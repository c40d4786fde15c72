// Command gateway measures the gateway, as the program that it is, in front of an API server of its own: how many requests for
// pages of jobs it decides on one core, side by side with oauth2-proxy; what the way through it to the Kubernetes API costs
// against the direct one; what open watches take; and how soon what is open ends with a right. docs/performance.md has its figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/soma-platform/soma/test/performance/report"
)

// columns of what is compared.
const (
	oauth2Proxy = "oauth2-proxy"
	direct      = "direct"
)

// bench is the flags, and what every measurement uses.
type bench struct {
	gateway, oauth2Proxy, budgets string
	parts                         string
	duration, timeout             time.Duration
	rounds, connections, rate     int
	requests, jobs                int
	watches, revocations          int

	began time.Time
	*world
	report.Result
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrl.SetLogger(logr.Discard())
	b := &bench{began: time.Now()}
	flag.StringVar(&b.gateway, "gateway", "bin/gateway", "the program of the gateway")
	flag.StringVar(&b.oauth2Proxy, "oauth2-proxy", "", "the program of oauth2-proxy; without it the gateway is measured alone")
	flag.StringVar(&b.parts, "parts", "pages,proxy,watches,revocation", "what is measured")
	flag.DurationVar(&b.duration, "duration", 8*time.Second, "how long each round of decisions is")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds of decisions, by turns")
	flag.IntVar(&b.connections, "connections", 16, "connections by which decisions are asked for")
	flag.IntVar(&b.rate, "rate", 1000, "decisions a second at which their times are taken")
	flag.IntVar(&b.requests, "requests", 2000, "requests each way to the Kubernetes API")
	flag.IntVar(&b.jobs, "jobs", 500, "jobs in the project that is listed")
	flag.IntVar(&b.watches, "watches", 1000, "watches that are open at the same time")
	flag.IntVar(&b.revocations, "revocations", 100, "rights that are taken back, one after the other")
	flag.DurationVar(&b.timeout, "timeout", 2*time.Minute, "time after which anything is given up")
	flag.StringVar(&b.budgets, "budgets", "", "file of budgets to check; a figure over its budget fails the run")
	flag.Parse()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) (err error) {
	b.Columns = []report.Column{{Name: oauth2Proxy, Title: "oauth2-proxy"}, {Name: direct, Title: "without the gateway"}, {Name: report.Soma, Title: "Soma's gateway"}}
	budgets, err := report.ReadBudgets(b.budgets, b.Columns)
	if err != nil {
		return err
	}
	b.say("The API server, PostgreSQL and the identity provider start.")
	if b.world, err = newWorld(ctx, b); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{"pages", b.measurePages}, {"proxy", b.measureProxy}, {"watches", b.measureWatches}, {"revocation", b.measureRevocation}} {
		if !slices.Contains(strings.Split(b.parts, ","), part.name) {
			continue
		}
		b.say("Measured: %s.", part.name)
		if err = part.do(ctx); err != nil {
			err = fmt.Errorf("%s: %w", part.name, err)
			break
		}
	}
	// What was measured is of use also where the rest was not.
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

func (b *bench) figure(column, name string, value float64, unit, detail string) {
	b.Report(report.Figure{Name: name, Column: column, Value: value, Unit: unit, Detail: detail})
}

// times reports the middle and the worst of times in milliseconds.
func (b *bench) times(column, name string, times []float64, detail string) {
	b.figure(column, name+", p50", report.Quantile(times, 0.5), "ms", detail)
	b.figure(column, name+", p99", report.Quantile(times, 0.99), "ms", "")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
