package faults

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/internal/testing/kubelet"
)

// A leader that has read a reservation, and is about to make its pods, is paused past its lease. The next one makes them, a
// person cancels the job, its pods end, and the reservation is released. Then the first one goes on where it was. It must
// make no pod: there is no reservation any more.
func TestPodsOfALeaderThatWasPaused(t *testing.T) {
	ctx := t.Context()
	start := len(there.happened.Events())
	s := there.newStory()
	s.quotas, s.projects = s.quotas[3:], s.projects[:1] // lab alone
	gang := s.job(lab, "gang", kubelet.RunUntilEnded(), func(j *v1alpha1.JobSpec) { j.Replicas = ptr.To(int32(3)) })

	var old *process
	var before *faultproxy.Hold
	managers, leader, err := two(ctx, func(p *process) {
		old = p
		// The name of a gang's job is the last that is made before its pods.
		before = p.proxy.Hold(1, func(w faultproxy.Write) bool { return w.What == "create services lab/gang" }, func() { p.signal(syscall.SIGSTOP) })
	})
	if err != nil {
		t.Fatalf("%v\nTo do it again: %s", err, command(t))
	}
	err = func() error {
		for _, o := range append(append([]client.Object{s.cluster}, s.quotas...), s.projects...) {
			if err := s.Create(ctx, o); err != nil {
				return err
			}
		}
		if err := s.ready(ctx, s.projects[0]); err != nil {
			return err
		}
		if err := s.submit(ctx, gang); err != nil {
			return err
		}
		if err := until(ctx, "the leader is about to make pods", held(before)); err != nil {
			return err
		}
		if _, err := there.led(ctx, leader); err != nil {
			return err
		}
		if err := s.steps(ctx, gang, s.reaches(v1alpha1.JobRunning, 1), s.cancel, s.reaches(v1alpha1.JobCancelled, 1), s.podless); err != nil {
			return err
		}
		old.signal(syscall.SIGCONT)
		before.Release()
		return until(ctx, "the old leader has seen that it does not lead", func(context.Context) error {
			select {
			case <-old.ended:
				return nil
			default:
				return errors.New("it still runs")
			}
		})
	}()
	before.Release()
	if err == nil {
		err = until(ctx, "the log is complete", there.happened.Complete)
	}
	err = errors.Join(err, managers.end(), there.check(start), there.clear(ctx, s))
	if err != nil {
		again(t, err)
	}
}

// podless waits until no pod of a job is left.
func (s *story) podless(ctx context.Context, job *v1alpha1.Job) error {
	return until(ctx, "its pods are gone", func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := s.List(ctx, pods, client.InNamespace(job.Namespace), client.MatchingLabels{v1alpha1.LabelJobUID: string(job.UID)}); err != nil {
			return err
		}
		if len(pods.Items) > 0 {
			return fmt.Errorf("there are %d", len(pods.Items))
		}
		return nil
	})
}
