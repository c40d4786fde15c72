package scheduler

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// TestAViewFollowsWhatTheCacheHas: a job is where its last version puts it, as the object that the cache has.
func TestAViewFollowsWhatTheCacheHas(t *testing.T) {
	s := &shelf{jobs: toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), nodes: map[string]*corev1.Node{}}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	v := newView(s, func(context.Context) (toolscache.Store, error) { return s.jobs, nil }, scheduling.New(scheduling.Options{}))
	version := func(uid, version string, reserved bool) *platformv1.Job {
		job := &platformv1.Job{}
		job.Namespace, job.Name, job.UID, job.ResourceVersion = "vision", "train", types.UID(uid), version
		if reserved {
			job.Status.Reservation = &platformv1.Reservation{Quota: "vision"}
		}
		return job
	}
	finished := version("b", "5", false)
	finished.Status.Phase = platformv1.JobSucceeded
	for _, step := range []struct {
		name                   string
		job                    *platformv1.Job
		jobs, waiting, running int
	}{
		{"it comes", version("a", "1", false), 1, 1, 0},
		{"it is as it was", version("a", "1", false), 1, 1, 0},
		{"it is reserved", version("a", "2", true), 1, 0, 1},
		{"another has taken its name", version("b", "3", false), 1, 1, 0},
		{"that is reserved", version("b", "4", true), 1, 0, 1},
		{"it has ended", finished, 1, 0, 0},
		{"it is gone", nil, 0, 0, 0},
	} {
		var err error
		if step.job != nil {
			err = s.jobs.Update(step.job)
		} else {
			err = s.jobs.Delete(finished)
		}
		if err != nil {
			t.Fatal(err)
		}
		b := newBatch()
		b.jobs[client.ObjectKey{Namespace: "vision", Name: "train"}] = struct{}{}
		if err := v.look(t.Context(), b, now); err != nil {
			t.Fatal(err)
		}
		if len(v.jobs) != step.jobs || len(v.names) != step.jobs || len(v.waiting) != step.waiting || len(v.running) != step.running {
			t.Errorf("%s: %d jobs, %d names, %d wait, %d run", step.name, len(v.jobs), len(v.names), len(v.waiting), len(v.running))
		}
		for uid, job := range v.running {
			if job != step.job || uid != string(job.UID) {
				t.Errorf("%s: a copy is kept of what runs", step.name)
			}
		}
		for uid, c := range v.waiting {
			if uid != string(step.job.UID) || c.job.ResourceVersion != step.job.ResourceVersion {
				t.Errorf("%s: what waits is version %s of %s", step.name, c.job.ResourceVersion, uid)
			}
		}
	}
}

// TestTheEngineIsToldAgainOfWhoGoesAhead: a job that gave way, and has waited for longer than it should by now.
func TestTheEngineIsToldAgainOfWhoGoesAhead(t *testing.T) {
	displaced := metav1.NewTime(night.Add(-defaultLongestWait))
	c := &candidate{job: &platformv1.Job{}, asked: true}
	c.job.Status.Queue = &platformv1.QueueStatus{Displaced: &displaced}
	w := &world{}
	if left := w.setOverdue(c, night.Add(-time.Minute)); left != time.Minute || c.overdue || c.changed {
		t.Errorf("a minute before, in %s: %+v", left, c)
	}
	if left := w.setOverdue(c, night); left != 0 || !c.overdue || !c.changed {
		t.Errorf("when it is time, in %s: %+v", left, c)
	}
	c.changed = false
	if w.setOverdue(c, night.Add(time.Minute)); !c.overdue || c.changed {
		t.Errorf("a minute later: %+v", c)
	}
}

// TestTheEngineKnowsWhenAWindowEnds: what runs in it is gone then, and what would start in it as well; when the schedule is another,
// so is that.
func TestTheEngineKnowsWhenAWindowEnds(t *testing.T) {
	large := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("110")}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}
	node.Status.Allocatable, node.Status.Conditions = large, []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	cluster := withEnergy("", night).clusters[0]
	cluster.Status.Conditions = []metav1.Condition{{Type: platformv1.ConditionReady, Status: metav1.ConditionTrue}}
	project := platformv1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: platformv1.ProjectSpec{Quota: "q"}}
	project.Status.Namespace = new(platformv1.ProjectNamespace)
	quota := platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "q"}, Spec: platformv1.QuotaSpec{Nominal: platformv1.ResourceAmounts{CPU: large.Cpu(), Memory: large.Memory()}}}
	s := &shelf{
		jobs: toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), nodes: map[string]*corev1.Node{"n": node},
		projects: []platformv1.Project{project}, quotas: []platformv1.Quota{quota}, clusters: []platformv1.Cluster{*cluster},
	}
	v := newView(s, func(context.Context) (toolscache.Store, error) { return s.jobs, nil }, scheduling.New(scheduling.Options{}))
	add := func(uid, schedule string) *platformv1.Job {
		job := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: uid, UID: types.UID(uid), ResourceVersion: "1"}}
		job.Spec.EnergySchedule, job.Spec.Resources = schedule, &platformv1.JobResources{CPU: large.Cpu(), Memory: large.Memory()}
		if err := s.jobs.Add(job); err != nil {
			t.Fatal(err)
		}
		return job
	}
	add("runs", "night").Status.Reservation = &platformv1.Reservation{
		Time: metav1.NewMicroTime(night), Quota: "q", Cluster: "local", Nodes: []platformv1.NodeShare{{Node: "n", Replicas: 1}},
		Replica: platformv1.ReplicaResources{CPU: *large.Cpu(), Memory: *large.Memory()},
	}
	add("waits", "")
	add("waits-in-it", "night")
	for end, closes := range map[string]time.Time{"06:00": night.Add(8 * time.Hour), "04:00": night.Add(6 * time.Hour)} {
		s.clusters[0] = *cluster.DeepCopy()
		s.clusters[0].Generation, s.clusters[0].Spec.Energy.Schedules[0].Periods[0].End = cluster.Generation+1, end
		b := newBatch()
		b.around = true
		if err := v.look(t.Context(), b, night); err != nil {
			t.Fatal(err)
		}
		v.ask(v.state(night))
		v.engine.Decide(night)
		if got := v.engine.Forecast(night, 10, 24*time.Hour); len(got) != 1 || !got["waits"].Equal(closes.Add(margin)) {
			t.Errorf("where the window ends at %s: expected starts are %v", end, got)
		}
		if told := v.waiting["waits-in-it"].asks(); !told.Until.Equal(closes.Add(margin)) {
			t.Errorf("where the window ends at %s: a job that would start in it has ended by %s", end, told.Until)
		}
	}
}
