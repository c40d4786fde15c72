package accounting

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Requested is what a pod asks for from its node, as the scheduler of Kubernetes counts it: containers together, the
// largest of the init containers where that is more, side-cars and the overhead of the runtime. The model of its GPUs is
// that of the node that it is on.
func Requested(pod *corev1.Pod, gpuModel string) Sum {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
	return fromList(requests, gpuModel)
}

// Allocatable is what a node can give to pods.
func Allocatable(node *corev1.Node) Sum {
	return fromList(node.Status.Allocatable, node.Labels[v1alpha1.LabelGPUModel])
}

// Occupies reports whether a pod takes up room on a node: it is bound to one and has not ended.
func Occupies(pod *corev1.Pod) bool {
	return pod.Spec.NodeName != "" && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// BelongsToNode reports whether a pod is there as long as its node is, as those of daemons are: what it holds is never free for a job.
func BelongsToNode(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && (owner.Kind == "DaemonSet" || owner.Kind == "Node") // static pods belong to the Node
}

func fromList(list corev1.ResourceList, gpuModel string) Sum {
	sum := Sum{CPU: list[corev1.ResourceCPU].DeepCopy(), Memory: list[corev1.ResourceMemory].DeepCopy()}
	gpus := list[v1alpha1.ResourceGPU]
	sum.AddGPUs(gpuModel, gpus.Value())
	return sum
}
