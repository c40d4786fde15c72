package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/soma-platform/soma/test/performance/report"
)

// measureLatency tells how soon a job has its reservation for which there is room.
func (b *bench) measureLatency(ctx context.Context, systems []system) error {
	for _, s := range systems {
		l := stream(b.part)
		b.Say("%s: %d jobs through %s", l.name, l.jobs(), s.title())
		waits, rate, err := b.stream(ctx, s, &l)
		if err != nil {
			return err
		}
		for _, q := range []struct {
			name string
			of   float64
		}{{"p50", 0.5}, {"p99", 0.99}} {
			b.Report(report.Figure{
				Name: "submit to reserved, " + q.name, Column: s.column(), Value: report.Quantile(waits, q.of) * 1000, Unit: "ms",
				Detail: fmt.Sprintf("%s jobs, %s in a second, 1,000 nodes of 8 GPUs", report.Number(float64(len(waits))), report.Number(rate)),
			})
		}
	}
	return nil
}

func (b *bench) stream(ctx context.Context, s system, l *load) (waits []float64, rate float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	p, err := b.ready(ctx, s, l)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	r := newRun(p, l.jobs())
	err = r.play(ctx, func(ctx context.Context) error { return r.generate(ctx, l) })
	return r.waits(""), float64(l.jobs()) / r.submitting().Seconds(), err
}
