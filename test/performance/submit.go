package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// waitTime bounds every wait for jobs: a run that hangs fails.
	waitTime = 20 * time.Minute
	// creators is how many clients submit at the same time.
	creators = 16
)

// submit creates the objects at once and waits until all are in the state, from the first call to the event that tells it
// of the last.
func (b *bench) submit(ctx context.Context, k *kind, objects []client.Object, reached func(client.Object) bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	events, err := b.Watch(ctx, k.list(), client.InNamespace(place))
	if err != nil {
		return 0, fmt.Errorf("watch: %w", err)
	}
	defer func() { events.Stop() }()
	there := make(map[string]bool, len(objects))
	for _, o := range objects {
		there[o.GetName()] = false
	}
	left := len(objects)
	start := time.Now()
	creating, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		if err := b.create(creating, objects); err != nil {
			stop(err)
		}
	}()
	for left > 0 {
		select {
		case <-creating.Done():
			return 0, fmt.Errorf("%d of %d did not get there: %w", left, len(objects), context.Cause(creating))
		case event, open := <-events.ResultChan():
			if !open { // the API server ended it; a new one begins with all that is there
				if events, err = b.Watch(ctx, k.list(), client.InNamespace(place)); err != nil {
					return 0, fmt.Errorf("watch again: %w", err)
				}
				continue
			}
			object, isObject := event.Object.(client.Object)
			if event.Type == watch.Deleted || !isObject {
				continue
			}
			before, ours := there[object.GetName()]
			if !ours {
				continue
			}
			// A job that waits in the queue may leave it again.
			now := reached(object)
			there[object.GetName()] = now
			switch {
			case now && !before:
				left--
			case before && !now:
				left++
			}
		}
	}
	return time.Since(start), nil
}

// create creates the objects by several clients at the same time.
func (b *bench) create(ctx context.Context, objects []client.Object) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for _, o := range objects {
		group.Go(func() error {
			if err := b.Create(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("create %s: %w", o.GetName(), err)
			}
			return nil
		})
	}
	return group.Wait()
}
