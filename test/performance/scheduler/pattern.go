package main

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// patternPart makes of the load one job that runs, and five that wait, in each queue.
const patternPart = 1000

// makePattern makes a few jobs as they are to be there in numbers: the scheduler has decided on each. None runs afterwards.
func (p *plane) makePattern(ctx context.Context, pattern *load) error {
	if err := p.startScheduler(); err != nil {
		return err
	}
	r := newRun(p, 0)
	err := r.play(ctx, func(ctx context.Context) error {
		if err := r.generate(ctx, pattern); err != nil {
			return err
		}
		return eventually(ctx, readyTime, "not all jobs were decided on", func(ctx context.Context) (bool, error) {
			var jobs platformv1.JobList
			if err := p.List(ctx, &jobs); err != nil {
				return false, err
			}
			decided := 0
			for i := range jobs.Items {
				if status := &jobs.Items[i].Status; status.Reservation != nil || status.Queue != nil {
					decided++
				}
			}
			return decided == pattern.jobs(), nil
		})
	})
	return errors.Join(err, p.stopScheduler())
}

// widen gives the quotas what those of a larger load have.
func (p *plane) widen(ctx context.Context, l *load) error {
	quotas, _ := somaQueues(l)
	for _, wide := range quotas {
		quota := &platformv1.Quota{}
		if err := p.Get(ctx, client.ObjectKeyFromObject(wide), quota); err != nil {
			return err
		}
		quota.Spec = wide.(*platformv1.Quota).Spec //nolint:forcetypeassert // they are quotas
		if err := p.Update(ctx, quota); err != nil {
			return fmt.Errorf("widen quota %s: %w", quota.Name, err)
		}
	}
	return nil
}

// counted waits until the quotas tell of all jobs.
func (p *plane) counted(ctx context.Context, l *load) error {
	running, _ := l.total()
	return eventually(ctx, readyTime, "the quotas do not tell of all jobs", func(ctx context.Context) (bool, error) {
		var quotas platformv1.QuotaList
		if err := p.List(ctx, &quotas); err != nil {
			return false, err
		}
		var held, wait int
		for i := range quotas.Items {
			q := &quotas.Items[i]
			if q.Spec.Parent != "" && q.Status.Used != nil && q.Status.Used.RunningJobs != nil {
				held, wait = held+int(*q.Status.Used.RunningJobs), wait+int(q.Status.WaitingJobs)
			}
		}
		return held == running && wait == l.jobs()-running, nil
	})
}
