package manager

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/controllers"
	"github.com/soma-platform/soma/controllers/access"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/workload"
)

// SystemNamespace is where what is installed expects Soma.
const SystemNamespace = "soma-system"

// InstallAccess installs what Access needs: the manager's rights, the cluster roles of projects, the built-in roles.
func InstallAccess(ctx context.Context, server *apiserver.Server) error {
	if err := server.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: SystemNamespace}}); err != nil {
		return err
	}
	return server.Install(ctx, "rbac/*.yaml", "access/*.yaml")
}

// Access is a manager of the controllers of access alone, with the rights of Soma's manager. The caller starts it.
func Access(ctx context.Context, server *apiserver.Server) (ctrl.Manager, *authority.Authority, error) {
	api := rest.CopyConfig(server.Config)
	api.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + SystemNamespace + ":soma-manager", Groups: []string{"system:serviceaccounts", "system:authenticated"},
	}
	api.QPS, api.Burst = 500, 1000 // as cmd/manager has it
	mgr, err := ctrl.NewManager(api, ctrl.Options{
		Scheme: server.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, Cache: controllers.Cache(),
		Client: client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
	})
	if err != nil {
		return nil, nil, err
	}
	for name, values := range workload.PodIndexes {
		if err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, name, func(o client.Object) []string { return values(o) }); err != nil {
			return nil, nil, err
		}
	}
	who, err := authority.ForManager(ctx, mgr, clock.RealClock{})
	if err != nil {
		return nil, nil, err
	}
	reconciler := &access.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: clock.RealClock{}, Authority: who}
	return mgr, who, reconciler.SetupWithManager(mgr) //nolint:contextcheck // that is how controllers are set up
}

// MakeProject makes a project and, in place of its controller, its namespace.
func MakeProject(ctx context.Context, c client.Client, project *v1alpha1.Project) error {
	if err := c.Create(ctx, project); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:            project.Name,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(project, v1alpha1.GroupVersion.WithKind("Project"))},
	}}
	if err := c.Create(ctx, namespace); err != nil {
		return err
	}
	before := project.DeepCopy()
	project.Status.Namespace = &v1alpha1.ProjectNamespace{Name: namespace.Name, UID: string(namespace.UID)}
	return c.Status().Patch(ctx, project, client.MergeFrom(before))
}
