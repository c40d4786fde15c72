package workload

import (
	corev1 "k8s.io/api/core/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// poolLabels are where the name of a node's pool is looked for: Soma's own label, then those of the providers.
var poolLabels = []string{
	platformv1.LabelPool,
	"cloud.google.com/gke-nodepool",
	"eks.amazonaws.com/nodegroup",
	"kubernetes.azure.com/agentpool",
	"karpenter.sh/nodepool",
}

// defaultPool is the pool of nodes that have none of the labels.
const defaultPool = "default"

// Pool is the name of the pool that a node belongs to.
func Pool(node *corev1.Node) string {
	for _, label := range poolLabels {
		if name := node.Labels[label]; name != "" {
			return name
		}
	}
	return defaultPool
}

// spotLabels are the labels, by their values, of nodes that can be taken away at any time: Soma's own, then those of the
// providers.
var spotLabels = map[string]string{
	platformv1.LabelSpot:                    "true",
	"cloud.google.com/gke-spot":             "true",
	"cloud.google.com/gke-preemptible":      "true",
	"eks.amazonaws.com/capacityType":        "SPOT",
	"kubernetes.azure.com/scalesetpriority": "spot",
	"karpenter.sh/capacity-type":            "spot",
}

// Spot reports whether a node can be taken away at any time.
func Spot(node *corev1.Node) bool {
	for label, value := range spotLabels {
		if node.Labels[label] == value {
			return true
		}
	}
	return false
}

// Domains are the topology domains that a node is in, from the widest level to the first that it has no label of.
func Domains(node *corev1.Node, levels []platformv1.TopologyLevel) []string {
	var domains []string
	for i := range levels {
		domain := node.Labels[levels[i].NodeLabel]
		if domain == "" {
			break
		}
		domains = append(domains, domain)
	}
	return domains
}

// Schedulable reports whether pods with the tolerations can start on a node: it is ready, not cordoned, and has no taint
// that keeps them away. GPU nodes' own taint never does: jobs with GPUs tolerate it, and the others are better elsewhere.
func Schedulable(node *corev1.Node, tolerations []corev1.Toleration) bool {
	if node.Spec.Unschedulable || node.DeletionTimestamp != nil || !ready(node) {
		return false
	}
	for i := range node.Spec.Taints {
		taint := &node.Spec.Taints[i]
		if taint.Effect != corev1.TaintEffectPreferNoSchedule && taint.Key != gpuTaint && !tolerated(taint, tolerations) {
			return false
		}
	}
	return true
}

func tolerated(taint *corev1.Taint, tolerations []corev1.Toleration) bool {
	for i := range tolerations {
		t := &tolerations[i]
		if t.Key == taint.Key && (t.Effect == "" || t.Effect == taint.Effect) &&
			(t.Operator == corev1.TolerationOpExists || t.Value == taint.Value) {
			return true
		}
	}
	return false
}

// GPUOnly reports whether a node keeps pods without GPUs away.
func GPUOnly(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == gpuTaint && taint.Effect != corev1.TaintEffectPreferNoSchedule {
			return true
		}
	}
	return false
}

func ready(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
