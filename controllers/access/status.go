package access

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/platform/debounce"
	"github.com/soma-platform/soma/internal/platform/patch"
	"github.com/soma-platform/soma/internal/platform/watching"
)

// +kubebuilder:rbac:groups=platform.soma.dev,resources=users/status;roles/status;grants/status,verbs=patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=grants,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch

const (
	// projectDelay is how long it takes for a project to be known for certain to who decides.
	projectDelay = time.Second
	// statusWorkers is how many users, and grants, are looked at at the same time.
	statusWorkers = 2
)

// grantsByThing is the index of grants by the job or secret that they name, in their namespaces.
const grantsByThing = "platform.soma.dev/grants-by-thing"

// thing is a value of the index.
func thing(scheme access.Scheme, name string) string { return string(scheme) + "/" + name }

func indexThing(object client.Object) []string {
	grant, ok := object.(*v1alpha1.Grant)
	if !ok || grant.Spec.URI == "" {
		return nil
	}
	// Where it lies does not matter: one that names something of another project gives nothing.
	target, relative, err := access.Parse(string(grant.Spec.URI))
	if err != nil {
		return nil
	}
	if relative {
		target = target.InProject(grant.Namespace)
	}
	if name := target.Thing(); name != "" && (target.Scheme == access.Job || target.Scheme == access.Secret) {
		return []string{thing(target.Scheme, name)}
	}
	return nil
}

func (r *Reconciler) setUpStatus(mgr ctrl.Manager) error {
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Grant{}, grantsByThing, indexThing); err != nil {
		return fmt.Errorf("index grants: %w", err)
	}
	err := ctrl.NewControllerManagedBy(mgr).
		Named("access-role").
		For(&v1alpha1.Role{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(&r.roles).
		Complete(reconcile.Func(r.reconcileRole))
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(mgr).
		Named("access-user").
		For(&v1alpha1.User{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(&r.users).
		WithOptions(controller.Options{MaxConcurrentReconciles: statusWorkers}).
		Complete(reconcile.Func(r.reconcileUser))
	if err != nil {
		return err
	}
	secrets := &metav1.PartialObjectMetadata{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return ctrl.NewControllerManagedBy(mgr).
		Named("access-grant").
		For(&v1alpha1.Grant{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(&r.grants).
		Watches(&v1alpha1.Project{}, debounce.Events(projectDelay, r.grantsIn), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Job{}, handler.EnqueueRequestsFromMapFunc(r.grantsOf(access.Job)), builder.WithPredicates(watching.ComesOrGoes)).
		WatchesMetadata(secrets, handler.EnqueueRequestsFromMapFunc(r.grantsOf(access.Secret)), builder.WithPredicates(watching.ComesOrGoes)).
		WithOptions(controller.Options{MaxConcurrentReconciles: statusWorkers}).
		Complete(reconcile.Func(r.reconcileGrant))
}

// told passes on what changed to those who say how things stand.
func (r *Reconciler) told(change authority.Change) {
	r.users.add(names(change.Users)...)
	var roles []string
	var grants []reconcile.Request
	r.Authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		for _, role := range change.Roles {
			roles = append(roles, d.Including(role)...)
			grants = append(grants, keys(d.GrantsOf(role))...)
		}
		for _, user := range change.Users {
			grants = append(grants, keys(d.GivenTo(v1alpha1.Grantee{User: user}))...)
		}
	})
	r.roles.add(names(roles)...)
	r.grants.add(grants...)
}

func names(all []string) []reconcile.Request {
	requests := make([]reconcile.Request, 0, len(all))
	for _, name := range all {
		requests = append(requests, watching.Request(name))
	}
	return requests
}

func keys(grants []*v1alpha1.Grant) []reconcile.Request {
	requests := make([]reconcile.Request, 0, len(grants))
	for _, grant := range grants {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(grant)})
	}
	return requests
}

// grantsIn names the grants of a project.
func (r *Reconciler) grantsIn(_ context.Context, project client.Object) (requests []reconcile.Request) {
	r.Authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		requests = keys(d.Grants(project.GetName()))
	})
	return requests
}

// grantsOf names the grants that name an object.
func (r *Reconciler) grantsOf(scheme access.Scheme) handler.MapFunc {
	return func(ctx context.Context, object client.Object) (requests []reconcile.Request) {
		var grants v1alpha1.GrantList
		err := r.Client.List(ctx, &grants, client.InNamespace(object.GetNamespace()),
			client.MatchingFields{grantsByThing: thing(scheme, object.GetName())}, client.UnsafeDisableDeepCopy)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "List the grants of an object", "scheme", scheme, "object", object.GetName())
			return nil
		}
		for i := range grants.Items {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&grants.Items[i])})
		}
		return requests
	}
}

func (r *Reconciler) reconcileRole(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	r.precedence.giveWay(ctx)
	role := &v1alpha1.Role{}
	if err := r.Client.Get(ctx, request.NamespacedName, role); err != nil || role.DeletionTimestamp != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := r.known(ctx); err != nil {
		return ctrl.Result{}, err
	}
	var found roleFacts
	r.Authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		found.circle = d.Circle(role)
		for _, included := range role.Spec.Includes {
			if d.Role(included) == nil {
				found.missing = append(found.missing, included)
			}
		}
	})
	after := role.DeepCopy()
	after.Status.ObservedGeneration = role.Generation
	deriveRole(found).apply(&after.Status.Conditions, r.Clock.Now(), role.Generation)
	_, err := patch.Status(ctx, r.Client, role, after)
	return patch.Result(err)
}

func (r *Reconciler) reconcileUser(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	user := &v1alpha1.User{}
	if err := r.Client.Get(ctx, request.NamespacedName, user); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := r.known(ctx); err != nil {
		return ctrl.Result{}, err
	}
	if user.DeletionTimestamp != nil {
		return r.deleteUser(ctx, user)
	}
	r.precedence.giveWay(ctx)
	if _, err := patch.Finalizers(ctx, r.Client, user, []string{v1alpha1.FinalizerAccess}, nil); err != nil {
		return patch.Result(err)
	}
	var found userFacts
	r.Authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) { found = factsOfUser(d, user) })
	after := user.DeepCopy()
	after.Status.ObservedGeneration = user.Generation
	deriveUser(user, found).apply(&after.Status.Conditions, r.Clock.Now(), user.Generation)
	_, err := patch.Status(ctx, r.Client, user, after)
	return patch.Result(err)
}

func factsOfUser(d *access.Directory, user *v1alpha1.User) userFacts {
	found := userFacts{owner: d.User(user.Spec.Owner)}
	for _, held := range user.Spec.Roles {
		if d.Role(held.Role) == nil && !slices.Contains(found.missing, held.Role) {
			found.missing = append(found.missing, held.Role)
		}
	}
	for _, identity := range user.Spec.Identities {
		for _, other := range d.Claimants(identity) {
			if other != user.Name && !slices.Contains(found.sharing, other) {
				found.sharing = append(found.sharing, other)
			}
		}
	}
	return found
}
