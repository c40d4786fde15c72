package scheduler

import (
	"fmt"
	"strings"
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

// A job does its work from when it runs: until then nothing of its life span, and of the time that is promised to it, is over. One
// that is bound to an energy schedule has ended when that has closed.
func TestWhatAJobIsToTheEngine(t *testing.T) {
	held, ran, closes := night, night.Add(10*time.Minute), night.Add(8*time.Hour)
	lasts := func(hours int64) func(*platformv1.Job) {
		return func(j *platformv1.Job) { j.Spec.LifeSpanSeconds = new(hours * 3600) }
	}
	bound := func(schedule string) func(*platformv1.Job) {
		return func(j *platformv1.Job) { j.Spec.EnergySchedule = schedule }
	}
	runs := func(j *platformv1.Job) { j.Status.Reservation.StartTime = new(metav1.NewTime(ran)) }
	type changes = []func(*platformv1.Job)
	tests := map[string]struct {
		job  changes
		want scheduling.Running
	}{
		"it starts":                   {nil, scheduling.Running{Start: held, Starting: true}},
		"it starts, with a life span": {changes{lasts(1)}, scheduling.Running{Start: held, Starting: true, End: held.Add(time.Hour + time.Minute)}},
		"it has long to end": {
			changes{runs, lasts(1), func(j *platformv1.Job) { j.Spec.GracePeriodSeconds = new(int64(600)) }},
			scheduling.Running{Start: ran, End: ran.Add(time.Hour + 10*time.Minute + slowStart)},
		},
		"it runs":                                      {changes{runs}, scheduling.Running{Start: ran}},
		"it runs, after a slow start":                  {changes{runs, lasts(1)}, scheduling.Running{Start: ran, End: ran.Add(time.Hour + time.Minute)}},
		"it makes a pause when the window ends":        {changes{runs, bound("night")}, scheduling.Running{Start: ran, End: closes.Add(time.Minute)}},
		"it makes one before its life span is over":    {changes{runs, bound("night"), lasts(9)}, scheduling.Running{Start: ran, End: closes.Add(time.Minute)}},
		"its life span is over before":                 {changes{runs, bound("night"), lasts(2)}, scheduling.Running{Start: ran, End: ran.Add(2*time.Hour + time.Minute)}},
		"its window has no end":                        {changes{runs, bound("always")}, scheduling.Running{Start: ran}},
		"it runs on, as its schedule was taken away":   {changes{runs, bound("noon")}, scheduling.Running{Start: ran}},
		"it starts in a window, and ends in it anyway": {changes{bound("night")}, scheduling.Running{Start: held, Starting: true, End: closes.Add(time.Minute)}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			job := &platformv1.Job{}
			job.Status.Reservation = &platformv1.Reservation{Time: metav1.NewMicroTime(held), Cluster: "local"}
			for _, change := range tc.job {
				change(job)
			}
			got := withEnergy("", night).holding(job)
			if !got.Start.Equal(tc.want.Start) || got.Starting != tc.want.Starting || !got.End.Equal(tc.want.End) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// TestAQuotaThatIsDeletedBindsAsLongAsItIsThere: what runs under it counts, and nothing new starts under it or below.
func TestAQuotaThatIsDeletedBindsAsLongAsItIsThere(t *testing.T) {
	quota := func(name, parent string, deleted bool) *platformv1.Quota {
		q := &platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: platformv1.QuotaSpec{Parent: parent}}
		if deleted {
			q.DeletionTimestamp = &metav1.Time{Time: night}
		}
		return q
	}
	for name, tc := range map[string]struct {
		quotas []*platformv1.Quota
		// says is what a job under the quota "team" is told by it; empty where it may start.
		says string
	}{
		"none is deleted":      {[]*platformv1.Quota{quota("team", "root", false), quota("root", "", false), quota("other", "root", true)}, ""},
		"its own":              {[]*platformv1.Quota{quota("team", "root", true), quota("root", "", false)}, `quota "team"`},
		"one above":            {[]*platformv1.Quota{quota("team", "root", false), quota("root", "all", false), quota("all", "", true)}, `quota "all"`},
		"they go in a circle":  {[]*platformv1.Quota{quota("team", "root", false), quota("root", "team", false)}, ""},
		"one above is missing": {[]*platformv1.Quota{quota("team", "root", false)}, ""},
	} {
		w := worldOf(tc.quotas...)
		if got := len(w.tree()); got != len(tc.quotas) {
			t.Errorf("%s: the engine knows of %d of %d", name, got, len(tc.quotas))
		}
		refusal := w.leaving("team", "vision")
		if (refusal == nil) != (tc.says == "") || refusal != nil && (!strings.Contains(refusal.Message, tc.says) || refusal.Reason != platformv1.JobReasonQuotaMissing) {
			t.Errorf("%s: %+v, want %q", name, refusal, tc.says)
		}
	}
}

// What a job asked for it asks for again when it gives way.
func TestWhatAJobThatRunsAskedFor(t *testing.T) {
	w := withEnergy("", night)
	w.clusters[0].Spec.Topology = []platformv1.TopologyLevel{{Name: "block"}, {Name: "rack"}}
	w.clusters[0].Spec.Presets = []platformv1.Preset{{
		Name: "large", CPU: resource.MustParse("8"), Memory: resource.MustParse("64Gi"), GPU: &platformv1.GPUs{Count: 8, Models: []string{"H100", "A100"}},
		Pools: []string{"gpu"}, Spot: new(true),
	}}
	job := &platformv1.Job{}
	job.Spec.Preset, job.Spec.Placement = "large", &platformv1.Placement{Within: "rack"}
	job.Status.Reservation = &platformv1.Reservation{Cluster: "local", Replica: platformv1.ReplicaResources{GPUModel: "A100"}}
	got := w.holding(job)
	if asked := fmt.Sprintf("%v %v %t %d", got.Models, got.Pools, got.Spot, got.Within); asked != "[H100 A100] [gpu] true 2" {
		t.Errorf("got %s", asked)
	}
	job.Status.Reservation.Cluster = "other"
	if got := w.holding(job); got.Models != nil || got.Pools != nil || got.Spot || got.Within != 0 {
		t.Errorf("on a cluster that is gone: %+v", got)
	}
}
