package scheduler

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

// changes are what happened since the last round: names of what the next one looks at.
type changes struct {
	mu sync.Mutex
	batch
}

// batch is the changes of one round.
type batch struct {
	jobs  map[client.ObjectKey]struct{}
	nodes map[string]struct{}
	// around reports that a project, quota, cluster or secret changed.
	around bool
}

func newBatch() batch {
	return batch{jobs: map[client.ObjectKey]struct{}{}, nodes: map[string]struct{}{}}
}

// take returns the changes so far and begins anew.
func (c *changes) take() batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.batch
	c.batch = newBatch()
	return taken
}

// put adds changes, for instance those of a round that failed.
func (c *changes) put(b batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range b.jobs {
		c.jobs[key] = struct{}{}
	}
	for name := range b.nodes {
		c.nodes[name] = struct{}{}
	}
	c.around = c.around || b.around
}

func (c *changes) markJob(o client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs[client.ObjectKeyFromObject(o)] = struct{}{}
}

func (c *changes) markNode(o client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[o.GetName()] = struct{}{}
}

// markPod marks the job of a pod, or the node that a pod of others takes room on.
func (c *changes) markPod(o client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if owner := jobOf(o); owner != nil {
		c.jobs[client.ObjectKey{Namespace: o.GetNamespace(), Name: owner.Name}] = struct{}{}
	} else if pod, ok := o.(*corev1.Pod); ok && pod.Spec.NodeName != "" {
		c.nodes[pod.Spec.NodeName] = struct{}{}
	}
}

func (c *changes) markAround(client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.around = true
}

// jobOf is the job that a pod belongs to; nil where it belongs to none.
func jobOf(pod client.Object) *metav1.OwnerReference {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || pod.GetLabels()[platformv1.LabelJobUID] != string(owner.UID) {
		return nil
	}
	return owner
}

// round is the one request of the queue.
var round = reconcile.Request{NamespacedName: client.ObjectKey{Name: "round"}}

// queue is where rounds are asked for.
type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// marks are handlers that mark what an event is about, and ask for a round where it may start a job or frees what one held.
func marks(mark func(client.Object), wakes predicate.Predicate) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			if mark(e.Object); wakes.Create(e) {
				q.Add(round)
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			mark(e.ObjectOld)
			if mark(e.ObjectNew); wakes.Update(e) {
				q.Add(round)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			if mark(e.Object); wakes.Delete(e) {
				q.Add(round)
			}
		},
	}
}

// jobChanges passes on what may start a job or frees what it held. What the scheduler itself did is no news to it.
func jobChanges() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, okBefore := e.ObjectOld.(*platformv1.Job)
			after, okAfter := e.ObjectNew.(*platformv1.Job)
			return !okBefore || !okAfter || before.Generation != after.Generation || (waits(after) && !waits(before)) ||
				(before.Status.Reservation != nil && after.Status.Reservation == nil) ||
				before.Status.Journal.Recorded != after.Status.Journal.Recorded
		},
		DeleteFunc: func(e event.DeleteEvent) bool {
			job, ok := e.Object.(*platformv1.Job)
			return !ok || !job.Status.Phase.Finished()
		},
	}
}

func nodeChanges() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, okBefore := e.ObjectOld.(*corev1.Node)
		after, okAfter := e.ObjectNew.(*corev1.Node)
		return !okBefore || !okAfter || !equality.Semantic.DeepEqual(before.Spec, after.Spec) ||
			!equality.Semantic.DeepEqual(before.Labels, after.Labels) ||
			!equality.Semantic.DeepEqual(before.Status.Allocatable, after.Status.Allocatable) ||
			workload.Schedulable(before, nil) != workload.Schedulable(after, nil)
	}}
}

// podChanges passes on pods that take or free room. Those of a job that holds a reservation do not: that counts until the job
// gives it back.
func (r *Reconciler) podChanges() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return jobOf(e.Object) == nil },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, okBefore := e.ObjectOld.(*corev1.Pod)
			after, okAfter := e.ObjectNew.(*corev1.Pod)
			if !okBefore || !okAfter {
				return true
			}
			if jobOf(after) == nil {
				return workload.Ended(before) != workload.Ended(after) || before.Spec.NodeName != after.Spec.NodeName
			}
			return workload.Ended(before) != workload.Ended(after) && !r.reserved(after)
		},
		DeleteFunc: func(e event.DeleteEvent) bool {
			pod, ok := e.Object.(*corev1.Pod)
			return !ok || (!workload.Ended(pod) && !r.reserved(pod))
		},
	}
}

// reserved reports whether the job of a pod holds a reservation.
func (r *Reconciler) reserved(pod client.Object) bool {
	owner := jobOf(pod)
	if owner == nil {
		return false
	}
	job := &platformv1.Job{}
	err := r.Client.Get(context.Background(), client.ObjectKey{Namespace: pod.GetNamespace(), Name: owner.Name}, job,
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency) // it is read from memory
	return err == nil && job.UID == owner.UID && job.Status.Reservation != nil
}
