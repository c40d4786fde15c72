package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// creators is how many jobs of a class are made at the same time that come as fast as the API server takes them.
const creators = 16

// generate makes the jobs of a load: those of each class and queue one after another, at their pace or as fast as they are taken.
func (r *run) generate(ctx context.Context, l *load) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, q := range l.all() {
		for i := range l.classes {
			c := &l.classes[i]
			group.Go(func() error { return r.generateClass(ctx, q, c) })
		}
	}
	return group.Wait()
}

func (r *run) generateClass(ctx context.Context, q queue, c *class) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	due := time.Now()
	for i := range c.count {
		if c.every > 0 {
			if due = due.Add(c.every); !c.steady {
				due = time.Now().Add(c.every)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Until(due)):
			}
			if err := r.make(ctx, q, c, i); err != nil {
				return err
			}
			continue
		}
		group.Go(func() error { return r.make(ctx, q, c, i) })
	}
	return group.Wait()
}

func (r *run) make(ctx context.Context, q queue, c *class, i int) error {
	name := c.jobName(i)
	r.submitted(q, name, c)
	if err := r.plane.Create(ctx, r.plane.system.job(q, c, name)); err != nil {
		return fmt.Errorf("make job %s/%s: %w", q.name, name, err)
	}
	return nil
}
