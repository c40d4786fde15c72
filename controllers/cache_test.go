package controllers

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/workload"
)

// What decisions are made from is the same for the pod that is kept as for the pod that is.
func TestSlimPodTellsTheSame(t *testing.T) {
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), platformv1.ResourceGPU: resource.MustParse("1")}
	always := corev1.ContainerRestartPolicyAlways
	container := corev1.Container{Name: workload.ContainerName, Image: "a", Env: []corev1.EnvVar{{Name: "A", Value: "b"}},
		Resources: corev1.ResourceRequirements{Requests: amounts, Limits: amounts}}
	sidecar := corev1.Container{Name: "side", RestartPolicy: &always, Resources: corev1.ResourceRequirements{Requests: amounts}}
	status := func(state corev1.ContainerState) []corev1.ContainerStatus {
		return []corev1.ContainerStatus{{Name: workload.ContainerName, ImageID: "a@sha256:1", State: state}}
	}
	for name, pod := range map[string]corev1.PodStatus{
		"not bound": {Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "m"}}},
		"pulling":   {Phase: corev1.PodPending, ContainerStatuses: status(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "m"}})},
		"runs":      {Phase: corev1.PodRunning, ContainerStatuses: status(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Unix(100, 0)}})},
		"failed": {Phase: corev1.PodFailed, ContainerStatuses: status(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 3, Reason: "OOMKilled", Message: "last words", StartedAt: metav1.Unix(100, 0), FinishedAt: metav1.Unix(200, 0)}})},
		"evicted": {Phase: corev1.PodFailed, Reason: "Evicted", Message: "the node was low on memory"},
	} {
		t.Run(name, func(t *testing.T) {
			whole := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "u", Labels: map[string]string{platformv1.LabelJobUID: "j"}, Annotations: map[string]string{"a": "b"}},
				Spec:       corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{container}, InitContainers: []corev1.Container{sidecar}, Overhead: amounts},
				Status:     pod,
			}
			kept, err := slimPod(whole.DeepCopy())
			if err != nil {
				t.Fatal(err)
			}
			slim := kept.(*corev1.Pod)
			before, after := workload.Observe([]*corev1.Pod{whole}, nil), workload.Observe([]*corev1.Pod{slim}, nil)
			before.Alive, after.Alive = nil, nil
			if !reflect.DeepEqual(before, after) {
				t.Errorf("observed %+v, want %+v", after, before)
			}
			if got, want := accounting.Requested(slim, ""), accounting.Requested(whole, ""); !reflect.DeepEqual(got, want) {
				t.Errorf("requested %+v, want %+v", got, want)
			}
			if accounting.Occupies(slim) != accounting.Occupies(whole) || slim.Labels[platformv1.LabelJobUID] != "j" {
				t.Error("what the pod is and where changed")
			}
		})
	}
}
