package workload

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// maxWords bounds what is kept of a container's last words.
const maxWords = 1024

// AttemptState is where an attempt is, as its pods tell.
type AttemptState int

// The states of an attempt.
const (
	// AttemptStarting: not every replica runs yet.
	AttemptStarting AttemptState = iota
	// AttemptRunning: every replica runs or has ended well, and at least one runs.
	AttemptRunning
	// AttemptSucceeded: every replica ended with exit code 0.
	AttemptSucceeded
	// AttemptFailed: a replica ended badly or cannot start.
	AttemptFailed
)

// Observation is what the pods of an attempt tell.
type Observation struct {
	State AttemptState
	// Reason and Message of a start that takes its time, or of the end.
	Reason  platformv1.JobReason
	Message string
	// ExitCode of the replica that ended the attempt.
	ExitCode *int32
	// Node of that replica, or of the one whose start has been failing for longest, or of the first.
	Node string
	// Started is when the last replica began to run; zero where one did not, or has no pod that could tell.
	Started time.Time
	// Finished is when the attempt ended; zero while it has not.
	Finished time.Time
	// ImageDigest that runs.
	ImageDigest string
	// Alive are the pods that hold resources still.
	Alive []*corev1.Pod
	// Missing are the ranks without a pod.
	Missing []int32
	// Made is when the newest of the pods was made; zero where there is none.
	Made time.Time
	// Waiting is since when the start of a replica has been failing; zero where none is.
	Waiting time.Time
	// Unbound reports that a replica has not been bound to its node.
	Unbound bool
	// Uncertain reports that only events tell how far the start of a replica is; see Uncertain.
	Uncertain bool

	// first of the replicas that failed.
	first replica
}

// Observe reads the pods of one attempt; pods[rank] is nil where there is none. Events are those of pods that are slow to
// start, by UID, as far as they are known.
func Observe(pods []*corev1.Pod, events map[types.UID][]corev1.Event) Observation {
	seen := Observation{}
	began, running, succeeded := 0, 0, 0
	for rank, p := range pods {
		if p == nil {
			seen.Missing = append(seen.Missing, int32(rank))
			continue
		}
		if p.CreationTimestamp.After(seen.Made) {
			seen.Made = p.CreationTimestamp.Time
		}
		if !Ended(p) {
			seen.Alive = append(seen.Alive, p)
		}
		if seen.Node == "" {
			seen.Node = p.Spec.NodeName
		}
		r := replicaOf(p, events[p.UID])
		seen.ImageDigest = firstOf(seen.ImageDigest, r.digest)
		if !r.started.IsZero() {
			began++
		}
		if r.started.After(seen.Started) {
			seen.Started = r.started
		}
		switch r.state {
		case AttemptFailed:
			seen.fail(r, p.Spec.NodeName)
		case AttemptSucceeded:
			succeeded++
			if r.finished.After(seen.Finished) && seen.State != AttemptFailed {
				seen.Finished = r.finished
			}
		case AttemptRunning:
			running++
		case AttemptStarting:
			seen.starting(r, p)
		}
	}
	seen.conclude(len(pods), running, succeeded)
	if began < len(pods) {
		seen.Started = time.Time{}
	}
	return seen
}

// fail takes the replica that ended first as the one that ended the attempt: the others follow from it.
func (o *Observation) fail(r replica, node string) {
	if o.State == AttemptFailed && !r.goesBefore(o.first) {
		return
	}
	o.first = r
	o.State, o.Reason, o.Message, o.ExitCode = AttemptFailed, r.reason, r.message, r.exitCode
	o.Finished, o.Node = r.finished, node
}

func (o *Observation) starting(r replica, p *corev1.Pod) {
	if o.State == AttemptFailed {
		return
	}
	if o.Reason == "" || !r.waiting.IsZero() || r.message != "" && strings.HasPrefix(o.Message, gangUnbound) {
		o.Reason, o.Message = r.reason, r.message
	}
	if !r.waiting.IsZero() && (o.Waiting.IsZero() || r.waiting.Before(o.Waiting)) {
		o.Waiting, o.Node = r.waiting, p.Spec.NodeName
	}
	o.Unbound = o.Unbound || p.Spec.NodeName == ""
	o.Uncertain = o.Uncertain || Uncertain(p)
}

