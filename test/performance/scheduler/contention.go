package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/soma-platform/soma/test/performance/report"
)

// besides is how many jobs wait for GPUs.
const besides = 100

// measureContention tells whether jobs without GPUs are slower while others in their queue wait for GPUs that never become free.
func (b *bench) measureContention(ctx context.Context, systems []system) error {
	for _, s := range systems {
		var alone, beside []float64
		for round := range max(b.rounds, 3) {
			b.say("full GPUs, round %d: 1,000 jobs without GPUs through %s", round+1, s.title())
			for _, waiting := range []int{0, besides} {
				seconds, err := b.contend(ctx, s, waiting)
				if err != nil {
					return err
				}
				if waiting == 0 {
					alone = append(alone, seconds)
				} else {
					beside = append(beside, seconds)
				}
			}
		}
		of := func(name, unit string, values []float64) {
			b.ReportMedian(report.Figure{Name: name, Column: s.column(), Unit: unit, Detail: "median of " + report.Number(float64(len(values)))}, values)
		}
		of("1,000 CPU jobs beside 8 of GPUs", "s", alone)
		of(fmt.Sprintf("the same with %d that wait for a GPU", besides), "s", beside)
		b.Report(report.Figure{Name: "CPU jobs beside those that wait for a GPU, against without", Column: s.column(), Value: report.Median(beside) / report.Median(alone)})
	}
	return nil
}

// contend returns how many seconds the jobs without GPUs took.
func (b *bench) contend(ctx context.Context, s system, waiting int) (seconds float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	gpus, others := fullGPUs(waiting), besideGPUs()
	p, err := b.ready(ctx, s, &gpus)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	r := newRun(p, others.jobs())
	err = r.play(ctx, func(ctx context.Context) error {
		if err := r.generate(ctx, &gpus); err != nil {
			return err
		}
		if err := r.reach(ctx, gpus.gpus); err != nil {
			return err
		}
		r.beginAnew()
		return r.generate(ctx, &others)
	})
	return r.last.Sub(r.first).Seconds(), err
}
