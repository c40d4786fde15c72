// Package quota tells what is in use of each quota, and how its budgets stand. It grants nothing and ends nothing: that is the
// scheduler's, and both derive what is held from the same reservations.
package quota

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/platform/cached"
	"github.com/soma-platform/soma/internal/platform/debounce"
	"github.com/soma-platform/soma/internal/platform/horizon"
	"github.com/soma-platform/soma/internal/platform/patch"
)

// +kubebuilder:rbac:groups=platform.soma.dev,resources=quotas,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=quotas/status,verbs=patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=projects;jobs,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	// DefaultInterval is the time between two looks at the same quota where the reconciler is not told another.
	DefaultInterval = time.Second
	// figuresInterval is the time between two writes of what is used of budgets, and nothing else.
	figuresInterval = time.Minute
	// settlingInterval is how soon it is looked again for whether what is settling is gone: nothing tells of that.
	settlingInterval = 5 * time.Second
)

var finalizers = []string{v1alpha1.FinalizerJobs, v1alpha1.FinalizerHistory}

// Reconciler keeps the status of quotas. Client and Clock are required.
type Reconciler struct {
	Client client.Client
	Clock  clock.PassiveClock
	// Interval is the shortest time between two writes of the same quota's usage; DefaultInterval where it is zero.
	Interval time.Duration

	events events.EventRecorder
	// jobs is where the cache keeps them.
	jobs func(ctx context.Context) (toolscache.Store, error)
	// seen is the version up to which the cache has seen objects of a kind.
	seen    func(ctx context.Context, kind client.Object) (string, error)
	noticed noticed
	// figured is when the figures of a quota's budgets were last written, by name. It is only about pace.
	figured map[string]time.Time
}

// SetupWithManager adds the controller to the manager. It returns an error where a dependency is missing.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Client == nil || r.Clock == nil {
		return errors.New("controller of quotas: Client and Clock are required")
	}
	if r.Interval <= 0 {
		r.Interval = DefaultInterval
	}
	r.events = mgr.GetEventRecorder("soma")
	r.seen = func(ctx context.Context, kind client.Object) (string, error) {
		return horizon.Of(ctx, mgr.GetCache(), kind)
	}
	r.jobs = func(ctx context.Context) (toolscache.Store, error) {
		return cached.Store(ctx, mgr.GetCache(), &v1alpha1.Job{})
	}
	r.noticed, r.figured = noticed{}, map[string]time.Time{}
	return ctrl.NewControllerManagedBy(mgr).
		Named("quota").
		// Its own writes of the status are no news to it.
		For(&v1alpha1.Quota{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: recorded}))).
		Watches(&v1alpha1.Job{}, debounce.Events(r.Interval, r.byJob), builder.WithPredicates(predicate.Funcs{UpdateFunc: usageChanged})).
		Watches(&v1alpha1.Project{}, debounce.Events(r.Interval, r.byProject), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// What is used under a quota counts in those above it.
		Watches(&v1alpha1.Quota{}, debounce.Events(r.Interval, r.byQuota), builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: settledChanged}))).
		// Whether there is one above is told by those below it.
		Watches(&v1alpha1.Quota{}, debounce.Events(r.Interval, r.byParent), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// What it remembers is for one at a time.
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Complete(r)
}

// Reconcile derives the status of one quota.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	quota := &v1alpha1.Quota{}
	if err := r.Client.Get(ctx, request.NamespacedName, quota); err != nil {
		if apierrors.IsNotFound(err) {
			unmeasure(request.Name)
			delete(r.figured, request.Name)
			delete(r.noticed, request.Name)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if quota.DeletionTimestamp == nil {
		_, err := patch.Finalizers(ctx, r.Client, quota, finalizers, nil)
		if err != nil {
			return patch.Result(err)
		}
	}
	f, err := r.collect(ctx)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("look at what is under quota %q: %w", quota.Name, err)
	}
	found := usageOf(quota.Name, f.quotas, f.jobs, f.projects)
	if old, err := f.old(append(found.below, quota)...); err != nil || old {
		return ctrl.Result{RequeueAfter: r.Interval}, err
	}
	now := r.Clock.Now()
	after := quota.DeepCopy()
	derive(after, found, now)
	full, err := settle(after, &f, r.noticed.of(quota), now)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("settle what is about to go under quota %q: %w", quota.Name, err)
	}
	next := assess(after, found.below, f.jobs, now)
	if err := r.write(ctx, quota, after, now); err != nil {
		return patch.Result(err)
	}
	switch {
	case quota.DeletionTimestamp == nil || !quota.Settles():
	case drained(after, found, full, now):
		_, err := patch.Finalizers(ctx, r.Client, after, nil, []string{v1alpha1.FinalizerJobs})
		return patch.Result(err)
	case found.held.Jobs == 0:
		return ctrl.Result{RequeueAfter: r.Interval}, nil
	}
	return ctrl.Result{RequeueAfter: r.again(after, full, next)}, nil
}

