package main

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/test/performance/report"
	"github.com/soma-platform/soma/test/performance/scrape"
)

// load is so many jobs at once on so many simulated nodes.
type load struct {
	name        string
	jobs, nodes int
}

// burst is one load run by one kind, per job or per second.
type burst struct {
	rate                 float64
	serverCPU            float64
	serverWrites         scrape.Counts
	writes, cpu, records float64
	lag                  []float64
}

// measureThroughput times many short jobs on simulated nodes, from the first submit to the last end. The kinds take turns.
func (b *bench) measureThroughput(ctx context.Context, l load, rounds int) error {
	if err := b.simulate(ctx, l.nodes); err != nil {
		return err
	}
	bursts := map[string][]burst{}
	for round := range rounds {
		for _, k := range turn(round) {
			b.Say("%s: round %d of %d, %d of the %s", l.name, round+1, rounds, l.jobs, k.title)
			done, err := b.burst(ctx, k, l, round)
			if err != nil {
				return fmt.Errorf("run %d of the %s: %w", l.jobs, k.title, err)
			}
			bursts[k.name] = append(bursts[k.name], done)
			if err := b.clear(ctx, k); err != nil {
				return err
			}
		}
	}
	b.reportBursts(l, bursts)
	return nil
}

func (b *bench) burst(ctx context.Context, k *kind, l load, round int) (burst, error) {
	objects := make([]client.Object, l.jobs)
	for i := range objects {
		objects[i] = k.make(fmt.Sprintf("many-%s-%d-%d", k.name, round, i), simulatedSecond)
	}
	before, err := b.server.read(ctx)
	if err != nil {
		return burst{}, err
	}
	var took time.Duration
	seen, err := b.manager.during(ctx, func(ctx context.Context) error {
		var err error
		took, err = b.submit(ctx, k, objects, k.finished)
		return err
	})
	if err != nil {
		return burst{}, err
	}
	after, err := b.server.read(ctx)
	if err != nil {
		return burst{}, err
	}
	jobs := float64(l.jobs)
	return burst{
		rate:      jobs / took.Seconds(),
		serverCPU: (after.cpu - before.cpu) / jobs * 1000, serverWrites: after.writes.Minus(before.writes).Each(jobs),
		writes: seen.grew(writes) / jobs, cpu: seen.grew(cpu) / jobs * 1000, records: seen.rate(recorded),
		lag: seen.values(lag),
	}, nil
}

// reportBursts reports medians over the rounds.
func (b *bench) reportBursts(l load, bursts map[string][]burst) {
	all := func(kind string, of func(burst) float64) []float64 {
		var values []float64
		for _, one := range bursts[kind] {
			values = append(values, of(one))
		}
		return values
	}
	each := func(name, detail, unit string, of func(burst) float64) {
		for _, k := range kinds {
			b.ReportMedian(report.Figure{Name: name + ", " + l.name, Column: k.name, Unit: unit, Detail: detail}, all(k.name, of))
		}
	}
	soma := func(name, detail, unit string, of func(burst) float64) {
		b.ReportMedian(report.Figure{Name: name + ", " + l.name, Column: kindSoma, Unit: unit, Detail: detail}, all(kindSoma, of))
	}
	rounds := len(bursts[kindSoma])
	each("created to finished", fmt.Sprintf("%d at once on %d GPUs, median of %d rounds", l.jobs, l.nodes*gpusPerNode, rounds), "/s",
		func(d burst) float64 { return d.rate })
	if b.server != nil {
		each("CPU of the API server per job", "", "ms", func(d burst) float64 { return d.serverCPU })
		each("writes at the API server per job", "", "", func(d burst) float64 { return d.serverWrites.Sum() })
	}
	soma("API writes of the manager per job", "", "", func(d burst) float64 { return d.writes })
	soma("manager CPU per job", "", "ms", func(d burst) float64 { return d.cpu })
	soma("recorded transitions", "", "/s", func(d burst) float64 { return d.records })
	var lags []float64
	for _, one := range bursts[kindSoma] {
		lags = append(lags, one.lag...)
	}
	b.reportLag(l.name, lags)
	if l.name == "room for all" {
		b.reportWrites(bursts)
	}
}

// reportLag reports how long the object that waited longest had waited, whenever it was looked at.
func (b *bench) reportLag(when string, lags []float64) {
	b.Report(report.Figure{Name: "recorder lag, p99, " + when, Column: kindSoma, Value: report.Quantile(lags, 0.99) * 1000, Unit: "ms",
		Detail: fmt.Sprintf("of %d looks", len(lags))})
	b.Report(report.Figure{Name: "recorder lag, longest, " + when, Column: kindSoma, Value: report.Quantile(lags, 1) * 1000, Unit: "ms"})
}

// reportWrites reports which writes there are, those that all kinds make first.
func (b *bench) reportWrites(bursts map[string][]burst) {
	for _, k := range kinds {
		total := scrape.Counts{}
		for _, one := range bursts[k.name] {
			total = total.Plus(one.serverWrites)
		}
		mean := total.Each(float64(max(len(bursts[k.name]), 1)))
		for _, request := range mean.Frequent(0.05) {
			b.writes.Report(report.Figure{Name: request, Column: k.name, Value: mean[request]})
		}
	}
}
