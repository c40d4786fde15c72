package workload

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// failure says why a pod failed: what happened to the pod goes before what its container left behind, which follows
// from it.
func failure(p *corev1.Pod, status *corev1.ContainerStatus) (platformv1.JobReason, string, *int32) {
	var code *int32
	words := ""
	if status != nil && status.State.Terminated != nil {
		exit := status.State.Terminated.ExitCode
		code, words = &exit, lastWords(status.State.Terminated.Message)
	}
	if reason, message := verdict(p); reason != "" {
		return reason, message, code
	}
	finished := time.Time{}
	if status != nil && status.State.Terminated != nil {
		finished = known(status.State.Terminated.FinishedAt)
	}
	removed, removedMessage := removal(p, finished)
	if removed != "" && removed != platformv1.JobReasonCollected {
		return removed, removedMessage, code
	}
	if gpu := brokenGPU(p, status); gpu != "" {
		return platformv1.JobReasonGPULost, gpu, code
	}
	if status == nil || status.State.Terminated == nil {
		return rejection(p), firstOf(p.Status.Message, p.Status.Reason, "the pod failed before its container ran"), nil
	}
	end := status.State.Terminated
	switch end.Reason {
	case "OOMKilled":
		limit := p.Spec.Containers[0].Resources.Limits.Memory()
		return platformv1.JobReasonOOMKilled,
			joined(fmt.Sprintf("the container used more than its %s of memory and was ended; ask for more", limit.String()), words), code
	case "StartError", "ContainerCannotRun":
		return platformv1.JobReasonContainerCannotRun, joined("the command cannot be run", words), code
	}
	if removed != "" {
		return removed, removedMessage, code
	}
	if unseen(end) {
		return platformv1.JobReasonNodeLost, joined("the node went down while the container ran, or lost it: how it ended nobody knows", words), nil
	}
	if end.Signal != 0 {
		return platformv1.JobReasonError, joined(fmt.Sprintf("the container was ended by signal %d", end.Signal), words), code
	}
	return platformv1.JobReasonError, joined(fmt.Sprintf("the container ended with exit code %d", end.ExitCode), words), code
}

// unseen reports that nobody saw a container end: it ran when its node went down, and was not there when that came back. containerd says
// so, or the kubelet where the runtime knows nothing of the container; the exit codes, 255 and 137, are theirs and not the program's.
func unseen(end *corev1.ContainerStateTerminated) bool {
	return end.Reason == "Unknown" || end.Reason == "ContainerStatusUnknown"
}

// usedTooMuch are the words in which a kubelet evicts a pod for what it did itself, and not for what its node lacks.
var usedTooMuch = regexp.MustCompile(`exceeds the limit|exceeded its local ephemeral storage limit|exceeds the total limit of containers`)

// verdict tells what the node did to a pod, as it says itself.
func verdict(p *corev1.Pod) (platformv1.JobReason, string) {
	switch p.Status.Reason {
	case "Evicted":
		if usedTooMuch.MatchString(p.Status.Message) {
			return platformv1.JobReasonScratchExceeded, p.Status.Message
		}
		return platformv1.JobReasonEvicted, firstOf(p.Status.Message, "the node evicted the pod")
	case "NodeLost", "NodeShutdown", "Terminated", "Shutdown":
		return platformv1.JobReasonNodeLost, firstOf(p.Status.Message, "the node went away")
	case "Preempting", "Preempted":
		return platformv1.JobReasonPreempted, firstOf(p.Status.Message, "another pod needed the place")
	}
	return "", ""
}

// removal tells who took a pod away, where its container had not ended before that. Times are whole seconds: one that ended
// within the second of its removal was ended by it.
func removal(p *corev1.Pod, finished time.Time) (platformv1.JobReason, string) {
	before := func(t time.Time) bool { return !finished.IsZero() && finished.Before(t) }
	for _, c := range p.Status.Conditions {
		if c.Type != corev1.DisruptionTarget || c.Status != corev1.ConditionTrue || before(c.LastTransitionTime.Time) {
			continue
		}
		switch c.Reason {
		case corev1.PodReasonPreemptionByScheduler:
			return platformv1.JobReasonPreempted, c.Message
		case "EvictionByEvictionAPI":
			return platformv1.JobReasonEvicted, c.Message
		case "DeletionByTaintManager", "DeletionByPodGC", corev1.PodReasonTerminationByKubelet:
			return platformv1.JobReasonNodeLost, c.Message
		}
	}
	if p.DeletionTimestamp == nil || before(deletionBegan(p)) {
		return "", ""
	}
	return platformv1.JobReasonCollected, "the pod was removed by somebody else while it ran"
}

