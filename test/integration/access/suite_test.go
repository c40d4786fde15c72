// Package access tests that what users, roles and grants allow, Kubernetes allows: the controllers of access and of projects
// against a real API server, with the rights that Soma's manager has and no others.
package access

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
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
	"github.com/soma-platform/soma/controllers/project"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/workload"
	"github.com/soma-platform/soma/test/integration/harness"
)

// rights are those of the manager under test.
var rights *authority.Authority

func TestAccess(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Access")
}

var _ = BeforeSuite(func() {
	harness.Start(apiserver.Options{})
	Expect(harness.Server.Install(harness.Ctx, "rbac/*.yaml", "access/*.yaml")).To(Succeed())
	api := as("system:serviceaccount:"+harness.SystemNamespace+":soma-manager", "system:serviceaccounts", "system:authenticated")
	api.QPS, api.Burst = 500, 1000
	mgr, err := ctrl.NewManager(api, ctrl.Options{
		Scheme:  harness.Server.Scheme(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   controllers.Cache(),
		Client:  client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
	})
	Expect(err).NotTo(HaveOccurred())
	setUp(mgr)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(harness.Ctx) }()
	DeferCleanup(func() {
		harness.Stop()
		Eventually(ended).Should(Receive(BeNil()))
	})
	Eventually(rights.Synced).Should(BeTrue())
})

func setUp(mgr ctrl.Manager) {
	for name, values := range workload.PodIndexes {
		err := mgr.GetFieldIndexer().IndexField(harness.Ctx, &corev1.Pod{}, name, func(o client.Object) []string { return values(o) })
		Expect(err).NotTo(HaveOccurred())
	}
	var err error
	rights, err = authority.ForManager(harness.Ctx, mgr, clock.RealClock{})
	Expect(err).NotTo(HaveOccurred())
	Expect((&project.Reconciler{Client: mgr.GetClient(), Clock: clock.RealClock{}, Namespace: harness.SystemNamespace}).SetupWithManager(mgr)).To(Succeed())
	Expect((&access.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: clock.RealClock{}, Authority: rights,
	}).SetupWithManager(mgr)).To(Succeed())
}

var _ = AfterEach(harness.ExpectHealth)

// as is the configuration of somebody who has what is bound to their name and groups.
func as(user string, groups ...string) *rest.Config {
	api := rest.CopyConfig(harness.Server.Config)
	api.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	return api
}

// clientOf is a client of a user of ours, as the gateway makes their requests.
func clientOf(user string) client.Client {
	GinkgoHelper()
	c, err := client.New(as("soma:"+user, "soma:users", "system:authenticated"), client.Options{Scheme: harness.Server.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// may asks the API server whether a user of ours may do something.
func may(g Gomega, user string, what authorizationv1.ResourceAttributes) bool {
	return mayAs(g, "soma:"+user, what)
}

func mayAs(g Gomega, username string, what authorizationv1.ResourceAttributes) bool {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: username, Groups: []string{"soma:users", "system:authenticated"}, ResourceAttributes: &what,
	}}
	g.Expect(harness.K8s.Create(harness.Ctx, review)).To(Succeed())
	return review.Status.Allowed
}

// becomes waits until the API server says so.
func becomes(user string, allowed bool, what authorizationv1.ResourceAttributes) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(may(g, user, what)).To(Equal(allowed), "%s: %+v", user, what)
	}).Should(Succeed())
}

// to is a request for a resource of Soma's in a project.
func to(verb, resource, project, name string) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{Verb: verb, Group: v1alpha1.GroupName, Resource: resource, Namespace: project, Name: name}
}

// newProject makes a project and waits for its namespace.
func newProject(organization string) string {
	GinkgoHelper()
	p := &v1alpha1.Project{
		ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("project")}, Spec: v1alpha1.ProjectSpec{Organization: organization},
	}
	harness.Create(p)
	harness.Reaches(p, func(g Gomega, p *v1alpha1.Project) {
		harness.ExpectCondition(g, p, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
	})
	return p.Name
}

// newUser makes a person who holds roles everywhere, or as ROLE@ORGANIZATION in an organization.
func newUser(held ...v1alpha1.HeldRole) string {
	GinkgoHelper()
	u := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("user")}, Spec: v1alpha1.UserSpec{Roles: held}}
	harness.Create(u)
	return u.Name
}

// grant makes a grant in a project.
func grant(project string, spec v1alpha1.GrantSpec) *v1alpha1.Grant {
	GinkgoHelper()
	g := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: harness.Unique("grant")}, Spec: spec}
	harness.Create(g)
	return g
}

// giveRole gives a user a role in a project.
func giveRole(project, user, role string) *v1alpha1.Grant {
	GinkgoHelper()
	return grant(project, v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: user}, Role: role})
}
