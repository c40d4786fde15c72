package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/internal/testing/manager"
)

// A leader decides on a job and is cut off with the reservation under way. The next leader gives the same cores to another
// job. When the reservation of the first one arrives at last, the quota must hold all the same.
func TestReservationOfASupersededLeader(t *testing.T) {
	ctx := t.Context()
	start := len(there.happened.Events())
	s := there.newStory()
	s.quotas, s.projects = s.quotas[:3], s.projects[1:] // guest and owner share 4 cores
	all := func(j *v1alpha1.JobSpec) { j.Resources.CPU = ptr.To(resource.MustParse("4")) }
	first := s.job(guest, "first", kubelet.RunUntilEnded(), all)
	second := s.job(owner, "second", kubelet.RunUntilEnded(), all)
	second.Spec.Priority = v1alpha1.PriorityHigh

	reserves := func(job *v1alpha1.Job, yes bool) func(faultproxy.Write) bool {
		what := "patch jobs/status " + job.Namespace + "/" + job.Name
		return func(w faultproxy.Write) bool {
			return w.What == what && bytes.Contains(w.Body, []byte(`"reservation":{`)) == yes
		}
	}
	var late, refusals *faultproxy.Hold
	old, err := there.start(ctx, shortLease, func(proxy *faultproxy.Proxy, _ func()) { late = proxy.Hold(1, reserves(first, true), nil) })
	if err != nil {
		t.Fatal(err)
	}
	var next *manager.Manager
	err = func() error {
		for _, o := range append(append([]client.Object{s.cluster}, s.quotas...), s.projects...) {
			if err := s.Create(ctx, o); err != nil {
				return err
			}
		}
		for _, p := range s.projects {
			if err := s.ready(ctx, p); err != nil {
				return err
			}
		}
		if err := s.submit(ctx, first); err != nil {
			return err
		}
		if err := until(ctx, "the reservation is under way", held(late)); err != nil {
			return err
		}
		old.Proxy.Cut()
		if err := s.submit(ctx, second); err != nil {
			return err
		}
		// That the next leader tells the first job why it waits would change that job, and so refuse the reservation by luck.
		if next, err = there.start(ctx, shortLease, func(proxy *faultproxy.Proxy, _ func()) {
			refusals = proxy.Hold(100, reserves(first, false), nil)
		}); err != nil {
			return err
		}
		if err := until(ctx, "the next leader has decided", func(ctx context.Context) error { return anyReserved(ctx, first, second) }); err != nil {
			return err
		}
		late.Release()
		return until(ctx, "the late reservation has arrived", func(context.Context) error {
			if !late.Arrived() {
				return errors.New("it is under way")
			}
			return nil
		})
	}()
	late.Release()
	if refusals != nil {
		refusals.Release()
	}
	if err == nil {
		err = until(ctx, "the log is complete", there.happened.Complete)
	}
	err = errors.Join(err, there.check(start))
	old.Kill()
	if next != nil {
		err = errors.Join(err, next.Stop())
	}
	if err := errors.Join(err, there.clear(ctx, s)); err != nil {
		t.Errorf("%v\nTo do it again: make test-faults RUN=%s", err, t.Name())
	}
}

func held(hold *faultproxy.Hold) func(context.Context) error {
	return func(context.Context) error {
		if len(hold.Held()) == 0 {
			return errors.New("nothing is held back")
		}
		return nil
	}
}

func anyReserved(ctx context.Context, jobs ...*v1alpha1.Job) error {
	for _, job := range jobs {
		if err := there.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return err
		}
		if job.Status.Reservation != nil {
			return nil
		}
	}
	return fmt.Errorf("none of %d jobs holds a reservation", len(jobs))
}
