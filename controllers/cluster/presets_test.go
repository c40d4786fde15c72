package cluster

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestPresets(t *testing.T) {
	a100 := map[string]string{v1alpha1.LabelGPUModel: "A100"}
	pods := func(n *corev1.Node) { n.Status.Allocatable[corev1.ResourcePods] = resource.MustParse("10") }
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	preset := func(name, cpu string, gpu *v1alpha1.GPUs) v1alpha1.Preset {
		return v1alpha1.Preset{Name: name, CPU: resource.MustParse(cpu), Memory: resource.MustParse("1Gi"), GPU: gpu}
	}
	spec := &v1alpha1.ClusterSpec{Presets: []v1alpha1.Preset{
		preset("cpu", "1", nil), preset("one", "1", &v1alpha1.GPUs{Count: 1}), preset("four", "1", &v1alpha1.GPUs{Count: 4, Models: []string{"H100", "A100"}}),
		preset("h100", "1", &v1alpha1.GPUs{Count: 1, Model: "H100"}), preset("wrong", "0", nil), preset("elsewhere", "1", nil),
	}}
	spec.Presets[5].Pools = []string{"other"}
	nodes := []corev1.Node{testNode("a", 4, a100, pods), testNode("b", 4, a100, pods), testNode("c", 8, a100, pods, cordoned)}
	taken := []corev1.Pod{testPod("a", 2, corev1.PodRunning), testPod("b", 2, corev1.PodRunning), testPod("b", 2, corev1.PodSucceeded)}
	of := func(model string, n int64) []v1alpha1.ModelRoom {
		return []v1alpha1.ModelRoom{{Model: model, Startable: n}}
	}
	want := []v1alpha1.PresetRoom{
		{Name: "cpu", Startable: 14}, {Name: "one", Startable: 4, Models: of("A100", 4)}, {Name: "four", Models: of("A100", 0), Limit: v1alpha1.RoomFragmented}, {Name: "h100", Limit: v1alpha1.RoomNoSuchNode},
		{Name: "wrong", Limit: v1alpha1.RoomNoSuchNode}, {Name: "elsewhere", Limit: v1alpha1.RoomNoSuchNode},
	}
	if diff := cmp.Diff(want, presets(spec, nodes, taken)); diff != "" {
		t.Error(diff)
	}
	taken = append(taken, testPod("a", 2, corev1.PodPending), testPod("b", 2, corev1.PodRunning))
	want[1], want[2] = v1alpha1.PresetRoom{Name: "one", Models: of("A100", 0), Limit: v1alpha1.RoomInUse}, v1alpha1.PresetRoom{Name: "four", Models: of("A100", 0), Limit: v1alpha1.RoomInUse}
	if diff := cmp.Diff(want[1:3], presets(spec, nodes, taken)[1:3]); diff != "" {
		t.Error(diff)
	}
	if got := presets(&v1alpha1.ClusterSpec{}, nodes, nil); got != nil {
		t.Errorf("a cluster without presets tells %v", got)
	}
}

// What a node's own pods hold is nothing that others could end: a job that needs it can never start there.
func TestPresetsBesideDaemons(t *testing.T) {
	large := func(n *corev1.Node) {
		n.Status.Allocatable[corev1.ResourceCPU], n.Status.Allocatable[corev1.ResourcePods] = resource.MustParse("64"), resource.MustParse("110")
	}
	spec := &v1alpha1.ClusterSpec{Presets: []v1alpha1.Preset{{Name: "whole", CPU: resource.MustParse("64"), Memory: resource.MustParse("1Gi")}}}
	nodes := []corev1.Node{testNode("a", 0, nil, large), testNode("b", 0, nil, large)}
	for owner, want := range map[string]v1alpha1.RoomLimit{"DaemonSet": v1alpha1.RoomNoSuchNode, "Node": v1alpha1.RoomNoSuchNode, "ReplicaSet": v1alpha1.RoomFragmented} {
		var pods []corev1.Pod
		for i := range nodes {
			pod := testPod(nodes[i].Name, 0, corev1.PodRunning)
			pod.OwnerReferences = []metav1.OwnerReference{{Kind: owner, Name: fmt.Sprint(i), Controller: new(true)}}
			pods = append(pods, pod)
		}
		if room := presets(spec, nodes, pods)[0]; room.Limit != want || room.Startable != 0 {
			t.Errorf("beside pods of a %s: %+v, want %q", owner, room, want)
		}
	}
}
