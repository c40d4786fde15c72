package main

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/report"
)

// measureScale submits Soma jobs at once that do not end, a tenth of them and then the rest, until all exist together: as
// many run, with their pods, as there are GPUs, and the others queue. It watches the manager meanwhile and when nothing
// happens any more.
func (b *bench) measureScale(ctx context.Context, jobs, nodes int, quiet time.Duration) error {
	b.Say("making %d simulated nodes", nodes)
	if err := b.simulate(ctx, nodes); err != nil {
		return err
	}
	have, running := 0, map[string]bool{}
	for _, step := range []struct {
		name string
		jobs int
	}{{"a tenth of the jobs", jobs / 10}, {"all jobs", jobs}} {
		b.Say("%d jobs that exist at the same time", step.jobs)
		var objects []client.Object
		for i := have; i < step.jobs; i++ {
			objects = append(objects, kindNamed(kindSoma).make(fmt.Sprintf("job-%d", i), simulatedAlways))
		}
		have = step.jobs
		var took time.Duration
		filling, err := b.manager.during(ctx, func(ctx context.Context) error {
			var err error
			took, err = b.submit(ctx, kindNamed(kindSoma), objects, func(o client.Object) bool { return settled(o, running) })
			return err
		})
		if err != nil {
			return fmt.Errorf("bring %d jobs into being: %w", step.jobs, err)
		}
		still, err := b.still(ctx, quiet)
		if err != nil {
			return err
		}
		detail := fmt.Sprintf("%s jobs: %s run, %s queue", report.Number(float64(have)), report.Number(float64(len(running))), report.Number(float64(have-len(running))))
		b.reportScale(step.name, detail, float64(len(objects))/took.Seconds(), filling, still)
	}
	return nil
}

// settled reports whether a job runs, or was told its place in the queue; it notes which run.
func settled(o client.Object, running map[string]bool) bool {
	job, isJob := o.(*platformv1.Job)
	if !isJob {
		return false
	}
	if job.Status.Phase == platformv1.JobRunning {
		running[job.Name] = true
		return true
	}
	delete(running, job.Name)
	return job.Status.Queue != nil && job.Status.Queue.Position > 0
}

// still watches the manager for a time in which nothing happens, once the history has everything.
func (b *bench) still(ctx context.Context, quiet time.Duration) (window, error) {
	err := b.eventually(ctx, waitTime, "the history does not take up everything", func(ctx context.Context) (bool, error) {
		now, err := b.manager.sample(ctx)
		return now.values[backlog] == 0, err
	})
	if err != nil {
		return nil, err
	}
	return b.manager.during(ctx, func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quiet):
			return nil
		}
	})
}

func (b *bench) reportScale(when, detail string, rate float64, filling, still window) {
	soma := func(name string, value float64, unit string) {
		b.Report(report.Figure{Name: name + ", " + when, Column: kindSoma, Value: value, Unit: unit, Detail: detail})
		detail = ""
	}
	const mebi = 1 << 20
	soma("manager memory at its peak", max(filling.peak(memory), still.peak(memory))/mebi, "MB")
	soma("manager CPU while they come", filling.rate(cpu), "cores")
	soma("manager CPU when nothing happens", still.rate(cpu), "cores")
	soma("API writes of the manager when nothing happens", still.rate(writes), "/s")
	soma("submitted to running or queued", rate, "/s")
	soma("recorded transitions", filling.rate(recorded), "/s")
	b.reportLag(when, filling.values(lag))
	soma("recorder backlog, most", filling.peak(backlog), "jobs")
}
