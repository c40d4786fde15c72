package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Preparing reports whether a node is at work on a pod whose status does not say at what: only events tell whether it pulls
// an image, or fails to mount a volume.
func Preparing(p *corev1.Pod) bool {
	if !Uncertain(p) {
		return false
	}
	status := containerStatus(p)
	return status == nil || status.State.Waiting.Reason == "" || status.State.Waiting.Reason == "ContainerCreating"
}

// Uncertain reports whether events are needed to tell how far the start of a pod is, or since when it fails.
func Uncertain(p *corev1.Pod) bool {
	if p.Spec.NodeName == "" || Ended(p) {
		return false
	}
	status := containerStatus(p)
	return status == nil || status.State.Waiting != nil
}

// Events of a pod's start, as the kubelet calls them. It says failed of an image and of a container alike.
const (
	pulling = "Pulling"
	pulled  = "Pulled"
	failed  = "Failed"
)

// preparations are the events that say what a node is at that prepares a pod.
var preparations = []string{pulling, pulled, "SuccessfulAttachVolume", "FailedMount", "FailedMapVolume", "FailedAttachVolume",
	"FailedCreatePodSandBox", "NetworkNotReady"}

// Tells reports whether an event says how far the start of a pod is.
func Tells(e *corev1.Event) bool {
	return e.Reason == failed || slices.Contains(preparations, e.Reason)
}

// newest is the newest of the events that are of some kinds, and since when there are such of its kind; nil where there are none.
func newest(events []corev1.Event, kinds ...string) (last *corev1.Event, since time.Time) {
	for i := range events {
		e := &events[i]
		if slices.Contains(kinds, e.Reason) && (last == nil || cmp.Or(lastSeen(last).Compare(lastSeen(e)), cmp.Compare(last.Name, e.Name)) <= 0) {
			last = e
		}
	}
	for i := range events {
		if first := firstSeen(&events[i]); last != nil && events[i].Reason == last.Reason && (since.IsZero() || first.Before(since)) {
			since = first
		}
	}
	return last, since
}

// failsSince is since when a start has been failing, by a sign among the events: that a pull failed or, where it is the container that
// fails, that the image is there. While the image is being pulled nothing fails, whatever the status says of the last try. Otherwise is
// what is taken where no event tells.
func failsSince(events []corev1.Event, sign string, otherwise time.Time) time.Time {
	switch last, since := newest(events, pulling, sign); {
	case last == nil:
		return otherwise
	case last.Reason == pulling:
		return time.Time{}
	default:
		return since
	}
}

// prepared says what a node is at that prepares a pod, and since when it has been failing at it. The newest of its events
// tells: what went wrong before it is over.
func prepared(events []corev1.Event) (platformv1.JobReason, string, time.Time) {
	last, since := newest(events, preparations...)
	if last == nil {
		return platformv1.JobReasonContainerCreating, "", time.Time{}
	}
	message := lastWords(last.Message)
	switch last.Reason {
	case pulling:
		return platformv1.JobReasonPulling, "", time.Time{}
	case "FailedMount", "FailedMapVolume", "FailedAttachVolume":
		if strings.Contains(message, "non-existent secret key") || (strings.Contains(message, "secret ") && strings.Contains(message, "not found")) {
			return platformv1.JobReasonSecretMissing, secretMessage(message), since
		}
		return platformv1.JobReasonDiskUnavailable, joined("a volume cannot be mounted", message), since
	case "FailedCreatePodSandBox", "NetworkNotReady":
		return platformv1.JobReasonContainerCreating, joined("the node cannot prepare the container", message), since
	}
	return platformv1.JobReasonContainerCreating, "", time.Time{}
}

// secretMessage says what to do about a secret or key that the node did not find.
func secretMessage(words string) string {
	return joined("a secret or key that the job names does not exist; add it, and the job starts by itself", words)
}

const (
	// unstartedGrace is how long a node may take to end a pod none of whose containers has started.
	unstartedGrace = 2 * time.Second
	// endGrace is how long a node may take to end a pod beyond the time that the pod itself was given.
	endGrace = 10 * time.Second
)

// Lingering says why a pod that was asked to end is still there, once that takes longer than it should; before that it is
// empty, and left is when that will be.
func Lingering(p *corev1.Pod, now time.Time) (why string, left time.Duration) {
	if p.DeletionTimestamp == nil || Ended(p) {
		return "", 0
	}
	due := p.DeletionTimestamp.Add(endGrace)
	why = fmt.Sprintf("node %s has not ended pod %s: if it does not answer, it has to come back or to be removed", p.Spec.NodeName, p.Name)
	if Preparing(p) {
		var grace time.Duration
		if p.DeletionGracePeriodSeconds != nil {
			grace = time.Duration(*p.DeletionGracePeriodSeconds) * time.Second
		}
		due = p.DeletionTimestamp.Add(unstartedGrace - grace)
		why = fmt.Sprintf("node %s is still preparing pod %s, and does not interrupt the pull of an image", p.Spec.NodeName, p.Name)
	}
	if left = due.Sub(now); left > 0 {
		return "", left
	}
	return why, 0
}

func firstSeen(e *corev1.Event) time.Time {
	return firstTime(e.FirstTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time)
}

func lastSeen(e *corev1.Event) time.Time {
	last := firstTime(e.LastTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time)
	if e.Series != nil && e.Series.LastObservedTime.After(last) {
		last = e.Series.LastObservedTime.Time
	}
	return last
}
