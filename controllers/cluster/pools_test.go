package cluster

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func testNode(name string, gpus int64, labels map[string]string, change ...func(*corev1.Node)) corev1.Node {
	node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	node.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("8"),
		corev1.ResourceMemory: resource.MustParse("32Gi"),
	}
	if gpus > 0 {
		node.Status.Allocatable[v1alpha1.ResourceGPU] = *resource.NewQuantity(gpus, resource.DecimalSI)
	}
	for _, c := range change {
		c(&node)
	}
	return node
}

func testPod(node string, gpus int64, phase corev1.PodPhase) corev1.Pod {
	return corev1.Pod{
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{
			Name: "c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU:   resource.MustParse("500m"),
				v1alpha1.ResourceGPU: *resource.NewQuantity(gpus, resource.DecimalSI),
			}},
		}}},
		Status: corev1.PodStatus{Phase: phase},
	}
}

func TestPools(t *testing.T) {
	a100 := map[string]string{v1alpha1.LabelPool: "a100", v1alpha1.LabelGPUModel: "A100"}
	taint := func(taints ...corev1.Taint) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Spec.Taints = taints }
	}
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	notReady := func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }
	silent := func(n *corev1.Node) { n.Status.Conditions = nil }

	tests := map[string]struct {
		nodes       []corev1.Node
		pods        []corev1.Pod
		tolerations []v1alpha1.Toleration
		// want is "name nodes/ready model gpus used largest" for each pool.
		want []string
	}{
		"no nodes": {},
		"by Soma's label before a provider's": {
			nodes: []corev1.Node{testNode("n", 0, map[string]string{v1alpha1.LabelPool: "own", "karpenter.sh/nodepool": "theirs"})},
			want:  []string{"own 1/1  0 0 0"},
		},
		"by a provider's label, sorted": {
			nodes: []corev1.Node{
				testNode("a", 0, map[string]string{"karpenter.sh/nodepool": "k"}),
				testNode("b", 0, map[string]string{"cloud.google.com/gke-nodepool": "g"}),
				testNode("c", 0, map[string]string{"eks.amazonaws.com/nodegroup": "e"}),
				testNode("d", 0, map[string]string{"kubernetes.azure.com/agentpool": "a"}),
			},
			want: []string{"a 1/1  0 0 0", "e 1/1  0 0 0", "g 1/1  0 0 0", "k 1/1  0 0 0"},
		},
		"without a label, or with an empty one": {
			nodes: []corev1.Node{testNode("a", 0, nil), testNode("b", 0, map[string]string{v1alpha1.LabelPool: ""})},
			want:  []string{"default 2/2  0 0 0"},
		},
		"GPUs and what is taken of them": {
			nodes: []corev1.Node{testNode("a", 8, a100), testNode("b", 4, a100)},
			pods: []corev1.Pod{
				testPod("a", 2, corev1.PodRunning), testPod("b", 1, corev1.PodPending),
				testPod("a", 4, corev1.PodSucceeded), testPod("a", 4, corev1.PodFailed), testPod("", 4, corev1.PodPending),
				testPod("elsewhere", 4, corev1.PodRunning),
			},
			want: []string{"a100 2/2 A100 12 3 8"},
		},
		"nodes on which no job can start": {
			nodes: []corev1.Node{
				testNode("a", 8, a100, cordoned), testNode("b", 8, a100, notReady), testNode("c", 8, a100, silent),
				testNode("d", 8, a100, taint(corev1.Taint{Key: "k", Effect: corev1.TaintEffectNoSchedule})),
			},
			pods: []corev1.Pod{testPod("a", 2, corev1.PodRunning)},
			want: []string{"a100 4/0 A100 0 0 8"},
		},
		"taints that do not matter": {
			nodes: []corev1.Node{
				testNode("a", 8, a100, taint(corev1.Taint{Key: "nvidia.com/gpu", Effect: corev1.TaintEffectNoSchedule})),
				testNode("b", 8, a100, taint(corev1.Taint{Key: "k", Effect: corev1.TaintEffectPreferNoSchedule})),
				testNode("c", 8, a100, taint(corev1.Taint{Key: "team", Value: "vision", Effect: corev1.TaintEffectNoExecute})),
			},
			tolerations: []v1alpha1.Toleration{{Key: "team", Value: "vision"}},
			want:        []string{"a100 3/3 A100 24 0 8"},
		},
		"tolerations that do not fit": {
			nodes: []corev1.Node{
				testNode("a", 8, a100, taint(corev1.Taint{Key: "team", Value: "audio", Effect: corev1.TaintEffectNoSchedule})),
				testNode("b", 8, a100, taint(corev1.Taint{Key: "team", Value: "vision", Effect: corev1.TaintEffectNoExecute})),
			},
			tolerations: []v1alpha1.Toleration{{Key: "team", Value: "vision", Effect: "NoSchedule"}},
			want:        []string{"a100 2/0 A100 0 0 8"},
		},
		"several models in one pool": {
			nodes: []corev1.Node{
				testNode("a", 8, a100),
				testNode("b", 4, map[string]string{v1alpha1.LabelPool: "a100", v1alpha1.LabelGPUModel: "H100"}),
			},
			want: []string{"a100 2/2  12 0 8"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			found := pools(test.nodes, test.pods, test.tolerations)
			var got []string
			for _, p := range found.pools {
				got = append(got, fmt.Sprintf("%s %d/%d %s %d %d %d",
					p.Name, p.Nodes, p.ReadyNodes, p.GPUModel, *p.Capacity.GPUs, *p.Used.GPUs, *p.LargestNode.GPUs))
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("pools = %q, want %q", got, test.want)
			}
		})
	}
}

func TestPoolsAreBounded(t *testing.T) {
	var nodes []corev1.Node
	for i := range maxPools + 3 {
		pool := fmt.Sprintf("p%02d", i)
		nodes = append(nodes, testNode("n-"+pool, 1, map[string]string{v1alpha1.LabelPool: pool}))
	}
	// The last pool is the largest, so that it is told of although its name comes last.
	nodes = append(nodes, testNode("second", 1, nodes[len(nodes)-1].Labels))
	found := pools(nodes, nil, nil)
	if len(found.pools) != maxPools || found.omitted != 3 {
		t.Fatalf("%d pools and %d omitted, want %d and 3", len(found.pools), found.omitted, maxPools)
	}
	if last := found.pools[maxPools-1]; last.Name != "p26" || last.Nodes != 2 {
		t.Errorf("the last pool is %s with %d nodes, want p26 with 2", last.Name, last.Nodes)
	}
	if found.capacity.GPUs != int64(len(nodes)) {
		t.Errorf("capacity is %d GPUs, want those of all %d nodes", found.capacity.GPUs, len(nodes))
	}
}
