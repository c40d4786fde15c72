package scheduler

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhatANodeCanGive(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	node.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("32Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	pod := func(ownerKind string) *corev1.Pod {
		p := &corev1.Pod{}
		if ownerKind != "" {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: ownerKind, Controller: new(true)}}
		}
		p.Spec.NodeName = "n"
		p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}
		return p
	}
	ended := pod("DaemonSet")
	ended.Status.Phase = corev1.PodFailed
	for name, tc := range map[string]struct {
		pod *corev1.Pod
		// can and free are cores that the node can give at all, and now.
		can, free int64
	}{
		"a daemon":            {pod("DaemonSet"), 7, 7},
		"a static pod":        {pod("Node"), 7, 7},
		"a pod that will end": {pod("ReplicaSet"), 8, 7},
		"nobody's pod":        {pod(""), 8, 7},
		"a daemon that ended": {ended, 8, 8},
	} {
		t.Run(name, func(t *testing.T) {
			got := (&world{}).node(node, []corev1.Pod{*tc.pod})
			if free := got.Allocatable.Minus(got.Foreign).MilliCPU; got.Allocatable.MilliCPU != tc.can*1000 || free != tc.free*1000 {
				t.Errorf("it can give %d and has %d free, want %d and %d cores", got.Allocatable.MilliCPU, free, tc.can, tc.free)
			}
		})
	}
}
