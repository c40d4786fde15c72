// Package access says to Kubernetes, by RBAC, what users may do: it compiles users, roles and grants into roles and bindings,
// puts back what others change of them, and tells in the status of users, roles and grants what is wrong with them.
//
// RBAC is written from what internal/access decides and never read to decide.
package access

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/watching"
)

// What it reads and writes.
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings;clusterroles;clusterrolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=platform.soma.dev,resources=projects,verbs=get;list;watch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=projects/status,verbs=patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=projects/finalizers,verbs=update
// +kubebuilder:rbac:groups=platform.soma.dev,resources=jobs,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods;namespaces,verbs=get;list;watch

// What it may bind, by name: the cluster roles of config/rbac/access.yaml.
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterroles,verbs=bind,resourceNames={"soma:project-manager","soma:project-writer","soma:project-reader","soma:job-read","soma:job-write","soma:secret-read","soma:secret-write","soma:project-read","soma:share"}

// What roles for single objects, and for what lies in no project, are made of: nobody can give what they have not.
// +kubebuilder:rbac:groups=platform.soma.dev,resources=jobs,verbs=get;list;watch;delete;patch;update
// +kubebuilder:rbac:groups=platform.soma.dev,resources=jobs/status,verbs=get
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods/log,verbs=get
// +kubebuilder:rbac:groups="",resources=pods/attach;pods/exec;pods/portforward,verbs=create;get
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;delete;patch;update
// +kubebuilder:rbac:groups=platform.soma.dev,resources=clusters;projects;quotas;roles;users,verbs=get;list;watch;create;delete;patch;update
// +kubebuilder:rbac:groups=history.soma.dev,resources=jobrecords,verbs=get;list
// +kubebuilder:rbac:groups=access.soma.dev,resources=accessreviews;holdersreviews;selfreviews,verbs=create

// workers is how many projects are bound at the same time: most of that is waiting for the API server.
const workers = 32

// Reconciler keeps RBAC as users, roles and grants say. All fields are required.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache.
	Live      client.Reader
	Clock     clock.PassiveClock
	Authority *authority.Authority

	projects, platform, roles, users, grants feed
	named                                    named
	first                                    *first
	bound                                    bound
	precedence                               precedence
	// binding is held for reading from a look at rights until what follows from it is written.
	binding sync.RWMutex
}

// SetupWithManager adds the controllers to the manager. It returns an error where a dependency is missing.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Client == nil || r.Live == nil || r.Clock == nil || r.Authority == nil {
		return errors.New("controller of access: Client, Live, Clock and Authority are required")
	}
	r.first = newFirst()
	for _, kind := range []client.Object{&rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}} {
		if err := mgr.GetFieldIndexer().IndexField(context.Background(), kind, partIndex, indexPart); err != nil {
			return fmt.Errorf("index %T: %w", kind, err)
		}
	}
	r.Authority.Listen(func(change authority.Change) {
		r.projects.add(names(change.Projects)...)
		if change.Platform {
			r.platform.add(watching.Request(platformRequest))
		}
		r.told(change)
	})
	for _, setUp := range []func(ctrl.Manager) error{r.setUpProjects, r.setUpPlatform, r.setUpStatus} {
		if err := setUp(mgr); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) setUpProjects(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("access-project").
		For(&v1alpha1.Project{}, builder.WithPredicates(predicate.Funcs{UpdateFunc: placeChanged})).
		WatchesRawSource(&r.projects).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(watching.ByName), builder.WithPredicates(predicate.Funcs{UpdateFunc: ends})).
		Watches(&v1alpha1.Job{}, handler.EnqueueRequestsFromMapFunc(r.byJob), builder.WithPredicates(predicate.Funcs{UpdateFunc: podsChanged})).
		Watches(&rbacv1.Role{}, handler.EnqueueRequestsFromMapFunc(watching.ByNamespace), builder.WithPredicates(ours)).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(watching.ByNamespace), builder.WithPredicates(ours)).
		Watches(&rbacv1.ClusterRole{}, handler.EnqueueRequestsFromMapFunc(byProject), builder.WithPredicates(ours)).
		Watches(&rbacv1.ClusterRoleBinding{}, handler.EnqueueRequestsFromMapFunc(byProject), builder.WithPredicates(ours)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconcile.Func(r.reconcileProject))
}

func (r *Reconciler) setUpPlatform(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("access-platform").
		WatchesRawSource(&r.platform).
		WatchesRawSource(source.Func(beginWithPlatform)).
		Watches(&rbacv1.ClusterRole{}, handler.EnqueueRequestsFromMapFunc(ofPlatform), builder.WithPredicates(ours)).
		Watches(&rbacv1.ClusterRoleBinding{}, handler.EnqueueRequestsFromMapFunc(ofPlatform), builder.WithPredicates(ours)).
		Complete(reconcile.Func(r.reconcilePlatform))
}

// beginWithPlatform has what lies in no project looked at when the controller begins. Who leads only when everything has been told
// would not hear of it otherwise, where there is no object of Soma's yet that leads there.
func beginWithPlatform(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	queue.Add(watching.Request(platformRequest))
	return nil
}

// feed is a source of what a controller has to look at, by name. While the controller does not run nothing is kept: it
// begins with everything.
type feed struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

var _ source.Source = &feed{}

// Start takes the queue of the controller.
func (f *feed) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = queue
	return nil
}

func (f *feed) add(requests ...reconcile.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queue == nil {
		return
	}
	for _, request := range requests {
		f.queue.Add(request)
	}
}

func byProject(_ context.Context, object client.Object) []reconcile.Request {
	if labels := object.GetLabels(); labels[v1alpha1.LabelAccess] == v1alpha1.AccessProject {
		return []reconcile.Request{watching.Request(labels[v1alpha1.LabelProject])}
	}
	return nil
}

func ofPlatform(_ context.Context, object client.Object) []reconcile.Request {
	if object.GetLabels()[v1alpha1.LabelAccess] == v1alpha1.AccessPlatform {
		return []reconcile.Request{watching.Request(platformRequest)}
	}
	return nil
}

// ours lets through what Soma made, or an update that says that it did not.
var ours = predicate.Funcs{
	CreateFunc:  func(e event.CreateEvent) bool { return isOurs(e.Object) },
	UpdateFunc:  func(e event.UpdateEvent) bool { return isOurs(e.ObjectOld) || isOurs(e.ObjectNew) },
	DeleteFunc:  func(e event.DeleteEvent) bool { return isOurs(e.Object) },
	GenericFunc: func(event.GenericEvent) bool { return false },
}

func isOurs(object client.Object) bool { return object.GetLabels()[v1alpha1.LabelAccess] != "" }

// placeChanged lets through the updates of projects that change whether and where something is bound, and those by which it is no
// longer said that it is.
func placeChanged(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*v1alpha1.Project)
	after, okToo := e.ObjectNew.(*v1alpha1.Project)
	if !ok || !okToo {
		return false
	}
	was, is := before.Status.Namespace, after.Status.Namespace
	unsaid := conditions.IsTrue(before.Status.Conditions, v1alpha1.ConditionAccessBound) &&
		!conditions.IsTrue(after.Status.Conditions, v1alpha1.ConditionAccessBound)
	return before.UID != after.UID || (was == nil) != (is == nil) || was != nil && *was != *is || unsaid
}

// ends lets through the update by which a namespace begins to end.
func ends(e event.UpdateEvent) bool {
	return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() ||
		e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
}
