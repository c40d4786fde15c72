package scheduler

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
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

// A job does its work from when it runs: until then nothing of its life span, and of the time that is promised to it, is over.
func TestWhatAJobIsToTheEngine(t *testing.T) {
	held, ran := night.Add(-time.Hour), night.Add(-50*time.Minute)
	hour := func(j *platformv1.Job) { j.Spec.LifeSpanSeconds = new(int64(3600)) }
	runs := func(j *platformv1.Job) { j.Status.Reservation.StartTime = new(metav1.NewTime(ran)) }
	tests := map[string]struct {
		job  []func(*platformv1.Job)
		want scheduling.Running
	}{
		"it starts":                   {nil, scheduling.Running{Start: held, Starting: true}},
		"it starts, with a life span": {[]func(*platformv1.Job){hour}, scheduling.Running{Start: held, Starting: true, End: held.Add(time.Hour + margin)}},
		"it runs":                     {[]func(*platformv1.Job){runs}, scheduling.Running{Start: ran}},
		"it runs, after a slow start": {[]func(*platformv1.Job){runs, hour}, scheduling.Running{Start: ran, End: ran.Add(time.Hour + margin)}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			job := &platformv1.Job{}
			job.Status.Reservation = &platformv1.Reservation{Time: metav1.NewMicroTime(held)}
			for _, change := range tc.job {
				change(job)
			}
			got := holding(job)
			if !got.Start.Equal(tc.want.Start) || got.Starting != tc.want.Starting || !got.End.Equal(tc.want.End) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
