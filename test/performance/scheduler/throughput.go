package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/soma-platform/soma/test/performance/report"
	"github.com/soma-platform/soma/test/performance/scrape"
	"github.com/soma-platform/soma/test/performance/server"
)

// outcome is what one load cost, for each job.
type outcome struct {
	rate float64
	// serverCPU, etcdCPU, cpu and ownCPU are in milliseconds: of the API server, of etcd, of the scheduler, and of this program,
	// which submits and ends jobs. memory is in MiB.
	serverCPU, etcdCPU, cpu, ownCPU, memory float64
	writes                                  scrape.Counts
	// waits is how long the jobs of each class waited on average, in seconds.
	waits     map[string]float64
	displaced float64
}

// measure runs a load through a system, on an API server that is new.
func (b *bench) measure(ctx context.Context, s system, l *load) (o outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	p, err := b.ready(ctx, s, l)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	return p.measure(ctx, l)
}

// ready is a new API server with a system and the queues of a load.
func (b *bench) ready(ctx context.Context, s system, l *load) (*plane, error) {
	p, err := startPlane(b.assets, s)
	if err != nil {
		return nil, err
	}
	if err := p.startScheduler(b.profile()...); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	if err := s.prepare(ctx, p, l); err != nil {
		return nil, errors.Join(fmt.Errorf("make the queues of %s: %w", s.title(), err), p.stop())
	}
	return p, nil
}

func (p *plane) measure(ctx context.Context, l *load) (o outcome, err error) {
	before, err := p.spent(ctx)
	if err != nil {
		return o, err
	}
	r := newRun(p, l.jobs())
	if err := r.play(ctx, func(ctx context.Context) error { return r.generate(ctx, l) }); err != nil {
		return o, fmt.Errorf("run the load %q through %s: %w", l.name, p.system.title(), err)
	}
	after, err := p.spent(ctx)
	if err != nil {
		return o, err
	}
	memory, err := p.scheduler.Memory()
	if err != nil {
		return o, err
	}
	jobs := float64(l.jobs())
	o = outcome{
		rate:      jobs / r.last.Sub(r.first).Seconds(),
		serverCPU: (after.server - before.server) / jobs * 1000, etcdCPU: (after.etcd - before.etcd) / jobs * 1000,
		cpu: (after.scheduler - before.scheduler) / jobs * 1000, ownCPU: (after.own - before.own) / jobs * 1000, memory: memory / (1 << 20),
		writes: after.writes.Minus(before.writes).Each(jobs), waits: map[string]float64{}, displaced: float64(r.displaced) / jobs * 1000,
	}
	for _, c := range l.classes {
		waits := r.waits(c.name)
		for _, w := range waits {
			o.waits[c.name] += w / float64(len(waits))
		}
	}
	return o, nil
}

// spent is seconds of CPU, and writes, so far.
type spent struct {
	server, etcd, scheduler, own float64
	writes                       scrape.Counts
}

func (p *plane) spent(ctx context.Context) (s spent, err error) {
	if s.writes, err = p.Writes(ctx); err != nil {
		return s, err
	}
	for of, into := range map[server.Process]*float64{
		p.API: &s.server, p.Etcd: &s.etcd, p.scheduler: &s.scheduler, server.Process(os.Getpid()): &s.own,
	} {
		if *into, err = of.CPU(); err != nil {
			return s, fmt.Errorf("read what a process used: %w", err)
		}
	}
	return s, nil
}

// sideBySide runs a load through all systems, in turn, and reports the medians.
func (b *bench) sideBySide(ctx context.Context, l load, systems []system) error {
	outcomes := map[string][]outcome{}
	for round := range b.rounds {
		for i := range systems {
			s := systems[i]
			if round%2 == 1 { // so that nobody always has the same before it
				s = systems[len(systems)-1-i]
			}
			b.Say("%s, round %d of %d: %d jobs through %s", l.name, round+1, b.rounds, l.jobs(), s.title())
			o, err := b.measure(ctx, s, &l)
			if err != nil {
				return err
			}
			b.Say("%s: %s jobs/s, %s ms of the API server, %s writes, %s ms and %s MiB of its own; load average %s", s.title(),
				report.Number(o.rate), report.Number(o.serverCPU), report.Number(o.writes.Sum()), report.Number(o.cpu), report.Number(o.memory), loadAverage())
			outcomes[s.column()] = append(outcomes[s.column()], o)
		}
	}
	b.reportSideBySide(&l, systems, outcomes)
	return nil
}

func (b *bench) reportSideBySide(l *load, systems []system, outcomes map[string][]outcome) {
	each := func(name, detail, unit string, of func(outcome) float64) {
		for _, s := range systems {
			var values []float64
			for _, o := range outcomes[s.column()] {
				values = append(values, of(o))
			}
			b.ReportMedian(report.Figure{Name: name + ", " + l.name, Column: s.column(), Unit: unit, Detail: detail}, values)
		}
	}
	detail := fmt.Sprintf("%s jobs in %s queues", report.Number(float64(l.jobs())), report.Number(float64(l.cohorts*l.queues)))
	each("jobs from submit to end", detail, "/s", func(o outcome) float64 { return o.rate })
	b.reportRatio(l, systems)
	each("writes at the API server per job", "", "", func(o outcome) float64 { return o.writes.Sum() })
	each("CPU of the API server per job", "", "ms", func(o outcome) float64 { return o.serverCPU })
	each("CPU of etcd per job", "", "ms", func(o outcome) float64 { return o.etcdCPU })
	each("CPU of the scheduler per job", "", "ms", func(o outcome) float64 { return o.cpu })
	each("CPU of the load itself per job", "", "ms", func(o outcome) float64 { return o.ownCPU })
	each("memory of the scheduler", "", "MB", func(o outcome) float64 { return o.memory })
	for _, c := range l.classes {
		each("submit to reserved on average, "+c.name, "", "s", func(o outcome) float64 { return o.waits[c.name] })
	}
	each("jobs that gave way, of 1,000", "", "", func(o outcome) float64 { return o.displaced })
	for _, s := range systems {
		total := scrape.Counts{}
		for _, o := range outcomes[s.column()] {
			total = total.Plus(o.writes)
		}
		mean := total.Each(float64(max(len(outcomes[s.column()]), 1)))
		for _, request := range mean.Frequent(0.02) {
			b.writes.Report(report.Figure{Name: request + ", " + l.name, Column: s.column(), Value: mean[request]})
		}
	}
}

// rate is how many jobs of a load a system ended in a second; 0 where that was not measured.
func (b *bench) rate(load, column string) float64 {
	for _, f := range b.Figures {
		if f.Name == "jobs from submit to end, "+load && f.Column == column {
			return f.Value
		}
	}
	return 0
}

// reportRatio holds Soma against the best of the others.
func (b *bench) reportRatio(l *load, systems []system) {
	best := 0.0
	for _, s := range systems {
		if s.column() != report.Soma {
			best = max(best, b.rate(l.name, s.column()))
		}
	}
	if own := b.rate(l.name, report.Soma); best > 0 && own > 0 {
		b.Report(report.Figure{Name: "against the best column of Kueue, " + l.name, Column: report.Soma, Value: own / best})
	}
}

// againstBaseline holds the other loads against the first.
func (b *bench) againstBaseline() {
	for _, l := range []load{hotQueue(1), manyQueues(1)} {
		if all, this := b.rate(baseline(1).name, report.Soma), b.rate(l.name, report.Soma); all > 0 && this > 0 {
			b.Report(report.Figure{Name: l.name + ", against baseline", Column: report.Soma, Value: this / all})
		}
	}
}
