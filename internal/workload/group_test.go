package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func TestPodGroupOfAGang(t *testing.T) {
	job := gang()
	group := PodGroup(job)
	if group.Name != "train-3f2a9c1d-2" || group.Namespace != "vision" {
		t.Errorf("the group is %s/%s, want vision/train-3f2a9c1d-2", group.Namespace, group.Name)
	}
	if policy := group.Spec.SchedulingPolicy; policy.Gang == nil || policy.Gang.MinCount != 3 || policy.Basic != nil {
		t.Errorf("the policy is %v, want a gang of 3", policy)
	}
	if mode := group.Spec.DisruptionMode; mode == nil || mode.All == nil {
		t.Error("a single pod of the gang may be pushed away")
	}
	if !metav1.IsControlledBy(group, job) {
		t.Error("the group does not go with its job")
	}
	if got := group.Labels[platformv1.LabelAttempt]; got != "2" {
		t.Errorf("the group is of attempt %q, want 2", got)
	}
	if rank, has := group.Labels[platformv1.LabelRank]; has {
		t.Errorf("the group has rank %q", rank)
	}
}

func TestPodsNameTheirGroup(t *testing.T) {
	job := gang()
	for _, p := range Pods(job, nil, PodGroup(job)) {
		if of := p.Spec.SchedulingGroup; of == nil || of.PodGroupName == nil || *of.PodGroupName != "train-3f2a9c1d-2" {
			t.Errorf("pod %s is of group %v, want train-3f2a9c1d-2", p.Name, of)
		}
		if p.Spec.Affinity == nil {
			t.Errorf("pod %s is not steered to the node of its reservation", p.Name)
		}
	}
	for _, p := range Pods(job, nil, nil) {
		if p.Spec.SchedulingGroup != nil {
			t.Errorf("pod %s is of a group that does not exist", p.Name)
		}
	}
}

// unbound is a pod of which kube-scheduler says why it is not bound.
func unbound(message string) *corev1.Pod {
	p := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending}}
	p.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message,
	}}
	return p
}

// TestWhyAGangIsNotBound: what is in the way of one pod tells more than that the others are not bound without it.
func TestWhyAGangIsNotBound(t *testing.T) {
	const cause = "0/2 nodes are available: 2 Insufficient cpu."
	follows := unbound("pod group is unschedulable, minCount (2) cannot be satisfied: 1 scheduled, 0 remaining")
	tests := map[string]struct {
		pods []*corev1.Pod
		want string
	}{
		"the cause comes last":  {[]*corev1.Pod{follows, follows, unbound(cause)}, cause},
		"the cause comes first": {[]*corev1.Pod{unbound(cause), follows}, cause},
		"the cause is not told": {[]*corev1.Pod{follows, unbound("")}, unboundMessage(follows)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if seen := Observe(tc.pods, nil); seen.Message != tc.want || !seen.Unbound || seen.Reason != platformv1.JobReasonScheduling {
				t.Errorf("told %s %q, unbound %t, want %q", seen.Reason, seen.Message, seen.Unbound, tc.want)
			}
		})
	}
}
