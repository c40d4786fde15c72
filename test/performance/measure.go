package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// waitTime bounds every wait: a run that hangs fails.
const waitTime = 10 * time.Minute

// creators is how many clients submit at the same time.
const creators = 16

// measureStarts times one start after another, kind by kind in turn, so that all kinds see the same machine.
func (b *bench) measureStarts(ctx context.Context, n int) error {
	times := map[string][]float64{}
	for i := range n {
		for _, k := range kinds {
			object := k.make(b, fmt.Sprintf("start-%s-%d", short(k), i), false)
			took, err := b.timed(ctx, k, []client.Object{object}, k.running)
			if err != nil {
				return fmt.Errorf("start a %s: %w", k.name, err)
			}
			times[k.name] = append(times[k.name], took.Seconds()*1000)
			if err := b.Delete(ctx, object, client.PropagationPolicy("Background")); err != nil {
				return fmt.Errorf("end a %s: %w", k.name, err)
			}
		}
	}
	for _, k := range kinds {
		b.report("submit to running, "+k.name+", p50", quantile(times[k.name], 0.5), "ms")
		b.report("submit to running, "+k.name+", p99", quantile(times[k.name], 0.99), "ms")
	}
	b.report("start ratio p50", quantile(times["Soma Job"], 0.5)/quantile(times["pod"], 0.5), "x")
	return nil
}

// measureThroughput times many short jobs on simulated nodes, from the first submit to the last end.
func (b *bench) measureThroughput(ctx context.Context, n int) error {
	rates := map[string]float64{}
	for _, k := range kinds {
		objects := make([]client.Object, n)
		for i := range objects {
			objects[i] = k.make(b, fmt.Sprintf("many-%s-%d", short(k), i), true)
		}
		before, err := b.managerMetrics(ctx)
		if err != nil {
			return err
		}
		took, err := b.timed(ctx, k, objects, k.finished)
		if err != nil {
			return fmt.Errorf("run %d of %s: %w", n, k.name, err)
		}
		rates[k.name] = float64(n) / took.Seconds()
		b.report(fmt.Sprintf("created to finished, %d of %s", n, k.name), rates[k.name], "1/s")
		if k.name != "Soma Job" {
			continue
		}
		after, err := b.managerMetrics(ctx)
		if err != nil {
			return err
		}
		b.report("API writes of the manager per job", (after.writes-before.writes)/float64(n), "")
		b.report("manager CPU per job", (after.cpu-before.cpu)/float64(n)*1000, "ms")
		b.report("manager memory", after.memory/(1<<20), "MB")
		b.report("recorded transitions", (after.recorded-before.recorded)/took.Seconds(), "1/s")
	}
	b.report("throughput ratio to batch/v1 Job", rates["Soma Job"]/rates["batch/v1 Job"], "x")
	return nil
}

// timed creates the objects and waits until all are in the state.
func (b *bench) timed(ctx context.Context, k kind, objects []client.Object, reached func(client.Object) bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	events, err := b.Watch(ctx, k.list(), client.InNamespace(b.namespace), client.MatchingLabels{label: b.run})
	if err != nil {
		return 0, fmt.Errorf("watch: %w", err)
	}
	defer func() { events.Stop() }()
	waiting := map[string]bool{}
	for _, o := range objects {
		waiting[o.GetName()] = true
	}
	start := time.Now()
	group, creating := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	go func() {
		for _, o := range objects {
			group.Go(func() error { return b.Create(creating, o) })
		}
		if err := group.Wait(); err != nil {
			fmt.Println("create:", err)
			cancel()
		}
	}()
	for len(waiting) > 0 {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%d of %d did not get there in time", len(waiting), len(objects))
		case event, open := <-events.ResultChan():
			if !open { // the API server ended it; a new one begins with all that is there
				if events, err = b.Watch(ctx, k.list(), client.InNamespace(b.namespace), client.MatchingLabels{label: b.run}); err != nil {
					return 0, fmt.Errorf("watch again: %w", err)
				}
				continue
			}
			object, isObject := event.Object.(client.Object)
			if event.Type == watch.Deleted || !isObject || !waiting[object.GetName()] || !reached(object) {
				continue
			}
			delete(waiting, object.GetName())
		}
	}
	return time.Since(start), nil
}

func short(k kind) string {
	return strings.ToLower(strings.NewReplacer("batch/v1 Job", "batch", "Soma Job", "soma").Replace(k.name))
}

// quantile of values, by the nearest rank.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
