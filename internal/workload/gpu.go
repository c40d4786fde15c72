package workload

import (
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

var (
	// withheld are the words in which a kubelet refuses a pod because devices that it had are not usable any more. That there
	// are too few is not among them: others may have taken them.
	withheld = regexp.MustCompile(`cannot allocate (unhealthy devices|unregistered device)|endpoint not found in cache for a registered resource`)
	// deviceError are the words in which NVIDIA's container runtime says that it cannot hand over a GPU. Its "requirement
	// error" is not among them: there the image asks for another driver.
	deviceError = regexp.MustCompile(`nvidia-container-cli: (initialization|device|detection|driver) error|unresolvable CDI devices`)
)

func asksForGPUs(p *corev1.Pod) bool {
	for i := range p.Spec.Containers {
		if _, asks := p.Spec.Containers[i].Resources.Limits[platformv1.ResourceGPU]; asks {
			return true
		}
	}
	return false
}

// brokenGPU says what its node tells of the GPUs of a pod that failed, where it tells that one is broken; otherwise it is
// empty. A program's exit code tells nothing of GPUs: what ends for want of one looks like any other failure.
func brokenGPU(p *corev1.Pod, status *corev1.ContainerStatus) string {
	if !asksForGPUs(p) {
		return ""
	}
	if p.Status.Reason == "UnexpectedAdmissionError" && withheld.MatchString(p.Status.Message) {
		return joined("the node has lost a GPU", lastWords(p.Status.Message))
	}
	if status == nil || status.State.Terminated == nil || status.State.Terminated.Reason == "OOMKilled" {
		return ""
	}
	words := lastWords(status.State.Terminated.Message)
	for _, resource := range status.AllocatedResourcesStatus {
		for _, device := range resource.Resources {
			if resource.Name == platformv1.ResourceGPU && device.Health == corev1.ResourceHealthStatusUnhealthy {
				return joined(fmt.Sprintf("the node says that GPU %s is broken", device.ResourceID), words)
			}
		}
	}
	if status.State.Terminated.Reason == "StartError" && deviceError.MatchString(words) {
		return joined("the node cannot give the container its GPUs", words)
	}
	return ""
}
