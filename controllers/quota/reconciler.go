// Package quota tells what is in use of each quota. It grants nothing: that is the scheduler's, and both derive what is
// held from the same reservations.
package quota

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/debounce"
	"github.com/soma-platform/soma/internal/platform/patch"
)

// +kubebuilder:rbac:groups=platform.soma.dev,resources=quotas,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=quotas/status,verbs=patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=projects;jobs,verbs=get;list;watch

// DefaultInterval is the time between two looks at the same quota where the reconciler is not told another.
const DefaultInterval = time.Second

// Reconciler keeps the status of quotas. Client and Clock are required.
type Reconciler struct {
	Client client.Client
	Clock  clock.PassiveClock
	// Interval is the shortest time between two writes of the same quota's usage; DefaultInterval where it is zero.
	Interval time.Duration
}

// SetupWithManager adds the controller to the manager. It returns an error where a dependency is missing.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Client == nil || r.Clock == nil {
		return errors.New("controller of quotas: Client and Clock are required")
	}
	if r.Interval <= 0 {
		r.Interval = DefaultInterval
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("quota").
		// Its own writes of the status are no news to it.
		For(&v1alpha1.Quota{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: recorded}))).
		Watches(&v1alpha1.Job{}, debounce.Events(r.Interval, r.byJob), builder.WithPredicates(predicate.Funcs{UpdateFunc: usageChanged})).
		Watches(&v1alpha1.Project{}, debounce.Events(r.Interval, r.byProject), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(r)
}

// Reconcile derives the status of one quota.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	quota := &v1alpha1.Quota{}
	if err := r.Client.Get(ctx, request.NamespacedName, quota); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if quota.DeletionTimestamp == nil {
		_, err := patch.Finalizers(ctx, r.Client, quota, []string{v1alpha1.FinalizerHistory}, nil)
		if err != nil {
			return patch.Result(err)
		}
	}
	// Nothing in these lists is changed, so that they need not be copied.
	var jobs v1alpha1.JobList
	if err := r.Client.List(ctx, &jobs, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the jobs under quota %q: %w", quota.Name, err)
	}
	var quotas v1alpha1.QuotaList
	if err := r.Client.List(ctx, &quotas, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the quotas below quota %q: %w", quota.Name, err)
	}
	var projects v1alpha1.ProjectList
	if err := r.Client.List(ctx, &projects, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the projects under quota %q: %w", quota.Name, err)
	}
	after := quota.DeepCopy()
	derive(after, usageOf(quota.Name, quotas.Items, jobs.Items, projects.Items), r.Clock.Now())
	_, err := patch.Status(ctx, r.Client, quota, after)
	return patch.Result(err)
}

// byJob names the quotas that a job counts or waits under.
func (r *Reconciler) byJob(ctx context.Context, object client.Object) []reconcile.Request {
	job, ok := object.(*v1alpha1.Job)
	if !ok {
		return nil
	}
	var requests []reconcile.Request
	if job.Status.Reservation != nil {
		requests = append(requests, r.upFrom(ctx, job.Status.Reservation.Quota)...)
	}
	project := &v1alpha1.Project{}
	if err := r.Client.Get(ctx, types.NamespacedName{Name: job.Namespace}, project, client.UnsafeDisableDeepCopy); err == nil {
		requests = append(requests, r.upFrom(ctx, project.Spec.Quota)...)
	}
	return requests
}

func (r *Reconciler) byProject(ctx context.Context, object client.Object) []reconcile.Request {
	project, ok := object.(*v1alpha1.Project)
	if !ok {
		return nil
	}
	return r.upFrom(ctx, project.Spec.Quota)
}

// upFrom names a quota and those above it. Parents that go in a circle are each named once.
func (r *Reconciler) upFrom(ctx context.Context, name string) []reconcile.Request {
	var requests []reconcile.Request
	seen := map[string]bool{"": true}
	for !seen[name] {
		seen[name] = true
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
		quota := &v1alpha1.Quota{}
		if err := r.Client.Get(ctx, types.NamespacedName{Name: name}, quota, client.UnsafeDisableDeepCopy); err != nil {
			break
		}
		name = quota.Spec.Parent
	}
	return requests
}

// usageChanged lets through the updates of jobs that change what is held or waited for.
func usageChanged(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*v1alpha1.Job)
	after, okToo := e.ObjectNew.(*v1alpha1.Job)
	if !ok || !okToo {
		return false
	}
	if (before.Status.Reservation == nil) != (after.Status.Reservation == nil) || waits(before) != waits(after) {
		return true
	}
	return after.Status.Reservation != nil && before.Status.Reservation.Attempt != after.Status.Reservation.Attempt
}

// recorded lets through an update by which the journal got room again.
func recorded(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*v1alpha1.Quota)
	after, okToo := e.ObjectNew.(*v1alpha1.Quota)
	return ok && okToo && before.Status.Journal.Recorded != after.Status.Journal.Recorded
}
