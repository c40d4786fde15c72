package access

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/patch"
)

const (
	// keptGrants is how long a grant that ended is kept.
	keptGrants = 24 * time.Hour
	// untoldInterval is how soon it is looked again for a secret that a grant names and of which nothing is told: one without Soma's
	// label, or none.
	untoldInterval = 30 * time.Second
	// unheardInterval is how soon a grant is looked at again that who decides has not heard of.
	unheardInterval = 50 * time.Millisecond
)

func (r *Reconciler) reconcileGrant(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	r.precedence.giveWay(ctx)
	grant := &v1alpha1.Grant{}
	if err := r.Client.Get(ctx, request.NamespacedName, grant); err != nil || grant.DeletionTimestamp != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := r.known(ctx); err != nil {
		return ctrl.Result{}, err
	}
	now := r.Clock.Now()
	if grant.Spec.ExpiresAt != nil && now.Sub(grant.Spec.ExpiresAt.Time) >= keptGrants {
		return patch.Result(r.Client.Delete(ctx, grant, client.Preconditions{UID: &grant.UID, ResourceVersion: &grant.ResourceVersion}))
	}
	found, err := r.factsOfGrant(ctx, grant)
	if err != nil {
		return ctrl.Result{}, err
	}
	stands := deriveGrant(grant, found, now)
	if !stands.stalled && !saidToCount(grant) {
		revision := r.Authority.Granted(grant)
		if revision == 0 {
			return ctrl.Result{RequeueAfter: unheardInterval}, nil
		}
		has, failure := r.bound.has(request, revision)
		switch {
		case !has && failure == "":
			// It is looked at again when its project is bound.
			return ctrl.Result{RequeueAfter: again(grant, found, now)}, nil
		case !has:
			stands = verdict{failed: true, reason: v1alpha1.ReasonError, message: "The project could not be bound, which is tried again: " + failure}
		}
	}
	after := grant.DeepCopy()
	after.Status.ObservedGeneration = grant.Generation
	stands.apply(&after.Status.Conditions, now, grant.Generation)
	if _, err := patch.Status(ctx, r.Client, grant, after); err != nil {
		return patch.Result(err)
	}
	return ctrl.Result{RequeueAfter: again(grant, found, now)}, nil
}

// saidToCount reports whether it was said of a grant, as it is, that it counts: that stays so, whatever fails later in its project.
func saidToCount(grant *v1alpha1.Grant) bool {
	return grant.Status.ObservedGeneration == grant.Generation && conditions.IsTrue(grant.Status.Conditions, v1alpha1.ConditionReady)
}

// again is how soon a grant is looked at again though nothing is told; zero where it is not.
func again(grant *v1alpha1.Grant, found grantFacts, now time.Time) time.Duration {
	next := untilNext(grant, now)
	if found.untold && (next == 0 || next > untoldInterval) {
		next = untoldInterval
	}
	return next
}

// untilNext is how long it is until a grant ends, or is removed; zero where it does not end.
func untilNext(grant *v1alpha1.Grant, now time.Time) time.Duration {
	if grant.Spec.ExpiresAt == nil {
		return 0
	}
	next := grant.Spec.ExpiresAt.Time
	if !now.Before(next) {
		next = next.Add(keptGrants)
	}
	return max(next.Sub(now), time.Millisecond)
}

func (r *Reconciler) factsOfGrant(ctx context.Context, grant *v1alpha1.Grant) (grantFacts, error) {
	spec := grant.Spec
	var found grantFacts
	var given []access.Right
	r.Authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		_, found.inProject = d.Project(grant.Namespace)
		found.userFound = spec.To.User == "" || d.User(spec.To.User) != nil
		found.toRoleFound = spec.To.Role == "" || d.Role(spec.To.Role) != nil
		found.roleFound = spec.Role == "" || d.Role(spec.Role) != nil
		given = d.GivenBy(grant)
	})
	found.gives = len(given)
	if spec.URI == "" || len(given) != 1 {
		return found, nil
	}
	err := r.look(ctx, grant.Namespace, given[0].Target, &found)
	return found, err
}

// look finds whether the job or secret that a target is about exists, and whether it is told when that changes.
func (r *Reconciler) look(ctx context.Context, project string, target access.Target, found *grantFacts) error {
	name := target.Thing()
	if name == "" {
		return nil
	}
	key := client.ObjectKey{Namespace: project, Name: name}
	var err error
	switch target.Scheme {
	case access.Job:
		err = r.Client.Get(ctx, key, &v1alpha1.Job{}, client.UnsafeDisableDeepCopy)
	case access.Secret:
		secret := &metav1.PartialObjectMetadata{}
		secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		if err = r.Client.Get(ctx, key, secret); apierrors.IsNotFound(err) {
			// The cache has those that jobs may use. A share counts for any.
			found.untold = true
			err = r.Live.Get(ctx, key, secret)
		}
	default:
		return nil
	}
	if apierrors.IsNotFound(err) {
		found.lacks = fmt.Sprintf("%s %q", target.Scheme, name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for %s %s/%s, which a grant names: %w", target.Scheme, project, name, err)
	}
	return nil
}
