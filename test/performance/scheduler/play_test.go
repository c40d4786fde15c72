package main

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/server"
)

// decider is a scheduler that reserves at once; the first attempt of a job of a name has to give way at once, too.
func decider(ctx context.Context, c client.WithWatch, events watch.Interface, displaced string) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-events.ResultChan():
			job, ok := event.Object.(*platformv1.Job)
			if !ok || job.Status.Phase == platformv1.JobSucceeded {
				continue
			}
			before := job.DeepCopy()
			if job.Status.Reservation != nil {
				continue
			}
			job.Status.Attempt++
			job.Status.Reservation = &platformv1.Reservation{Attempt: job.Status.Attempt}
			if job.Name == displaced && job.Status.Attempt == 1 {
				job.Status.Reservation.Ending = platformv1.JobReasonPreempted
			}
			// One that has changed meanwhile is seen again.
			err := c.Status().Patch(ctx, job, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
			if err != nil && !apierrors.IsConflict(err) && ctx.Err() == nil {
				return err
			}
		}
	}
}

// asAsked gives those who ask for unstructured objects such: the fake client's watch has them as they were stored.
func asAsked(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) (watch.Interface, error) {
	events, err := c.Watch(ctx, list, options...)
	if _, is := list.(*unstructured.UnstructuredList); !is || err != nil {
		return events, err
	}
	return watch.Filter(events, func(event watch.Event) (watch.Event, bool) {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(event.Object)
		event.Object = &unstructured.Unstructured{Object: content}
		return event, err == nil
	}), nil
}

// TestPlay: every job is ended after it has run, one that has to give way lets go of its place and is ended later, and one that
// never ends is left alone.
func TestPlay(t *testing.T) {
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&platformv1.Job{}).
		WithInterceptorFuncs(interceptor.Funcs{Watch: asAsked}).Build()
	events, err := c.Watch(t.Context(), &platformv1.JobList{})
	if err != nil {
		t.Fatal(err)
	}
	l := load{name: "play", cohorts: 1, queues: 2, classes: []class{
		{name: "slow", count: 3, every: time.Millisecond, runs: 20 * time.Millisecond},
		{name: "fast", count: 5, runs: 10 * time.Millisecond},
	}}
	endless := load{name: "endless", cohorts: 1, queues: 1, classes: []class{{name: "endless", count: 1}}}
	ctx, cancel := context.WithCancel(t.Context())
	var deciding sync.WaitGroup
	failed := make(chan error, 1)
	deciding.Go(func() { failed <- decider(ctx, c, events, "slow-1") })
	r := newRun(&plane{Server: &server.Server{WithWatch: c}, system: &soma{}}, l.jobs())
	err = r.play(ctx, func(ctx context.Context) error {
		return errors.Join(r.generate(ctx, &endless), r.generate(ctx, &l), r.reach(ctx, l.jobs()+1))
	})
	cancel()
	deciding.Wait()
	if err := errors.Join(err, <-failed); err != nil {
		t.Fatal(err)
	}
	if r.displaced != 2 { // in each queue
		t.Errorf("%d jobs gave way, want 2", r.displaced)
	}
	if got := len(r.waits("")); got != l.jobs()+1 {
		t.Errorf("%d jobs had a reservation, want %d", got, l.jobs()+1)
	}
	list := &platformv1.JobList{}
	if err := c.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	ended := 0
	for i := range list.Items {
		if job := &list.Items[i]; job.Status.Phase == platformv1.JobSucceeded && job.Status.Reservation == nil {
			ended++
		} else if job.Name != "endless-0" {
			t.Errorf("job %s is %s", job.Name, job.Status.Phase)
		}
	}
	if ended != l.jobs() {
		t.Errorf("%d jobs ended, want %d", ended, l.jobs())
	}
}

// TestSeenAnew: what happened while a watch began anew is not lost: a job that has to give way once more is let go once more.
func TestSeenAnew(t *testing.T) {
	l := load{cohorts: 1, queues: 1, classes: []class{{name: "small", count: 1, runs: time.Millisecond}}}
	s := &soma{}
	r := newRun(&plane{system: s}, l.jobs())
	q := l.all()[0]
	r.submitted(q, "small-0", &l.classes[0])
	for attempt := range 2 {
		job := s.job(q, &l.classes[0], "small-0")
		job.Object["status"] = map[string]any{"reservation": map[string]any{"attempt": int64(attempt), "ending": "Preempted"}}
		r.see(job)
		if key := <-r.jobs; key.Name != "small-0" {
			t.Errorf("got %s", key)
		}
	}
}