// lost reports that the control plane has given up a running pod, whose node does not answer or is not to run it any more. It
// will not come back; whether it has ended nobody knows before it is gone.
func lost(p *corev1.Pod) (message string, lost bool) {
	if p.DeletionTimestamp == nil {
		return "", false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue && c.Reason == "DeletionByTaintManager" {
			return fmt.Sprintf("node %s is lost: %s", p.Spec.NodeName, c.Message), true
		}
	}
	return "", false
}

// deletionBegan is when a pod was told to go; its deletion timestamp is when it has to be gone.
func deletionBegan(p *corev1.Pod) time.Time {
	grace := time.Duration(ptr.Deref(p.DeletionGracePeriodSeconds, 0)) * time.Second
	return p.DeletionTimestamp.Add(-grace)
}

// rejection is why a node refused a pod that was bound to it: somebody else had taken the place.
func rejection(p *corev1.Pod) platformv1.JobReason {
	if strings.HasPrefix(p.Status.Reason, "OutOf") || p.Status.Reason == "UnexpectedAdmissionError" || p.Status.Reason == "NodeAffinity" {
		return platformv1.JobReasonPreempted
	}
	return platformv1.JobReasonNotFound
}

// startup says what a pod that does not run yet waits for, and since when its start has been failing.
func startup(p *corev1.Pod, status *corev1.ContainerStatus, events []corev1.Event) (platformv1.JobReason, string, time.Time) {
	if p.Spec.NodeName == "" {
		return platformv1.JobReasonScheduling, unboundMessage(p), time.Time{}
	}
	if Preparing(p) {
		return prepared(events)
	}
	if status == nil || status.State.Waiting == nil {
		return platformv1.JobReasonContainerCreating, "", time.Time{}
	}
	waiting := status.State.Waiting
	bound := firstTime(conditionTime(p, corev1.PodScheduled), p.CreationTimestamp.Time)
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ErrImageNeverPull":
		image := p.Spec.Containers[0].Image
		return imageReason(waiting.Message, image), imageMessage(image, waiting), failsSince(events, failed, bound)
	case "InvalidImageName":
		return platformv1.JobReasonInvalidImageName, fmt.Sprintf("the image name %q cannot be read", p.Spec.Containers[0].Image), bound
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreStartHookError":
		reason, message := containerFailure(p, waiting)
		return reason, message, failsSince(events, pulled, bound)
	case "PodInitializing":
		return platformv1.JobReasonPodInitializing, "", time.Time{}
	}
	return platformv1.JobReasonContainerCreating, lastWords(waiting.Message), time.Time{}
}

// containerFailure says why a container cannot be made or started whose image is there.
func containerFailure(p *corev1.Pod, waiting *corev1.ContainerStateWaiting) (platformv1.JobReason, string) {
	words := lastWords(waiting.Message)
	config := waiting.Reason == "CreateContainerConfigError"
	switch {
	case config && (strings.Contains(strings.ToLower(waiting.Message), "secret") || strings.Contains(waiting.Message, "couldn't find key")):
		return platformv1.JobReasonSecretMissing, secretMessage(words)
	case !config && asksForGPUs(p) && deviceError.MatchString(waiting.Message):
		return platformv1.JobReasonGPULost, joined("the node cannot give the container its GPUs", words)
	}
	return platformv1.JobReasonContainerCannotRun, words
}

// refusedImage are the words in which registries refuse an image.
var refusedImage = regexp.MustCompile(`\b(unauthorized|authorization failed|insufficient_scope|denied|forbidden|status(?: code)?:? 40[13])\b`)

// imageReason tells an image that is not there from one that is refused. The kubelet passes on the registry's own words;
// there is no code.
func imageReason(message, image string) platformv1.JobReason {
	text := strings.ToLower(withoutNames(message, image))
	if refusedImage.MatchString(text) {
		return platformv1.JobReasonImageUnauthorized
	}
	for _, word := range []string{"not found", "manifest unknown", "no such image", "not present with pull policy"} {
		if strings.Contains(text, word) {
			return platformv1.JobReasonImageNotFound
		}
	}
	return platformv1.JobReasonErrImagePull
}

// withoutNames is a text without the image's name and without references and addresses: their parts are words of somebody's
// choice.
func withoutNames(text, image string) string {
	var words []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'`", r) }) {
		if !strings.Contains(word, "/") && strings.Trim(word, ":,;.") != image {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func imageMessage(image string, waiting *corev1.ContainerStateWaiting) string {
	return joined(fmt.Sprintf("the image %q cannot be pulled", image), lastWords(waiting.Message))
}

func unboundMessage(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return lastWords(c.Message)
		}
	}
	return ""
}

func joined(what, words string) string {
	if words == "" {
		return what
	}
	return what + ": " + words
}
