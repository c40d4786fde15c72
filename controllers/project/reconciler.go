// Package project makes projects true: the namespace of a project with its policies, and the end of all of it.
package project

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/debounce"
	"github.com/soma-platform/soma/internal/platform/patch"
	"github.com/soma-platform/soma/internal/platform/watching"
)

// +kubebuilder:rbac:groups=platform.soma.dev,resources=projects,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=projects/status,verbs=patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=projects/finalizers,verbs=update
// +kubebuilder:rbac:groups=platform.soma.dev,resources=quotas,verbs=get;list;watch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=jobs,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch

// jobsDelay is how long events of jobs are gathered while a project waits for its jobs to end.
const jobsDelay = time.Second

// Reconciler makes projects true. All fields are required.
type Reconciler struct {
	Client client.Client
	Clock  clock.PassiveClock
	// Namespace is Soma's own, from which jobs can be reached.
	Namespace string

	// live reads past the cache.
	live client.Reader
}

// SetupWithManager adds the controller to the manager. It returns an error where a dependency is missing.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Client == nil || r.Clock == nil || r.Namespace == "" {
		return errors.New("controller of projects: Client, Clock and Namespace are required")
	}
	r.live = mgr.GetAPIReader()
	return ctrl.NewControllerManagedBy(mgr).
		Named("project").
		For(&v1alpha1.Project{}).
		Owns(&networkingv1.NetworkPolicy{}).
		// A namespace of the project's name concerns it also where somebody else made it.
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(watching.ByName)).
		Watches(&corev1.ServiceAccount{}, handler.EnqueueRequestsFromMapFunc(watching.ByNamespace),
			builder.WithPredicates(predicate.NewPredicateFuncs(isDefaultAccount))).
		Watches(&v1alpha1.Quota{}, handler.EnqueueRequestsFromMapFunc(r.byQuota), builder.WithPredicates(watching.ComesOrGoes)).
		Watches(&v1alpha1.Job{}, debounce.Events(jobsDelay, r.terminating), builder.WithPredicates(watching.ComesOrGoes)).
		Complete(r)
}

// Reconcile brings one project a step further.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	project := &v1alpha1.Project{}
	if err := r.Client.Get(ctx, request.NamespacedName, project); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if project.DeletionTimestamp != nil {
		return r.delete(ctx, project)
	}
	// Before anything outside the project exists, it must be sure that its end will be seen.
	if wrote, err := patch.Finalizers(ctx, r.Client, project, finalizers, nil); wrote || err != nil {
		return patch.Result(err)
	}
	facts, err := r.observe(ctx, project)
	if err != nil {
		return ctrl.Result{}, err
	}
	failure := r.act(ctx, project, facts)
	if apierrors.IsConflict(failure) {
		return patch.Result(failure)
	}
	facts.failure = failure
	if _, err := r.write(ctx, project, derive(project, facts)); err != nil {
		return patch.Result(err)
	}
	return ctrl.Result{}, failure
}

// observe reads what the status is derived from.
func (r *Reconciler) observe(ctx context.Context, project *v1alpha1.Project) (*facts, error) {
	found := &facts{}
	namespace := &corev1.Namespace{}
	key := types.NamespacedName{Name: project.Name}
	err := r.Client.Get(ctx, key, namespace)
	if apierrors.IsNotFound(err) {
		// That there is none must be true now, not a moment ago: a namespace is made, or let go of, because of it.
		err = r.live.Get(ctx, key, namespace)
	}
	switch {
	case err == nil:
		found.namespace = namespace
	case !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("read the namespace of project %q: %w", project.Name, err)
	}
	if project.Spec.Quota != "" {
		err := r.Client.Get(ctx, types.NamespacedName{Name: project.Spec.Quota}, &v1alpha1.Quota{})
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("read the quota of project %q: %w", project.Name, err)
		}
		found.quotaFound = err == nil
	}
	return found, nil
}

// write sets what was found in the status, in one write and only where something differs.
func (r *Reconciler) write(ctx context.Context, project *v1alpha1.Project, found finding) (bool, error) {
	after := project.DeepCopy()
	found.apply(after, r.Clock.Now())
	return patch.Status(ctx, r.Client, project, after)
}

func isDefaultAccount(object client.Object) bool { return object.GetName() == defaultAccount }

// byQuota names the projects that point at a quota.
func (r *Reconciler) byQuota(ctx context.Context, quota client.Object) []reconcile.Request {
	var projects v1alpha1.ProjectList
	if err := r.Client.List(ctx, &projects, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "List the projects of a quota", "quota", quota.GetName())
		return nil
	}
	var requests []reconcile.Request
	for i := range projects.Items {
		if projects.Items[i].Spec.Quota == quota.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&projects.Items[i])})
		}
	}
	return requests
}

// terminating names the project of a job where it is being deleted and so waits for the job.
func (r *Reconciler) terminating(ctx context.Context, job client.Object) []reconcile.Request {
	project := &v1alpha1.Project{}
	if err := r.Client.Get(ctx, types.NamespacedName{Name: job.GetNamespace()}, project); err != nil {
		return nil
	}
	if project.DeletionTimestamp == nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(project)}}
}
