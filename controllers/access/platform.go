package access

import (
	"context"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// platformRequest stands for all that lies in no project.
const platformRequest = "platform"

// reconcilePlatform binds users to what they may do outside projects.
func (r *Reconciler) reconcilePlatform(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	if !r.Authority.Synced() {
		return ctrl.Result{}, nil
	}
	defer r.first.looked("", r.countProjects)
	defer r.precedence.begin()()
	r.binding.RLock()
	defer r.binding.RUnlock()
	var want []client.Object
	r.Authority.View(func(d *access.Directory, m *access.Membership, _ time.Time) {
		want = platformObjects(m.CompilePlatform(), d.Subjects)
	})
	there, err := r.list(ctx, []client.ObjectList{&rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}},
		client.MatchingFields{partIndex: part(v1alpha1.AccessPlatform, "")})
	if err != nil {
		return ctrl.Result{}, err
	}
	w := &writer{Reconciler: r}
	w.apply(ctx, there, want, true)
	for _, name := range w.foreign {
		ctrl.LoggerFrom(ctx).Info("An object that Soma did not make, and leaves alone, is where Soma would make its own: remove or rename it", "object", name)
	}
	return w.result()
}
