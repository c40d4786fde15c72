package cli

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// drainTime is how long output is waited for after the job's end from a pod that seems to run still: its node is lost.
const drainTime = 5 * time.Second

// attach writes the output of the job's pods to out as it comes, and shows each change of the job to see, until the job
// ended. It returns the job as it was last seen, and errGone when it was deleted before its end.
func (a *app) attach(ctx context.Context, job *v1alpha1.Job, out io.Writer, options logOptions, see func(*v1alpha1.Job)) (*v1alpha1.Job, error) {
	options.follow = true
	reading := newStreams(a, out, job, options)
	selectors := podSelector(job, options.attempt, options.rank)

	watching, stop := context.WithCancel(ctx)
	defer stop()
	var watcher sync.WaitGroup
	var watchError error
	var seen atomic.Pointer[v1alpha1.Job]
	seen.Store(job)
	watcher.Go(func() {
		watchError = a.watch(watching, pods, job.Namespace, selectors, nil, func(u *unstructured.Unstructured, gone bool) (bool, error) {
			pod, err := decode[corev1.Pod](u)
			if err == nil && !gone {
				reading.offer(ctx, pod)
			}
			return false, err
		})
		if apierrors.IsForbidden(watchError) {
			watchError = a.pollPods(watching, &seen, options, func(pod *corev1.Pod) { reading.offer(ctx, pod) })
		}
	})
	last := job
	err := a.followJob(ctx, job, func(now *v1alpha1.Job) (bool, error) {
		last = now
		seen.Store(now)
		see(now)
		past := options.attempt > 0 && now.Status.Attempt > options.attempt
		return past || now.Status.Phase.Finished(), nil
	})
	stop()
	watcher.Wait()
	if err != nil && !errors.Is(err, errGone) {
		// What ended one ended the other, but where nobody reads the output any more.
		if output, unread := reading.wait(), (*writeFailure)(nil); errors.As(output, &unread) {
			err = errors.Join(err, output)
		}
		return last, err
	}
	if err == nil && watchError != nil && !errors.Is(watchError, context.Canceled) {
		err = watchError
	}
	// What the watch had not seen yet when the job ended.
	left, listError := a.podsOf(ctx, last, options.attempt, options.rank)
	for _, pod := range left {
		reading.offer(ctx, pod)
		if _, ended := containerState(pod); !ended {
			timer := time.AfterFunc(drainTime, func() { reading.giveUp(pod) })
			defer timer.Stop()
		}
	}
	return last, errors.Join(err, listError, reading.wait())
}
