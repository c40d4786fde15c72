package access

import (
	"context"
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/patch"
)

// leavingInterval is how soon it is looked again for what is left of a user: not all that has to go tells when it is gone.
const leavingInterval = 300 * time.Millisecond

// deleteUser brings a user who is being deleted a step further: what is granted to them goes, the service accounts that they
// answer for, and that they submit jobs for others; then all that binds them. A later user of the name begins with nothing.
func (r *Reconciler) deleteUser(ctx context.Context, user *v1alpha1.User) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(user, v1alpha1.FinalizerAccess) {
		return ctrl.Result{}, nil
	}
	left, err := r.dismantle(ctx, user)
	if err != nil {
		return patch.Result(err)
	}
	if left == "" {
		_, err := patch.Finalizers(ctx, r.Client, user, nil, []string{v1alpha1.FinalizerAccess})
		return patch.Result(err)
	}
	after := user.DeepCopy()
	after.Status.ObservedGeneration = user.Generation
	conditions.MarkReconciling(&after.Status.Conditions, r.Clock.Now(), user.Generation, v1alpha1.ReasonTerminating, "Waiting for "+left+" to go.")
	if _, err := patch.Status(ctx, r.Client, user, after); err != nil {
		return patch.Result(err)
	}
	return ctrl.Result{RequeueAfter: leavingInterval}, nil
}

// dismantle removes what a user leaves, and says what of it is still there.
func (r *Reconciler) dismantle(ctx context.Context, user *v1alpha1.User) (left string, err error) {
	if left, err = r.removeGrants(ctx, user.Name); err != nil || left != "" {
		return left, err
	}
	if left, err = r.removeAccounts(ctx, user.Name); err != nil || left != "" {
		return left, err
	}
	if err := r.removeDelegate(ctx, user.Name); err != nil {
		return "", err
	}
	gone := false
	r.Authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) { gone = !d.Active(user.Name) })
	if !gone {
		return "what they may do", nil
	}
	// Who looked at rights before the user was gone has written what follows from it when the lock is had.
	r.binding.Lock()
	r.binding.Unlock() //nolint:staticcheck // it is had for a moment to wait for others
	bound, err := r.bindings(ctx, user)
	if err != nil {
		return "", err
	}
	return list(bound), nil
}

// removeGrants removes what is granted to a user in all projects. They are looked for past the cache, so that none is overlooked
// that was just made.
func (r *Reconciler) removeGrants(ctx context.Context, user string) (left string, err error) {
	var grants v1alpha1.GrantList
	if err := r.Live.List(ctx, &grants, client.MatchingFields{"spec.to.user": user}); err != nil {
		return "", fmt.Errorf("list what is granted to user %q: %w", user, err)
	}
	var there []string
	for i := range grants.Items {
		grant := &grants.Items[i]
		there = append(there, "grant "+grant.Namespace+"/"+grant.Name)
		if grant.DeletionTimestamp != nil {
			continue
		}
		if err := r.Client.Delete(ctx, grant, client.Preconditions{UID: &grant.UID}); client.IgnoreNotFound(err) != nil {
			return "", fmt.Errorf("remove grant %s/%s of user %q: %w", grant.Namespace, grant.Name, user, err)
		}
	}
	return list(there), nil
}

// removeAccounts removes the service accounts that a user answers for: with a later user of the name they would work again.
func (r *Reconciler) removeAccounts(ctx context.Context, user string) (left string, err error) {
	var accounts []*v1alpha1.User
	r.Authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		for _, name := range d.Accounts(user) {
			accounts = append(accounts, d.User(name))
		}
	})
	var there []string
	for _, account := range accounts {
		if account.Spec.Type != v1alpha1.UserServiceAccount {
			continue
		}
		there = append(there, "service account "+account.Name)
		if account.DeletionTimestamp != nil {
			continue
		}
		if err := r.Client.Delete(ctx, account.DeepCopy(), client.Preconditions{UID: &account.UID}); client.IgnoreNotFound(err) != nil {
			return "", fmt.Errorf("remove service account %q of user %q: %w", account.Name, user, err)
		}
	}
	return list(there), nil
}

// removeDelegate takes a user out of those who submit jobs for others: a later user of the name would do so, with their secrets.
func (r *Reconciler) removeDelegate(ctx context.Context, name string) error {
	var users v1alpha1.UserList
	if err := r.Client.List(ctx, &users, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list for whom user %q submits jobs: %w", name, err)
	}
	for i := range users.Items {
		before := &users.Items[i]
		if !slices.Contains(before.Spec.Delegates, name) {
			continue
		}
		after := before.DeepCopy()
		after.Spec.Delegates = slices.DeleteFunc(after.Spec.Delegates, func(delegate string) bool { return delegate == name })
		if err := r.Client.Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("take user %q from the delegates of user %q: %w", name, before.Name, err)
		}
	}
	return nil
}

// bindings names what binds a user.
func (r *Reconciler) bindings(ctx context.Context, user *v1alpha1.User) ([]string, error) {
	all, err := r.list(ctx, []client.ObjectList{&rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleBindingList{}}, client.HasLabels{v1alpha1.LabelAccess})
	if err != nil {
		return nil, err
	}
	is := func(subject rbacv1.Subject) bool {
		return subject.Kind == rbacv1.UserKind && subject.Name == access.UserPrefix+user.Name
	}
	var bound []string
	for _, object := range all {
		var subjects []rbacv1.Subject
		switch binding := object.(type) {
		case *rbacv1.RoleBinding:
			subjects = binding.Subjects
		case *rbacv1.ClusterRoleBinding:
			subjects = binding.Subjects
		}
		if slices.ContainsFunc(subjects, is) {
			bound = append(bound, full(object))
		}
	}
	return bound, nil
}
