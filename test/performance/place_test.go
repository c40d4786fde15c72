package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// TestForeign: a run removes what has the names that it uses, so it must not begin where that is somebody else's.
func TestForeign(t *testing.T) {
	made := metav1.ObjectMeta{Labels: map[string]string{mark: "true"}}
	ours, theirs := &platformv1.Project{ObjectMeta: made}, &platformv1.Project{}
	namespace := &corev1.Namespace{}
	for name, test := range map[string]struct {
		found []client.Object
		want  client.Object
	}{
		"nothing is there":                  {nil, nil},
		"all of an earlier run":             {[]client.Object{&platformv1.Quota{ObjectMeta: made}, ours, namespace}, nil},
		"somebody's project":                {[]client.Object{theirs, namespace}, theirs},
		"somebody's namespace":              {[]client.Object{namespace}, namespace},
		"a quota is left, and a namespace":  {[]client.Object{&platformv1.Quota{ObjectMeta: made}, namespace}, namespace},
		"a project that is not made by now": {[]client.Object{ours}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := foreign(test.found); got != test.want {
				t.Errorf("got %T, want %T", got, test.want)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	ready := func(node *corev1.Node, status corev1.ConditionStatus) *corev1.Node {
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}}
		return node
	}
	tainted := simulatedNode(1)
	tainted.Spec.Taints = append(tainted.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeNotReady})
	for name, test := range map[string]struct {
		node *corev1.Node
		want bool
	}{
		"just made":            {simulatedNode(1), false},
		"not ready":            {ready(simulatedNode(1), corev1.ConditionFalse), false},
		"ready":                {ready(simulatedNode(1), corev1.ConditionTrue), true},
		"ready, still tainted": {ready(tainted, corev1.ConditionTrue), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := open(test.node); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