func (o *Observation) conclude(replicas, running, succeeded int) {
	if o.State == AttemptFailed {
		return
	}
	switch {
	case succeeded == replicas && replicas > 0:
		o.State, o.Reason, o.ExitCode = AttemptSucceeded, platformv1.JobReasonCompleted, new(int32)
	case running+succeeded == replicas:
		o.State, o.Reason = AttemptRunning, platformv1.JobReasonRunning
		o.Finished = time.Time{}
	default:
		o.Finished = time.Time{}
		if o.Reason == "" {
			o.Reason = platformv1.JobReasonCreating
		}
	}
}

// Ended reports whether a pod has stopped holding resources on its node: its containers ended, or it never had a node.
func Ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

type replica struct {
	state             AttemptState
	reason            platformv1.JobReason
	message           string
	exitCode          *int32
	digest            string
	started, finished time.Time
	waiting           time.Time
	// collected reports that it was told to end by whoever removed its pod.
	collected bool
}

// goesBefore reports whether a replica that failed rather ended the attempt than another. One that was told to end did not, whatever its
// time: times are whole seconds of clocks that differ, and it is by removing them that the others of a gang are ended.
func (r replica) goesBefore(other replica) bool {
	if r.collected != other.collected {
		return other.collected
	}
	return other.finished.IsZero() || !r.finished.IsZero() && r.finished.Before(other.finished)
}

func replicaOf(p *corev1.Pod, events []corev1.Event) replica {
	status := containerStatus(p)
	r := replica{digest: digestOf(status)}
	if status != nil && status.State.Running != nil {
		r.started = known(status.State.Running.StartedAt)
	}
	if status != nil && status.State.Terminated != nil {
		r.started, r.finished = known(status.State.Terminated.StartedAt), known(status.State.Terminated.FinishedAt)
	}
	removed, _ := removal(p, r.finished)
	r.collected = removed == platformv1.JobReasonCollected
	switch p.Status.Phase {
	case corev1.PodSucceeded:
		r.finished = firstTime(r.finished, conditionTime(p, corev1.PodReady))
		if reason, message := removal(p, r.finished); reason != "" {
			// A program that is told to stop may well end with 0; it did not do what it was made for.
			r.state, r.reason, r.message = AttemptFailed, reason, message
			break
		}
		r.state, r.reason = AttemptSucceeded, platformv1.JobReasonCompleted
		r.exitCode = new(int32)
	case corev1.PodFailed:
		r.finished = firstTime(r.finished, conditionTime(p, corev1.PodReady))
		r.state = AttemptFailed
		r.reason, r.message, r.exitCode = failure(p, status)
	case corev1.PodRunning:
		if message, lost := lost(p); lost {
			r.state, r.reason, r.message = AttemptFailed, platformv1.JobReasonNodeLost, message
			break
		}
		r.state, r.reason = AttemptRunning, platformv1.JobReasonRunning
		if status == nil || status.State.Running == nil {
			r.state = AttemptStarting
			r.reason, r.message, r.waiting = startup(p, status, events)
			if status != nil && status.State.Terminated != nil {
				r.state = AttemptRunning // the pod's phase follows in a moment
			}
		}
	default:
		r.state = AttemptStarting
		r.reason, r.message, r.waiting = startup(p, status, events)
	}
	return r
}

// known is a time, or zero where the kubelet did not know it: it writes the beginning of 1970 for a container that never
// started.
func known(t metav1.Time) time.Time {
	if t.Unix() <= 0 {
		return time.Time{}
	}
	return t.Time
}

func containerStatus(p *corev1.Pod) *corev1.ContainerStatus {
	for i := range p.Status.ContainerStatuses {
		if p.Status.ContainerStatuses[i].Name == ContainerName {
			return &p.Status.ContainerStatuses[i]
		}
	}
	return nil
}

// digestOf is the image by digest, as the container runtime found it.
func digestOf(status *corev1.ContainerStatus) string {
	if status == nil || !strings.Contains(status.ImageID, "sha256:") {
		return ""
	}
	return strings.TrimPrefix(status.ImageID, "docker-pullable://")
}

func conditionTime(p *corev1.Pod, kind corev1.PodConditionType) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func firstOf(words ...string) string {
	for _, word := range words {
		if word != "" {
			return word
		}
	}
	return ""
}

// lastWords are the end of what a container said, in one bounded piece.
func lastWords(text string) string {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "?"))
	if len(text) > maxWords {
		text = "…" + strings.ToValidUTF8(text[len(text)-maxWords:], "")
	}
	return text
}
