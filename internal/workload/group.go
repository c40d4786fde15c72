package workload

import (
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// gangUnbound is how kube-scheduler begins to tell of a pod that it could be bound, if all others of its PodGroup could.
const gangUnbound = "pod group is unschedulable"

// IsGang reports whether the job has several replicas, which start together or not at all.
func IsGang(spec *platformv1.JobSpec) bool { return spec.ReplicaCount() > 1 }

// PodGroup is what kube-scheduler binds the attempt by that the job holds a reservation for: all of its pods, or none.
func PodGroup(job *platformv1.Job) *schedulingv1beta1.PodGroup {
	return &schedulingv1beta1.PodGroup{
		ObjectMeta: metav1.ObjectMeta{
			Name:            attemptName(job, job.Status.Reservation.Attempt),
			Namespace:       job.Namespace,
			Labels:          attemptLabels(job),
			OwnerReferences: owners(job),
		},
		Spec: schedulingv1beta1.PodGroupSpec{
			SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{
				Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: job.Spec.ReplicaCount()},
			},
			// An attempt ends with the first pod that it loses: who pushes one away gets the place of all.
			DisruptionMode: &schedulingv1beta1.DisruptionMode{All: &schedulingv1beta1.AllDisruptionMode{}},
		},
	}
}

// member names the group of a pod; nil for a pod that is bound by itself.
func member(group *schedulingv1beta1.PodGroup) *corev1.PodSchedulingGroup {
	if group == nil {
		return nil
	}
	return &corev1.PodSchedulingGroup{PodGroupName: &group.Name}
}
