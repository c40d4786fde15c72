package workload

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// The indexes by which the controllers find pods: by the UID of their job, and by the node that they hold something on.
const (
	PodsByJob  = "platform.soma.dev/pods-by-job"
	PodsByNode = "platform.soma.dev/pods-by-node"
)

// PodIndexes are the values of a pod in the indexes.
var PodIndexes = map[string]func(metav1.Object) []string{
	PodsByJob: func(o metav1.Object) []string { return one(o.GetLabels()[platformv1.LabelJobUID]) },
	PodsByNode: func(o metav1.Object) []string {
		if pod, ok := o.(*corev1.Pod); ok && !Ended(pod) {
			return one(pod.Spec.NodeName)
		}
		return nil
	},
}

func one(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
