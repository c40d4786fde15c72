package faults

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/internal/testing/manager"
)

// watchTime is for how long it is looked whether something is done that must not be.
const watchTime = 2 * time.Second

// A manager that follows one which was killed sees the pod of a job that runs and not yet its reservation, or the reservation
// and not yet the pod. Neither ends what runs. Nor is the pod removed, and its log with it, of a job that is seen to have ended before its
// pod is.
func TestJobsAndPodsOfDifferentAge(t *testing.T) {
	for name, tc := range map[string]struct {
		behind string
		ends   bool
	}{
		"jobs are behind":                     {"jobs", false},
		"pods are behind":                     {"pods", false},
		"pods of a job that ended are behind": {"pods", true},
	} {
		t.Run(name, func(t *testing.T) {
			start := len(there.happened.Events())
			s := there.newStory()
			s.quotas, s.projects = s.quotas[3:], s.projects[:1] // lab alone
			managers := make([]*manager.Manager, 0, 2)
			err := s.survives(t.Context(), tc.behind, tc.ends, &managers)
			if err == nil {
				err = until(t.Context(), "the log is complete", there.happened.Complete)
			}
			err = errors.Join(err, there.check(start))
			for _, m := range managers[max(0, len(managers)-1):] {
				err = errors.Join(err, m.Stop())
			}
			if err := errors.Join(err, there.clear(t.Context(), s)); err != nil {
				again(t, err)
			}
		})
	}
}

// survives has a job run, or end, the manager killed, and another follow that is behind with some resources.
func (s *story) survives(ctx context.Context, behind string, ends bool, managers *[]*manager.Manager) error {
	first, err := there.start(ctx, 0, nil)
	if err != nil {
		return err
	}
	*managers = append(*managers, first)
	for _, o := range append(append([]client.Object{s.cluster}, s.quotas...), s.projects...) {
		if err := s.Create(ctx, o); err != nil {
			return err
		}
	}
	command, phase, podPhase := kubelet.RunUntilEnded(), v1alpha1.JobRunning, corev1.PodRunning
	if ends {
		command, phase, podPhase = kubelet.Exit(0), v1alpha1.JobSucceeded, corev1.PodSucceeded
	}
	job := s.job(lab, "runs", command, nil)
	if err := errors.Join(s.ready(ctx, s.projects[0]), s.submit(ctx, job)); err != nil {
		return err
	}
	before, err := strconv.ParseInt(job.ResourceVersion, 10, 64)
	if err != nil {
		return err
	}
	if err := s.reaches(phase, 1)(ctx, job); err != nil {
		return err
	}
	if ends {
		before = there.revisionOfPod(job)
	}
	pod, err := s.podOf(ctx, job, podPhase)
	if err != nil {
		return err
	}
	first.Kill()

	var past *faultproxy.Past
	second, err := there.start(ctx, 0, func(proxy *faultproxy.Proxy, _ func()) { past = proxy.ServePast(before, behind) })
	if err != nil {
		return err
	}
	*managers = append(*managers, second)
	defer past.CatchUp()
	err = until(ctx, "the next manager is there", func(context.Context) error {
		if past.Lists() == 0 {
			return errors.New("nothing of the past was served")
		}
		return second.Ready()
	})
	if err != nil {
		return err
	}
	untouched := func(ctx context.Context) error {
		now, err := s.podOf(ctx, job, podPhase)
		if err == nil && now != pod {
			err = fmt.Errorf("its pod is %q, and was %q", now, pod)
		}
		return errors.Join(err, s.is(ctx, job, phase, 1))
	}
	if err := lasts(ctx, untouched); err != nil {
		return fmt.Errorf("while the manager is behind: %w", err)
	}
	past.CatchUp()
	if err := lasts(ctx, untouched); err != nil {
		return fmt.Errorf("when the manager has caught up: %w", err)
	}
	if ends {
		return nil
	}
	return s.steps(ctx, job, s.cancel, s.reaches(v1alpha1.JobCancelled, 1))
}

// revisionOfPod is that of the API server when the pod of a job had been made.
func (w *world) revisionOfPod(job *v1alpha1.Job) int64 {
	for _, e := range w.happened.Events() {
		if e.Pod != nil && e.Pod.Labels[v1alpha1.LabelJobUID] == string(job.UID) {
			return e.Revision
		}
	}
	return 0
}

// podOf is the one pod of a job, by its UID, if it is in a phase and not being removed.
func (s *story) podOf(ctx context.Context, job *v1alpha1.Job, phase corev1.PodPhase) (types.UID, error) {
	pods := &corev1.PodList{}
	if err := s.List(ctx, pods, client.InNamespace(job.Namespace), client.MatchingLabels{v1alpha1.LabelJobUID: string(job.UID)}); err != nil {
		return "", err
	}
	if len(pods.Items) != 1 || pods.Items[0].DeletionTimestamp != nil || pods.Items[0].Status.Phase != phase {
		return "", fmt.Errorf("there are %d pods, or the one is not %s, or is being removed", len(pods.Items), phase)
	}
	return pods.Items[0].UID, nil
}

// lasts looks for a while whether something holds.
func lasts(ctx context.Context, holds func(context.Context) error) error {
	err := wait.PollUntilContextTimeout(ctx, look, watchTime, true, func(ctx context.Context) (bool, error) {
		err := holds(ctx)
		if ctx.Err() != nil {
			err = nil
		}
		return false, err
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return nil
	}
	return err
}
