package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/cached"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/testing/heap"
)

// benchWaiting jobs of 10 users wait in 100 projects, on 1,000 nodes.
const benchWaiting, benchProjects, benchUsers, benchNodes = 50_000, 100, 10, 1_000

func fullShelf(b *testing.B) *shelf {
	b.Helper()
	return shelfOf(b, benchProjects, benchWaiting, "1")
}

// shelfOf has so many projects, each with a quota of so many cores, and so many jobs that wait in them.
func shelfOf(b *testing.B, projects, waiting int, cores string) *shelf {
	b.Helper()
	s := &shelf{jobs: toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), nodes: map[string]*corev1.Node{}}
	granted, much := resource.MustParse(cores), resource.MustParse("1Pi")
	for i := range projects {
		project := platformv1.Project{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("project-%d", i)}}
		project.Spec.Quota, project.Status.Namespace = project.Name, &platformv1.ProjectNamespace{Name: project.Name}
		quota := platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: project.Name}}
		quota.Spec.Nominal = platformv1.ResourceAmounts{CPU: &granted, Memory: &much}
		s.projects, s.quotas = append(s.projects, project), append(s.quotas, quota)
	}
	cluster := platformv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local"}}
	cluster.Status.Conditions = []metav1.Condition{{Type: platformv1.ConditionReady, Status: metav1.ConditionTrue}}
	s.clusters = append(s.clusters, cluster)
	for i := range benchNodes {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i)}}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		node.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("96"), corev1.ResourceMemory: much, corev1.ResourcePods: resource.MustParse("250")}
		s.nodes[node.Name] = node
	}
	for i := range waiting {
		if err := s.jobs.Add(benchJob(b, i, projects)); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// benchJob is a job as the API server sends it: no text of it is that of another.
func benchJob(b *testing.B, i, projects int) *platformv1.Job {
	b.Helper()
	text := fmt.Sprintf(`{"metadata":{"namespace":"project-%d","name":"job-%d","uid":"%08d-0000-4000-8000-000000000000","resourceVersion":"%d",
"creationTimestamp":"2026-03-02T08:00:00Z","generation":1},"spec":{"image":"example.com/image:1","submittedBy":"user-%d","priority":"%s",
"lifeSpanSeconds":3600,"resources":{"cpu":"%d","memory":"1Gi"}},"status":{"observedGeneration":1,"phase":"Pending","reason":"Queued",
"message":"waiting for others to end","queue":{"position":%d,"since":"2026-03-02T08:00:00Z"}}}`,
		i%projects, i, i, i+1000, i/projects%benchUsers, []string{"low", "normal", "high"}[i%3], 1<<(i%4), i/projects+1)
	job := &platformv1.Job{}
	if err := json.Unmarshal([]byte(text), job); err != nil {
		b.Fatal(err)
	}
	return job
}

// BenchmarkFirstRound is what the scheduler does before its first decision, and what it keeps of each waiting job then, besides
// what the cache has.
func BenchmarkFirstRound(b *testing.B) {
	s, now := fullShelf(b), time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	kept := func(context.Context) (toolscache.Store, error) { return s.jobs, nil }
	for range b.N {
		b.StopTimer()
		before := heap.Live()
		b.StartTimer()
		engine := scheduling.New(scheduling.Defaults())
		v := newView(s, kept, engine)
		if err := v.look(b.Context(), newBatch(), now); err != nil {
			b.Fatal(err)
		}
		v.ask(v.state(now))
		engine.Decide(now)
		b.StopTimer()
		if len(v.waiting) != benchWaiting {
			b.Fatalf("%d jobs wait", len(v.waiting))
		}
		b.ReportMetric(float64(heap.Live()-before)/benchWaiting, "B/job")
		runtime.KeepAlive(v)
	}
}

// BenchmarkLook is a look for news where there are none: 20 jobs wait in each of 1,000 quotas, all of which are watched, for nodes that are
// full. Half of them are gangs, which are told for how many of their replicas there is room.
func BenchmarkLook(b *testing.B) {
	const projects, watched = 1_000, 1_000 * watchedPositions
	s, now := shelfOf(b, projects, watched, "1M"), time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for i, job := range cached.All[*platformv1.Job](s.jobs) {
		job.Spec.Replicas = new(int32(i%2 + 1))
	}
	fills := benchJob(b, watched, projects)
	fills.Status.Reservation = &platformv1.Reservation{
		Quota: "project-0", Cluster: "local", Replica: platformv1.ReplicaResources{CPU: resource.MustParse("96"), Memory: resource.MustParse("1Gi")},
	}
	for name := range s.nodes {
		fills.Status.Reservation.Nodes = append(fills.Status.Reservation.Nodes, platformv1.NodeShare{Node: name, Replicas: 1})
	}
	if err := s.jobs.Add(fills); err != nil {
		b.Fatal(err)
	}
	r := &Reconciler{engine: scheduling.New(scheduling.Defaults()), aside: aside{}, refusals: newRefusals()}
	v := newView(s, func(context.Context) (toolscache.Store, error) { return s.jobs, nil }, r.engine)
	if err := v.look(b.Context(), newBatch(), now); err != nil {
		b.Fatal(err)
	}
	state := v.state(now)
	v.ask(state)
	r.engine.Decide(now)
	for _, d := range r.waits(state, nil, now) {
		status := refused(state.candidates[d.key].job, d, now)
		status.DeepCopyInto(&state.candidates[d.key].job.Status)
	}
	for b.Loop() {
		if n := r.refusals.sort(state, r.waits(state, nil, now), now); len(n.settled) != watched {
			b.Fatalf("of %d jobs %d have no news", watched, len(n.settled))
		}
		now = now.Add(tellPause)
	}
}