// collect reads what the status is derived from. Nothing in these lists is changed, so that they need not be copied. Whether they
// are new enough is told by their versions.
func (r *Reconciler) collect(ctx context.Context) (facts, error) {
	var f facts
	var err error
	// Before the lists, which are not older then.
	if f.jobsSeen, err = r.seen(ctx, &v1alpha1.Job{}); err != nil {
		return f, err
	}
	if f.quotasSeen, err = r.seen(ctx, &v1alpha1.Quota{}); err != nil {
		return f, err
	}
	jobs, err := r.jobs(ctx)
	if err != nil {
		return f, err
	}
	f.jobs = cached.All[*v1alpha1.Job](jobs)
	var quotas v1alpha1.QuotaList
	var projects v1alpha1.ProjectList
	for _, list := range []client.ObjectList{&quotas, &projects} {
		if err := r.Client.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return f, fmt.Errorf("list %T: %w", list, err)
		}
	}
	f.quotas, f.projects = quotas.Items, projects.Items
	f.jobsUpTo, err = r.seen(ctx, &v1alpha1.Job{})
	return f, err
}

// write writes the status where it tells something new. What is used of budgets alone is written once a minute.
func (r *Reconciler) write(ctx context.Context, quota, after *v1alpha1.Quota, now time.Time) error {
	measure(quota.Name, quota.Status.Budgets, after.Status.Budgets)
	quiet := withOldFigures(&after.Status, &quota.Status)
	if now.Sub(r.figured[quota.Name]) < figuresInterval && equality.Semantic.DeepEqual(&quota.Status, quiet) {
		return nil
	}
	wrote, err := patch.Status(ctx, r.Client, quota, after)
	if err == nil && wrote {
		r.figured[quota.Name] = now
		r.announce(quota, after)
	}
	return err
}

// again is how soon the quota is looked at though nothing happens; zero for never.
func (r *Reconciler) again(quota *v1alpha1.Quota, full bool, next time.Time) (again time.Duration) {
	sooner := func(d time.Duration) {
		if d = max(d, time.Millisecond); again == 0 || d < again {
			again = d
		}
	}
	if full {
		sooner(r.Interval)
	}
	if len(quota.Status.Settling) > 0 {
		sooner(settlingInterval)
	}
	if !next.IsZero() {
		sooner(next.Sub(r.Clock.Now()))
		if jobs := quota.Status.Used.RunningJobs; jobs != nil && *jobs > 0 {
			sooner(figuresInterval)
		}
	}
	return again
}

// byQuota names the quotas above one.
func (r *Reconciler) byQuota(ctx context.Context, object client.Object) []reconcile.Request {
	quota, ok := object.(*v1alpha1.Quota)
	if !ok {
		return nil
	}
	return r.upFrom(ctx, quota.Spec.Parent)
}

// byParent names the quotas below one.
func (r *Reconciler) byParent(ctx context.Context, object client.Object) []reconcile.Request {
	var quotas v1alpha1.QuotaList
	if err := r.Client.List(ctx, &quotas, client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for _, q := range below(object.GetName(), quotas.Items) {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(q)})
	}
	return requests
}

// byJob names the quotas that a job counts or waits under, and those that settle what it used.
func (r *Reconciler) byJob(ctx context.Context, object client.Object) []reconcile.Request {
	job, ok := object.(*v1alpha1.Job)
	if !ok {
		return nil
	}
	var requests []reconcile.Request
	if job.Status.Reservation != nil {
		requests = append(requests, r.upFrom(ctx, job.Status.Reservation.Quota)...)
	}
	if accounting.Final(job) {
		for _, name := range accounting.Quotas(job) {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
		}
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

// usageChanged lets through the updates of jobs that change what is held, waited for or used.
func usageChanged(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*v1alpha1.Job)
	after, okToo := e.ObjectNew.(*v1alpha1.Job)
	if !ok || !okToo {
		return false
	}
	if (before.Status.Reservation == nil) != (after.Status.Reservation == nil) || waits(before) != waits(after) ||
		accounting.Final(before) != accounting.Final(after) {
		return true
	}
	return after.Status.Reservation != nil && (before.Status.Reservation.Attempt != after.Status.Reservation.Attempt ||
		(before.Status.Reservation.StartTime == nil) != (after.Status.Reservation.StartTime == nil))
}

// settledChanged lets through the updates of quotas by which something was settled, or nothing will be any more.
func settledChanged(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*v1alpha1.Quota)
	after, okToo := e.ObjectNew.(*v1alpha1.Quota)
	return ok && okToo && (!equality.Semantic.DeepEqual(before.Status.Usage, after.Status.Usage) ||
		!slices.Equal(before.Status.Settling, after.Status.Settling) || before.Settles() != after.Settles())
}

// recorded lets through an update by which the journal got room again.
func recorded(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*v1alpha1.Quota)
	after, okToo := e.ObjectNew.(*v1alpha1.Quota)
	return ok && okToo && before.Status.Journal.Recorded != after.Status.Journal.Recorded
}
