package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	history "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

var _ = Describe("Rights to the history", func() {
	It("are those of the cluster: a viewer of one project reads its records and no others", func(ctx context.Context) {
		record := recordOf(ctx, ended(ctx))
		user := "viewer-" + rand.String(5)
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
		}
		Expect(k8s.Create(ctx, binding)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(k8s.Delete(ctx, binding)).To(Succeed()) })
		viewer := withoutGroups(user)

		list := &history.JobRecordList{}
		Eventually(func() error { return viewer.List(ctx, list, client.InNamespace(project)) }).Should(Succeed())
		Expect(list.Items).NotTo(BeEmpty())
		for _, item := range list.Items {
			Expect(item.Namespace).To(Equal(project))
		}
		Expect(viewer.Get(ctx, client.ObjectKeyFromObject(&record), &history.JobRecord{})).To(Succeed())

		Expect(viewer.List(ctx, list)).To(Satisfy(apierrors.IsForbidden), "all projects")
		Expect(viewer.List(ctx, list, client.InNamespace("default"))).To(Satisfy(apierrors.IsForbidden), "another namespace")
		elsewhere := client.ObjectKey{Namespace: "default", Name: record.Name}
		Expect(viewer.Get(ctx, elsewhere, &history.JobRecord{})).To(Satisfy(apierrors.IsForbidden), "a record through another namespace")
	})
})

// ended is a job that ran to its end.
func ended(ctx context.Context) *v1alpha1.Job {
	GinkgoHelper()
	job := submit(ctx, shell("rights", "true"))
	Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobSucceeded))
	return job
}

// withoutGroups is a client of a user who has what is bound to the name alone.
func withoutGroups(user string) client.Client {
	other := rest.CopyConfig(config)
	other.Impersonate = rest.ImpersonationConfig{UserName: user}
	return clientOf(other)
}
