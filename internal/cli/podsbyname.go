package cli

import (
	"context"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

// Who may see one job of a project, and not all, may not list its pods: Kubernetes has no lists of what one may see. They
// are read by their names, which follow from the job.

const (
	// attemptsBack is of how many attempts, from the newest on, pods are looked for by name.
	attemptsBack = 3
	// pollTime is how often new pods are looked for by name.
	pollTime = time.Second
)

// podsOf reads the pods of a job: of an attempt, or of those that are there still; of a rank, or of all.
func (a *app) podsOf(ctx context.Context, job *v1alpha1.Job, attempt, rank int32) ([]*corev1.Pod, error) {
	found, err := a.listPods(ctx, job.Namespace, podSelector(job, attempt, rank))
	if !apierrors.IsForbidden(err) {
		return found, err
	}
	if attempt > 0 {
		return a.podsByName(ctx, job, attempt, rank)
	}
	for n := job.Status.Attempt; n > 0 && n > job.Status.Attempt-attemptsBack; n-- {
		if found, err = a.podsByName(ctx, job, n, rank); err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// podsByName reads the pods of an attempt one by one. What one may not see does not exist.
func (a *app) podsByName(ctx context.Context, job *v1alpha1.Job, attempt, rank int32) ([]*corev1.Pod, error) {
	first, last := int32(0), job.Spec.ReplicaCount()-1
	if rank >= 0 {
		first, last = rank, min(rank, last)
	}
	var found []*corev1.Pod
	for n := first; n <= last; n++ {
		u, err := a.get(ctx, pods, job.Namespace, workload.PodName(job, attempt, n))
		if unseen(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		pod, err := decode[corev1.Pod](u)
		if err != nil {
			return nil, err
		}
		if pod.Labels[v1alpha1.LabelJobUID] == string(job.UID) {
			found = append(found, pod)
		}
	}
	return found, nil
}

// pollPods offers the pods of a job as they come, until the context ends: those of the attempt in which the job was last
// seen, or of the one that is wanted. That one may read a new pod is known a moment after it is there.
func (a *app) pollPods(ctx context.Context, seen *atomic.Pointer[v1alpha1.Job], options logOptions, offer func(*corev1.Pod)) error {
	for tick := time.NewTicker(pollTime); ; {
		job := seen.Load()
		attempt := job.Status.Attempt
		if options.attempt > 0 {
			attempt = options.attempt
		}
		if attempt > 0 {
			found, err := a.podsByName(ctx, job, attempt, options.rank)
			if err != nil {
				tick.Stop()
				return err
			}
			for _, pod := range found {
				offer(pod)
			}
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return ctx.Err()
		case <-tick.C:
		}
	}
}
