package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// finishers is how many jobs are ended at the same time.
	finishers = 16
	// again is how soon a job is ended anew that changed meanwhile.
	again = 20 * time.Millisecond
	// reachTime bounds how long reservations are waited for.
	reachTime = 20 * time.Minute
)

// run plays those who submit jobs and those who run them: it makes the jobs of a load, and ends each when it has held its
// reservation for as long as it runs. There are no pods.
type run struct {
	plane *plane
	jobs  chan types.NamespacedName

	mu    sync.Mutex
	known map[types.NamespacedName]*job
	left  int
	// done is closed when no job is left.
	done chan struct{}
	// first and last are when the first job was submitted and when the last one had ended.
	first, last time.Time
	// newest is when the last one was submitted.
	newest    time.Time
	displaced int
}

// job is one of the load, and what is known of it.
type job struct {
	class *class
	// submitted is when it was, reserved when it first had its reservation: zero for not yet.
	submitted, reserved time.Time
	state               state
	object              *unstructured.Unstructured
}

// newRun is a run that is done when so many jobs have ended.
func newRun(p *plane, ending int) *run {
	r := &run{plane: p, jobs: make(chan types.NamespacedName, ending), known: map[types.NamespacedName]*job{}, left: ending, done: make(chan struct{})}
	if ending == 0 {
		close(r.done)
	}
	return r
}

func (r *run) submitted(q queue, name string, c *class) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.first.IsZero() {
		r.first = now
	}
	r.newest = now
	r.known[types.NamespacedName{Namespace: q.name, Name: name}] = &job{class: c, submitted: now}
}

// play follows a script that makes jobs, and returns when it is through and as many have ended as the run was made for.
func (r *run) play(ctx context.Context, script func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	events, err := r.watch(ctx)
	if err != nil {
		return err
	}
	group.Go(func() error { return r.follow(ctx, events) })
	for range finishers {
		group.Go(func() error { return r.act(ctx) })
	}
	finished := errors.New("all is done")
	group.Go(func() error {
		if err := script(ctx); err != nil {
			return err
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
		return finished
	})
	if err := group.Wait(); !errors.Is(err, finished) {
		return err
	}
	return nil
}

// wait returns when all that are to end have ended.
func (r *run) wait(ctx context.Context) error {
	select {
	case <-r.done: // whatever became of the scheduler since
		return nil
	default:
	}
	select {
	case err := <-r.plane.ended:
		return errors.Join(errors.New("the scheduler is gone"), err)
	case <-ctx.Done():
		r.mu.Lock()
		defer r.mu.Unlock()
		return fmt.Errorf("%d jobs have not ended: %w", r.left, ctx.Err())
	case <-r.done:
		return nil
	}
}

func (r *run) watch(ctx context.Context) (watch.Interface, error) {
	list := &unstructured.UnstructuredList{}
	gvk := r.plane.system.kind()
	gvk.Kind += "List"
	list.SetGroupVersionKind(gvk)
	events, err := r.plane.Watch(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("watch jobs: %w", err)
	}
	return events, nil
}

// follow takes what happens to jobs from a watch. Where the API server ends it, a new one begins with all that is there.
func (r *run) follow(ctx context.Context, events watch.Interface) error {
	defer func() { events.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, open := <-events.ResultChan():
			if open {
				if o, ok := event.Object.(*unstructured.Unstructured); ok && event.Type != watch.Deleted {
					r.see(o)
				}
				continue
			}
			var err error
			if events, err = r.watch(ctx); err != nil {
				return err
			}
		}
	}
}

// see takes in what became of a job.
func (r *run) see(o *unstructured.Unstructured) {
	key := client.ObjectKeyFromObject(o)
	now := r.plane.system.state(o)
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.known[key]
	if j == nil || j.state == done {
		return
	}
	before := j.state
	j.state, j.object = now, o
	// A job that is as it was may be so again, where the watch began anew in between.
	switch now {
	case waiting:
		j.object = nil
	case reserved:
		if j.reserved.IsZero() {
			j.reserved = time.Now()
		}
		if j.class.runs > 0 {
			r.due(key, j.class.runs)
		}
	case leaving:
		if before != leaving {
			r.displaced++
		}
		r.due(key, 0)
	case done:
		j.object = nil
		if r.left--; r.left == 0 {
			r.last = time.Now()
			close(r.done)
		}
	}
}

// due has a job looked at in a while.
func (r *run) due(key types.NamespacedName, in time.Duration) {
	time.AfterFunc(in, func() {
		select {
		case r.jobs <- key:
		case <-r.done:
		}
	})
}

// act ends jobs, and lets those go that have to give way.
func (r *run) act(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case key := <-r.jobs:
			if err := r.write(ctx, key); err != nil {
				return err
			}
		}
	}
}

func (r *run) write(ctx context.Context, key types.NamespacedName) error {
	r.mu.Lock()
	j := r.known[key]
	now, o := j.state, j.object
	r.mu.Unlock()
	var status map[string]any
	switch now {
	case reserved:
		status = r.plane.system.finished(o)
	case leaving:
		status = r.plane.system.displaced(o)
	default:
		return nil // what it was waits again, or has ended
	}
	patch, err := (&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "metadata": map[string]any{"resourceVersion": o.GetResourceVersion()}, "status": status,
	}}).MarshalJSON()
	if err != nil {
		return err
	}
	target := object(r.plane.system.kind(), key.Namespace, key.Name, nil)
	err = r.plane.Status().Patch(ctx, target, client.RawPatch(types.MergePatchType, patch))
	if apierrors.IsConflict(err) {
		r.due(key, again)
		return nil
	}
	if err != nil {
		return fmt.Errorf("end job %s: %w", key, err)
	}
	return nil
}

// waits are how long the jobs of a class waited for their first reservation, in seconds; of all where it is empty.
func (r *run) waits(name string) []float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []float64
	for _, j := range r.known {
		if (name == "" || j.class.name == name) && !j.reserved.IsZero() {
			all = append(all, j.reserved.Sub(j.submitted).Seconds())
		}
	}
	return all
}

// beginAnew has the time begin with the next job.
func (r *run) beginAnew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first = time.Time{}
}

// submitting is for how long jobs were submitted.
func (r *run) submitting() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest.Sub(r.first)
}

// reservations is how many jobs hold a reservation or have ended.
func (r *run) reservations() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, j := range r.known {
		if j.state != waiting {
			n++
		}
	}
	return n
}

// reach waits until as many jobs hold a reservation, or have ended.
func (r *run) reach(ctx context.Context, reservations int) error {
	complaint := fmt.Sprintf("there are no %d reservations", reservations)
	return eventually(ctx, reachTime, complaint, func(context.Context) (bool, error) { return r.reservations() >= reservations, nil })
}

// eventually waits for something; complaint says what is wrong when it does not come to hold in time.
func eventually(ctx context.Context, within time.Duration, complaint string, holds func(context.Context) (bool, error)) error {
	if err := wait.PollUntilContextTimeout(ctx, poll, within, true, holds); err != nil {
		return fmt.Errorf("%s: %w", complaint, err)
	}
	return nil
}
