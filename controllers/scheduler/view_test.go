package scheduler

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/cached"
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

// TestTheEngineKnowsWhoGivesWayToWhom: whoever was in a job's way is gone for it, whichever manager decided that.
func TestTheEngineKnowsWhoGivesWayToWhom(t *testing.T) {
	jobs := toolscache.NewStore(toolscache.MetaNamespaceKeyFunc)
	if err := jobs.Add(&platformv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "train", UID: "a"}}); err != nil {
		t.Fatal(err)
	}
	for displacedFor, want := range map[string]string{"": "", "vision/train": "a", "vision/gone": "", "a": "a"} {
		if got := givesWayTo(jobs, &platformv1.Reservation{DisplacedFor: displacedFor}); got != want {
			t.Errorf("displaced for %q: gives way to %q, want %q", displacedFor, got, want)
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
	s := smallShelf()
	v := newView(s, func(context.Context) (toolscache.Store, error) { return s.jobs, nil }, scheduling.New(scheduling.Options{}))
	energy := withEnergy("", night).clusters[0].Spec.Energy
	add := func(key string, change func(*platformv1.Job)) {
		job, err := cached.Get[*platformv1.Job](s.jobs, client.ObjectKey{Namespace: "vision", Name: "a"})
		if err != nil {
			t.Fatal(err)
		}
		job = job.DeepCopy()
		job.Name, job.UID, job.Spec.EnergySchedule = key, types.UID(key), "night"
		change(job)
		if err := s.jobs.Update(job); err != nil {
			t.Fatal(err)
		}
	}
	add("c", func(*platformv1.Job) {})
	add("a", func(j *platformv1.Job) {
		j.Status.Reservation = &platformv1.Reservation{
			Time: metav1.NewMicroTime(night), Quota: "vision", Cluster: "local", Nodes: []platformv1.NodeShare{{Node: "node", Replicas: 1}},
			Replica: platformv1.ReplicaResources{CPU: *j.Spec.Resources.CPU, Memory: *j.Spec.Resources.Memory},
		}
	})
	for end, closes := range map[string]time.Time{"06:00": night.Add(8 * time.Hour), "04:00": night.Add(6 * time.Hour)} {
		s.clusters[0].Spec.Energy = energy.DeepCopy()
		s.clusters[0].Spec.Energy.Schedules[0].Periods[0].End = end
		b := newBatch()
		b.around = true
		if err := v.look(t.Context(), b, night); err != nil {
			t.Fatal(err)
		}
		v.ask(v.state(night))
		v.engine.Decide(night)
		if got := v.engine.Future().Forecast(night, 10, 24*time.Hour); len(got) != 1 || !got["b"].Equal(closes.Add(time.Minute)) {
			t.Errorf("where the window ends at %s: expected starts are %v", end, got)
		}
		if told := v.waiting["c"].asks(); !told.Until.Equal(closes.Add(time.Minute)) {
			t.Errorf("where the window ends at %s: a job that would start in it has ended by %s", end, told.Until)
		}
	}
}

// TestWhatWasNotWrittenHoldsNothing: a job that was decided on, and is refused before that was written, is in nobody's way.
func TestWhatWasNotWrittenHoldsNothing(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct{ refuse func(*state) }{
		"refused": {func(s *state) {
			s.candidates["a"].hindered = &scheduling.Refusal{Reason: platformv1.JobReasonReservationRefused}
		}},
		"put aside": {func(s *state) { delete(s.candidates, "a") }},
	} {
		t.Run(name, func(t *testing.T) {
			engine := scheduling.New(scheduling.Options{})
			s := smallShelf()
			v := newView(s, func(context.Context) (toolscache.Store, error) { return s.jobs, nil }, engine)
			round := func(b batch, change func(*state)) (started []string) {
				if err := v.look(t.Context(), b, now); err != nil {
					t.Fatal(err)
				}
				state := v.state(now)
				change(&state)
				v.ask(state)
				for _, start := range engine.Decide(now).Starts {
					started = append(started, start.Key)
				}
				return started
			}
			if started := round(newBatch(), func(*state) {}); !slices.Equal(started, []string{"a"}) {
				t.Fatalf("%v start; there is room for one", started)
			}
			next := changes{batch: newBatch()}
			v.doubt("a", &next)
			if started := round(next.take(), tc.refuse); !slices.Equal(started, []string{"b"}) {
				t.Errorf("%v start; there is room for one, and the first cannot", started)
			}
		})
	}
}

// smallShelf has a node with room for one of two jobs that wait.
func smallShelf() *shelf {
	s := &shelf{jobs: toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), nodes: map[string]*corev1.Node{}}
	one, small, much := resource.MustParse("1"), resource.MustParse("1Gi"), resource.MustParse("1Pi")
	project := platformv1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision"}}
	project.Spec.Quota, project.Status.Namespace = project.Name, &platformv1.ProjectNamespace{Name: project.Name}
	s.projects = []platformv1.Project{project}
	quota := platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: project.Name}}
	quota.Spec.Nominal = platformv1.ResourceAmounts{CPU: &much, Memory: &much}
	s.quotas = []platformv1.Quota{quota}
	cluster := platformv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local"}}
	cluster.Status.Conditions = []metav1.Condition{{Type: platformv1.ConditionReady, Status: metav1.ConditionTrue}}
	s.clusters = []platformv1.Cluster{cluster}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	node.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: much, corev1.ResourcePods: resource.MustParse("250")}
	s.nodes[node.Name] = node
	for i, name := range []string{"a", "b"} {
		job := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: project.Name, Name: name, UID: types.UID(name), ResourceVersion: name}}
		job.CreationTimestamp = metav1.NewTime(night.Add(time.Duration(i) * time.Second))
		job.Spec.SubmittedBy = "ada"
		job.Spec.Resources = &platformv1.JobResources{CPU: &one, Memory: &small}
		if err := s.jobs.Add(job); err != nil {
			panic(err)
		}
	}
	return s
}
