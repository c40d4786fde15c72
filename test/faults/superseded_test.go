package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/internal/testing/manager"
)

// A leader decides on a job and is cut off with the reservation under way. The next leader gives the same to another job. When the
// reservation of the first one arrives at last, the quota must hold all the same.
func TestReservationOfASupersededLeader(t *testing.T) {
	eight, four := resource.MustParse("8"), resource.MustParse("4")
	ample := func(above, first, second *v1alpha1.QuotaSpec) { first.Nominal.CPU, second.Nominal.CPU = &eight, &eight }
	for name, tc := range map[string]struct {
		// bound sets the quota above two others, which have two cores each, and those, so that only one of the jobs can have
		// what it asks for.
		bound func(above, first, second *v1alpha1.QuotaSpec)
		asks  func(*v1alpha1.JobSpec)
	}{
		"cores": {func(_, _, _ *v1alpha1.QuotaSpec) {}, func(j *v1alpha1.JobSpec) { j.Resources.CPU = &four }},
		"what a user may hold": {func(above, first, second *v1alpha1.QuotaSpec) {
			ample(above, first, second)
			above.PerUser = &v1alpha1.ResourceAmounts{CPU: &four}
		}, func(j *v1alpha1.JobSpec) { j.SubmittedBy, j.Resources.CPU = "carol", &four }},
		"GPUs of a model": {func(above, first, second *v1alpha1.QuotaSpec) {
			ample(above, first, second)
			above.Nominal.GPUModels = []v1alpha1.GPUModelAmount{{Model: gpuModel, Count: 1}}
		}, func(j *v1alpha1.JobSpec) { j.Resources.GPU = &v1alpha1.GPUs{Count: 1} }},
	} {
		t.Run(name, func(t *testing.T) {
			s := there.newStory()
			s.quotas, s.projects = s.quotas[:3], s.projects[1:] // guest and owner share what there is
			tc.bound(specOf(s.quotas[0]), specOf(s.quotas[1]), specOf(s.quotas[2]))
			s.superseded(t, s.job(guest, "first", kubelet.RunUntilEnded(), tc.asks), s.job(owner, "second", kubelet.RunUntilEnded(), tc.asks))
		})
	}
}

func specOf(quota client.Object) *v1alpha1.QuotaSpec {
	return &quota.(*v1alpha1.Quota).Spec //nolint:forcetypeassert // it is one
}

// superseded has one leader decide on the first job and the next one on the second.
func (s *story) superseded(t *testing.T, first, second *v1alpha1.Job) {
	ctx := t.Context()
	start := len(there.happened.Events())
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
		t.Fatalf("%v\nTo do it again: %s", err, command(t))
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
		again(t, err)
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
