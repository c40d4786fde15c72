package access

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/watching"
	"github.com/soma-platform/soma/internal/workload"
)

// named are the jobs that a right names, by project: theirs alone are the pods that RBAC names. It is safe for concurrent use.
type named struct {
	mu   sync.RWMutex
	jobs map[string]map[string]struct{}
}

func (n *named) set(project string, jobs map[string]struct{}) {
	if len(jobs) == 0 {
		n.forget(project)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.jobs == nil {
		n.jobs = map[string]map[string]struct{}{}
	}
	n.jobs[project] = maps.Clone(jobs)
}

func (n *named) forget(project string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.jobs, project)
}

func (n *named) has(project, job string) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	_, has := n.jobs[project][job]
	return has
}

// byJob names the project of a job that a right names.
func (r *Reconciler) byJob(_ context.Context, job client.Object) []reconcile.Request {
	if !r.named.has(job.GetNamespace(), job.GetName()) {
		return nil
	}
	return []reconcile.Request{watching.Request(job.GetNamespace())}
}

// podsChanged lets through the updates of jobs by which they get other pods.
func podsChanged(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*v1alpha1.Job)
	after, okToo := e.ObjectNew.(*v1alpha1.Job)
	return ok && okToo && (before.UID != after.UID || newest(before) != newest(after) || before.Spec.ReplicaCount() != after.Spec.ReplicaCount())
}

// newest is the number of the newest attempt that a job has, or is about to have.
func newest(job *v1alpha1.Job) int32 {
	attempt := job.Status.Attempt
	if reservation := job.Status.Reservation; reservation != nil {
		attempt = max(attempt, reservation.Attempt)
	}
	return attempt
}

// podsOf names the pods of a job: those that there are, and those of its newest attempt, which may be about to be made. Of a job
// that does not exist there are none.
func (r *Reconciler) podsOf(ctx context.Context, project, name string) ([]string, error) {
	job := &v1alpha1.Job{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: project, Name: name}, job, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read job %s/%s, which a right names: %w", project, name, err)
	}
	var pods corev1.PodList
	err = r.Client.List(ctx, &pods, client.InNamespace(project), client.MatchingFields{workload.PodsByJob: string(job.UID)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list the pods of job %s/%s, which a right names: %w", project, name, err)
	}
	var names []string
	for i := range pods.Items {
		names = append(names, pods.Items[i].Name)
	}
	if attempt := newest(job); attempt > 0 {
		for rank := range job.Spec.ReplicaCount() {
			names = append(names, workload.PodName(job, attempt, rank))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
