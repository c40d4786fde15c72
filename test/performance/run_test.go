package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func newBench(t *testing.T, objects ...client.Object) *bench {
	t.Helper()
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(platformv1.AddToScheme(scheme))
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&platformv1.Job{}).Build()
	return &bench{WithWatch: c}
}

// TestSubmitWaitsForAll: a job that was in the state and left it is waited for again.
func TestSubmitWaitsForAll(t *testing.T) {
	b := newBench(t)
	soma := kindNamed(kindSoma)
	var jobs []client.Object
	for i := range 3 {
		jobs = append(jobs, soma.make(fmt.Sprintf("job-%d", i), simulatedAlways))
	}
	// The last job is told its place, starts, and only then do the others run.
	update := func(name string, phase platformv1.JobPhase, queue *platformv1.QueueStatus) error {
		job := &platformv1.Job{}
		if err := b.Get(t.Context(), client.ObjectKey{Namespace: place, Name: name}, job); err != nil {
			return err
		}
		job.Status.Phase, job.Status.Queue = phase, queue
		return b.Status().Update(t.Context(), job)
	}
	played := make(chan error, 1)
	go func() {
		err := b.eventually(t.Context(), waitTime, "not all jobs exist", func(ctx context.Context) (bool, error) {
			list := &platformv1.JobList{}
			err := b.List(ctx, list)
			return len(list.Items) == len(jobs), err
		})
		played <- errors.Join(err,
			update("job-2", platformv1.JobPending, &platformv1.QueueStatus{Position: 1}), update("job-2", platformv1.JobPending, nil),
			update("job-0", platformv1.JobRunning, nil), update("job-1", platformv1.JobRunning, nil), update("job-2", platformv1.JobRunning, nil))
	}()
	running := map[string]bool{}
	took, err := b.submit(t.Context(), soma, jobs, func(o client.Object) bool { return settled(o, running) })
	if err := errors.Join(err, <-played); err != nil {
		t.Fatal(err)
	}
	if len(running) != len(jobs) || took <= 0 {
		t.Errorf("after %s got %v", took, running)
	}
}

func TestSubmitTellsWhyNot(t *testing.T) {
	pod := kindNamed(kindPod)
	taken := pod.make("start-0", onRealNode)
	b := newBench(t, taken)
	_, err := b.submit(t.Context(), pod, []client.Object{pod.make("start-0", onRealNode)}, pod.finished)
	if err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("got %v, want an error that tells that the name is taken", err)
	}
}

func TestCleanRemovesWhatARunMade(t *testing.T) {
	made := metav1.ObjectMeta{Name: place, Labels: map[string]string{mark: "true"}}
	other := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	objects := []client.Object{&platformv1.Project{ObjectMeta: made}, &platformv1.Quota{ObjectMeta: made}, simulatedNode(1), simulatedNode(2), other}
	for _, k := range kinds {
		objects = append(objects, k.make("x-"+k.name, simulatedSecond))
	}
	b := newBench(t, objects...)
	if err := b.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		err := b.Get(t.Context(), client.ObjectKeyFromObject(object), object)
		if kept := client.IgnoreNotFound(err) == nil && err == nil; kept != (object == other) {
			t.Errorf("%T %s: got %v", object, object.GetName(), err)
		}
	}
}

// While a job is there another pod comes for each that goes: jobs that wait take the places.
func TestCleanRemovesJobsBeforePods(t *testing.T) {
	soma, pod := kindNamed(kindSoma), kindNamed(kindPod)
	job := soma.make("job", simulatedSecond)
	b := newBench(t, job, pod.make("pod-0", simulatedSecond))
	made := 0
	b.WithWatch = interceptor.NewClient(b.WithWatch, interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			if err := c.Delete(ctx, object, options...); err != nil || object.GetObjectKind().GroupVersionKind() != pod.gvk {
				return err
			}
			if err := c.Get(ctx, client.ObjectKeyFromObject(job), &platformv1.Job{}); err != nil {
				return client.IgnoreNotFound(err)
			}
			made++
			return c.Create(ctx, pod.make(fmt.Sprintf("pod-%d", made), simulatedSecond))
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.clean(ctx); err != nil {
		t.Error(err)
	}
}

// newManager is a manager that answers with the text, until it is told to refuse.
func newManager(t *testing.T, refuses *atomic.Bool) (m *manager, looks chan bool) {
	t.Helper()
	looks = make(chan bool, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses.Load() || r.Header.Get("Authorization") != "Bearer token" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		looks <- true
		fmt.Fprint(w, leader)
	}))
	t.Cleanup(server.Close)
	return &manager{http: server.Client(), token: "token", tunnels: []tunnel{{pod: "leader", url: server.URL}}}, looks
}

func TestDuringLooksAgainAndAgain(t *testing.T) {
	m, looks := newManager(t, new(atomic.Bool))
	seen, err := m.during(t.Context(), func(ctx context.Context) error {
		for range 3 {
			select {
			case <-looks:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	if err != nil || len(seen) < 4 || seen.peak(memory) != 1e8 {
		t.Errorf("got %d samples, %v", len(seen), err)
	}
}

func TestDuringEndsWithTheManager(t *testing.T) {
	refuses := new(atomic.Bool)
	m, _ := newManager(t, refuses)
	_, err := m.during(t.Context(), func(ctx context.Context) error {
		refuses.Store(true)
		<-ctx.Done()
		return ctx.Err()
	})
	if err == nil || !strings.Contains(err.Error(), "leader: the manager answered 403") {
		t.Errorf("got %v, want an error that names the pod and its answer", err)
	}
}
