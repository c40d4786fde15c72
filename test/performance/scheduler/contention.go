package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/soma-platform/soma/test/performance/report"
)

// besides is how many jobs wait for GPUs.
const besides = 100

// contended is what the jobs without GPUs cost: seconds until the last has ended, and for each writes at the API server and
// milliseconds of CPU, the API server's and the scheduler's.
type contended struct{ seconds, writes, serverCPU, cpu float64 }

// measureContention tells whether jobs without GPUs are slower while others in their queue wait for GPUs that never become free.
func (b *bench) measureContention(ctx context.Context, systems []system) error {
	for _, s := range systems {
		var alone, beside []contended
		for round := range max(b.rounds, 3) {
			b.Say("full GPUs, round %d: 1,000 jobs without GPUs through %s", round+1, s.title())
			for _, waiting := range []int{0, besides} {
				c, err := b.contend(ctx, s, waiting)
				if err != nil {
					return err
				}
				b.Say("with %d that wait: %s s, %s writes, %s ms of the API server, %s ms of its own", waiting,
					report.Number(c.seconds), report.Number(c.writes), report.Number(c.serverCPU), report.Number(c.cpu))
				if waiting == 0 {
					alone = append(alone, c)
				} else {
					beside = append(beside, c)
				}
			}
		}
		ratio := b.reportContended(s, "1,000 CPU jobs beside 8 of GPUs", alone)
		ratio = b.reportContended(s, fmt.Sprintf("the same with %d that wait for a GPU", besides), beside) / ratio
		b.Report(report.Figure{Name: "CPU jobs beside those that wait for a GPU, against without", Column: s.column(), Value: ratio})
	}
	return nil
}

// reportContended reports the medians of some rounds, and returns that of the time.
func (b *bench) reportContended(s system, name string, rounds []contended) float64 {
	median := func(name, unit string, of func(contended) float64) float64 {
		var values []float64
		for _, c := range rounds {
			values = append(values, of(c))
		}
		b.ReportMedian(report.Figure{Name: name, Column: s.column(), Unit: unit, Detail: "median of " + report.Number(float64(len(values)))}, values)
		return report.Median(values)
	}
	median(name+": writes at the API server per job", "", func(c contended) float64 { return c.writes })
	median(name+": CPU of the API server per job", "ms", func(c contended) float64 { return c.serverCPU })
	median(name+": CPU of the scheduler per job", "ms", func(c contended) float64 { return c.cpu })
	return median(name, "s", func(c contended) float64 { return c.seconds })
}

// contend runs the jobs without GPUs, with so many others that wait.
func (b *bench) contend(ctx context.Context, s system, waiting int) (c contended, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	gpus, others := fullGPUs(waiting), besideGPUs()
	p, err := b.ready(ctx, s, &gpus)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	r := newRun(p, others.jobs())
	var before spent
	err = r.play(ctx, func(ctx context.Context) error {
		if err := r.generate(ctx, &gpus); err != nil {
			return err
		}
		if err := r.reach(ctx, gpus.gpus); err != nil {
			return err
		}
		var err error
		if before, err = p.spent(ctx); err != nil {
			return err
		}
		r.beginAnew()
		return r.generate(ctx, &others)
	})
	if err != nil {
		return c, err
	}
	after, err := p.spent(ctx)
	if err != nil {
		return c, err
	}
	jobs := float64(others.jobs())
	return contended{
		seconds: r.last.Sub(r.first).Seconds(), writes: after.writes.Minus(before.writes).Each(jobs).Sum(),
		serverCPU: (after.server - before.server) / jobs * 1000, cpu: (after.scheduler - before.scheduler) / jobs * 1000,
	}, nil
}
