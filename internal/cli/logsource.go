package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// container is the name of the one container of a job's pod.
const container = "job"

// earlyTime is for how long a refusal of a pod's output is waited out.
const earlyTime = 5 * time.Second

// logOptions say which output is wanted, and how much of it.
type logOptions struct {
	follow, timestamps bool
	tail               int64 // lines from the end, negative for all
	since              *time.Time
	attempt            int32 // 0 for all
	rank               int32 // negative for all
	// begins, where it is set, is told of every pod before its output is read.
	begins func(*corev1.Pod)
}

// podSelector selects the job's pods that the options want.
func podSelector(job *v1alpha1.Job, attempt, rank int32) metav1.ListOptions {
	set := labels.Set{v1alpha1.LabelJob: job.Name, v1alpha1.LabelJobUID: string(job.UID)}
	if attempt > 0 {
		set[v1alpha1.LabelAttempt] = strconv.Itoa(int(attempt))
	}
	if rank >= 0 {
		set[v1alpha1.LabelRank] = strconv.Itoa(int(rank))
	}
	return metav1.ListOptions{LabelSelector: set.String()}
}

// containerState is where the job's container in a pod is.
func containerState(pod *corev1.Pod) (started, ended bool) {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == container {
			return status.State.Running != nil || status.State.Terminated != nil, status.State.Terminated != nil
		}
	}
	return false, pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// streams reads the output of a job's pods side by side, each pod once.
type streams struct {
	app     *app
	job     *v1alpha1.Job
	options logOptions
	prefix  bool // lines are marked with the rank
	out     io.Writer

	mu      sync.Mutex
	started map[types.UID]context.CancelFunc
	err     error
	running sync.WaitGroup
}

func newStreams(a *app, out io.Writer, job *v1alpha1.Job, options logOptions) *streams {
	return &streams{app: a, job: job, options: options, prefix: job.Spec.ReplicaCount() > 1 && options.rank < 0,
		out: &lockedWriter{w: out}, started: map[types.UID]context.CancelFunc{}}
}

// offer begins to read a pod's output if there is one and it is not being read yet.
func (s *streams) offer(ctx context.Context, pod *corev1.Pod) {
	if started, _ := containerState(pod); !started {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.started[pod.UID]; found {
		return
	}
	if s.options.begins != nil {
		s.options.begins(pod)
	}
	parent := ctx
	ctx, s.started[pod.UID] = context.WithCancel(parent)
	s.running.Go(func() {
		err := s.read(ctx, pod)
		if errors.Is(err, context.Canceled) && parent.Err() == nil {
			err = nil // given up
		}
		if err != nil {
			s.mu.Lock()
			s.err = errors.Join(s.err, err)
			s.mu.Unlock()
		}
	})
}

// wait returns when every pod's output ended.
func (s *streams) wait() error {
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// giveUp ends the reading of a pod of which no more comes, as when its node is lost.
func (s *streams) giveUp(pod *corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.started[pod.UID]; cancel != nil {
		cancel()
	}
}

// seen is the number of pods whose output was read.
func (s *streams) seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.started)
}

// read copies the output of a pod's container. While the container runs a broken connection is made anew; after its end
// the rest is read once more, so that what the last break swallowed is not lost. A refusal that may only be early is waited out.
func (s *streams) read(ctx context.Context, pod *corev1.Pod) error {
	out := s.out
	if s.prefix {
		out = &prefixWriter{w: s.out, prefix: []byte("[" + pod.Labels[v1alpha1.LabelRank] + "] ")}
	}
	defer flush(out)
	cursor := &logCursor{}
	follow := s.options.follow
	again := wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 6, Cap: 5 * time.Second}
	begun := time.Now()
	for {
		err := s.copyOnce(ctx, pod, out, cursor, follow)
		var broken *writeFailure
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &broken):
			return err
		case apierrors.IsNotFound(err):
			return nil // the pod is gone; its record says how it ended
		case !follow && !refused(err):
			return err
		}
		if !refused(err) {
			var ended bool
			if ended, err = s.hasEnded(ctx, pod); ended {
				follow = false
				continue
			}
		}
		if refused(err) && !s.early(ctx, err, begun) {
			return s.brokeOff(ctx, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(again.Step()):
		}
	}
}

// early reports that a refusal may be over in a moment: who may read the job and not the whole project is let to its pods by their
// names, which Kubernetes is told of when they are there.
func (s *streams) early(ctx context.Context, err error, begun time.Time) bool {
	if !apierrors.IsForbidden(err) || time.Since(begun) > earlyTime {
		return false
	}
	answer, err := s.app.mayStill(ctx, s.job, v1alpha1.ActionRead)
	return err == nil && answer.Status.Allowed
}

func (s *streams) brokeOff(ctx context.Context, err error) error {
	return s.app.brokeOff(ctx, s.job, v1alpha1.ActionRead, fmt.Sprintf("the output of job %q", s.job.Name), err)
}

func (s *streams) hasEnded(ctx context.Context, pod *corev1.Pod) (bool, error) {
	u, err := s.app.get(ctx, pods, pod.Namespace, pod.Name)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	now, err := decode[corev1.Pod](u)
	if err != nil {
		return false, err
	}
	_, ended := containerState(now)
	return ended || now.UID != pod.UID, nil
}

func (s *streams) copyOnce(ctx context.Context, pod *corev1.Pod, out io.Writer, cursor *logCursor, follow bool) error {
	c, err := s.app.connect()
	if err != nil {
		return err
	}
	options := &corev1.PodLogOptions{Container: container, Follow: follow, Timestamps: true}
	if from := cursor.begin(); from != nil {
		options.SinceTime = &metav1.Time{Time: *from}
	} else {
		if s.options.since != nil {
			options.SinceTime = &metav1.Time{Time: *s.options.since}
		}
		if s.options.tail >= 0 {
			options.TailLines = &s.options.tail
		}
	}
	log, err := c.core.Get().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("log").
		VersionedParams(options, c.params).Stream(ctx)
	if err != nil {
		return fmt.Errorf("the output of pod %q cannot be read: %w", pod.Name, err)
	}
	defer log.Close() //nolint:errcheck // it was only read
	return copyLog(out, log, cursor, s.options.timestamps)
}

// listPods reads the pods that the options select.
func (a *app) listPods(ctx context.Context, namespace string, selectors metav1.ListOptions) ([]*corev1.Pod, error) {
	found, err := a.list(ctx, pods, namespace, selectors, 0)
	if err != nil {
		return nil, err
	}
	return decodePods(found)
}

func decodePods(found *unstructured.UnstructuredList) ([]*corev1.Pod, error) {
	all := make([]*corev1.Pod, 0, len(found.Items))
	for i := range found.Items {
		pod, err := decode[corev1.Pod](&found.Items[i])
		if err != nil {
			return nil, err
		}
		all = append(all, pod)
	}
	return all, nil
}
