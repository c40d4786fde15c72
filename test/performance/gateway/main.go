// Command gateway measures the gateway, as the program that it is, in front of an API server of its own: how many requests for
// pages of jobs it decides on one core, side by side with oauth2-proxy; what the way through it to the Kubernetes API costs
// against the direct one; what open watches take; and how soon what is open ends with a right. docs/performance.md has its figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
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
	gateway, oauth2Proxy, parts string
	duration, timeout           time.Duration
	rounds, connections, rate   int
	requests, jobs              int
	watches, revocations        int

	*world
	report.Run
}

func main() {
	ctrl.SetLogger(logr.Discard())
	b := &bench{}
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
	b.BudgetsFlag()
	flag.Parse()
	report.Main("gateway", b.run)
}

func (b *bench) run(ctx context.Context) (err error) {
	err = b.Begin(report.Column{Name: oauth2Proxy, Title: "oauth2-proxy"}, report.Column{Name: direct, Title: "without the gateway"},
		report.Column{Name: report.Soma, Title: "Soma's gateway"})
	if err != nil {
		return err
	}
	b.Say("The API server, PostgreSQL and the identity provider start.")
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
		b.Say("Measured: %s.", part.name)
		if err = part.do(ctx); err != nil {
			err = fmt.Errorf("%s: %w", part.name, err)
			break
		}
	}
	return b.End(err)
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
