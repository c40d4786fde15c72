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
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/testing/heap"
)

// benchWaiting jobs of 10 users wait in 100 projects, on 1,000 nodes.
const benchWaiting, benchProjects, benchUsers, benchNodes = 50_000, 100, 10, 1_000

func fullShelf(b *testing.B) *shelf {
	b.Helper()
	s := &shelf{jobs: toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), nodes: map[string]*corev1.Node{}}
	one, much := resource.MustParse("1"), resource.MustParse("1Pi")
	for i := range benchProjects {
		project := platformv1.Project{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("project-%d", i)}}
		project.Spec.Quota, project.Status.Namespace = project.Name, &platformv1.ProjectNamespace{Name: project.Name}
		quota := platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: project.Name}}
		quota.Spec.Nominal = platformv1.ResourceAmounts{CPU: &one, Memory: &much}
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
	for i := range benchWaiting {
		if err := s.jobs.Add(benchJob(b, i)); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// benchJob is a job as the API server sends it: no text of it is that of another.
func benchJob(b *testing.B, i int) *platformv1.Job {
	b.Helper()
	text := fmt.Sprintf(`{"metadata":{"namespace":"project-%d","name":"job-%d","uid":"%08d-0000-4000-8000-000000000000","resourceVersion":"%d",
"creationTimestamp":"2026-03-02T08:00:00Z","generation":1},"spec":{"image":"example.com/image:1","submittedBy":"user-%d","priority":"%s",
"lifeSpanSeconds":3600,"resources":{"cpu":"%d","memory":"1Gi"}},"status":{"observedGeneration":1,"phase":"Pending","reason":"Queued",
"message":"waiting for others to end","queue":{"position":%d,"since":"2026-03-02T08:00:00Z"}}}`,
		i%benchProjects, i, i, i+1000, i/benchProjects%benchUsers, []string{"low", "normal", "high"}[i%3], 1<<(i%4), i/benchProjects+1)
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
