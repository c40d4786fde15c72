package workload

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

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
	if reason, message := disruption(p); reason != "" {
		return reason, message, code
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
	if p.DeletionTimestamp != nil {
		return platformv1.JobReasonCollected, "the pod was removed by somebody else while it ran", code
	}
	if end.Signal != 0 {
		return platformv1.JobReasonError, joined(fmt.Sprintf("the container was ended by signal %d", end.Signal), words), code
	}
	return platformv1.JobReasonError, joined(fmt.Sprintf("the container ended with exit code %d", end.ExitCode), words), code
}

// disruption tells what the cluster did to a pod.
func disruption(p *corev1.Pod) (platformv1.JobReason, string) {
	switch p.Status.Reason {
	case "Evicted":
		return platformv1.JobReasonEvicted, firstOf(p.Status.Message, "the node evicted the pod")
	case "NodeLost", "NodeShutdown", "Terminated", "Shutdown":
		return platformv1.JobReasonNodeLost, firstOf(p.Status.Message, "the node went away")
	case "Preempting", "Preempted":
		return platformv1.JobReasonPreempted, firstOf(p.Status.Message, "another pod needed the place")
	}
	for _, c := range p.Status.Conditions {
		if c.Type != corev1.DisruptionTarget || c.Status != corev1.ConditionTrue {
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
	return "", ""
}

// rejection is why a node refused a pod that was bound to it: somebody else had taken the place.
func rejection(p *corev1.Pod) platformv1.JobReason {
	if strings.HasPrefix(p.Status.Reason, "OutOf") || p.Status.Reason == "UnexpectedAdmissionError" || p.Status.Reason == "NodeAffinity" {
		return platformv1.JobReasonPreempted
	}
	return platformv1.JobReasonNotFound
}

// startup says what a pod that does not run yet waits for, and since when its start has been failing.
func startup(p *corev1.Pod, status *corev1.ContainerStatus) (platformv1.JobReason, string, time.Time) {
	if p.Spec.NodeName == "" {
		return platformv1.JobReasonScheduling, unboundMessage(p), time.Time{}
	}
	if status == nil || status.State.Waiting == nil {
		return platformv1.JobReasonContainerCreating, "", time.Time{}
	}
	waiting := status.State.Waiting
	since := firstTime(conditionTime(p, corev1.PodScheduled), p.CreationTimestamp.Time)
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ErrImageNeverPull":
		return imageReason(waiting.Message), imageMessage(p.Spec.Containers[0].Image, waiting), since
	case "InvalidImageName":
		return platformv1.JobReasonInvalidImageName, fmt.Sprintf("the image name %q cannot be read", p.Spec.Containers[0].Image), since
	case "CreateContainerConfigError":
		if strings.Contains(strings.ToLower(waiting.Message), "secret") || strings.Contains(waiting.Message, "couldn't find key") {
			return platformv1.JobReasonSecretMissing, lastWords(waiting.Message), since
		}
		return platformv1.JobReasonContainerCannotRun, lastWords(waiting.Message), since
	case "CreateContainerError", "RunContainerError", "PreStartHookError":
		return platformv1.JobReasonContainerCannotRun, lastWords(waiting.Message), since
	case "PodInitializing":
		return platformv1.JobReasonPodInitializing, "", time.Time{}
	}
	return platformv1.JobReasonContainerCreating, lastWords(waiting.Message), time.Time{}
}

// imageReason tells an image that is not there from one that is refused. The kubelet passes on the registry's own words;
// there is no code.
func imageReason(message string) platformv1.JobReason {
	text := strings.ToLower(message)
	for _, word := range []string{"unauthorized", "authorization failed", "denied", "forbidden", "401", "403"} {
		if strings.Contains(text, word) {
			return platformv1.JobReasonImageUnauthorized
		}
	}
	for _, word := range []string{"not found", "manifest unknown", "no such image", "not present with pull policy"} {
		if strings.Contains(text, word) {
			return platformv1.JobReasonImageNotFound
		}
	}
	return platformv1.JobReasonErrImagePull
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
