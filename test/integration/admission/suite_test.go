// Package admission tests, against a real API server, what may be made and changed of users, roles, grants, projects and jobs,
// and by whom: the rules in the schemas together with the webhooks. Nothing else of the manager runs, and Kubernetes lets
// everybody do everything, so that whatever is refused is refused by these rules.
package admission

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/test/integration/harness"
	"github.com/soma-platform/soma/webhooks"
)

func TestAdmission(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Admission")
}

var _ = BeforeSuite(func() {
	harness.Start(apiserver.Options{Admission: true, Aggregation: true})
	serving := harness.Server.Admission
	mgr, err := ctrl.NewManager(harness.Server.Config, ctrl.Options{
		Scheme:  harness.Server.Scheme(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: serving.LocalServingHost, Port: serving.LocalServingPort, CertDir: serving.LocalServingCertDir,
		}),
	})
	Expect(err).NotTo(HaveOccurred())
	rights, err := authority.ForManager(harness.Ctx, mgr, clock.RealClock{})
	Expect(err).NotTo(HaveOccurred())
	// Specs let go of what they made as the recorder does.
	recorder, err := webhooks.Self(harness.Ctx, harness.Server.Config)
	Expect(err).NotTo(HaveOccurred())
	Expect(webhooks.SetupWithManager(mgr, recorder, rights)).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(harness.Ctx) }()
	DeferCleanup(func() {
		harness.Stop()
		Eventually(ended).Should(Receive(BeNil()))
	})
	Eventually(func() error { return rights.Ready(nil) }).Should(Succeed())
	Eventually(func() error { return mgr.GetWebhookServer().StartedChecker()(nil) }).Should(Succeed())
	people()
})

// as is the client of a user whom Kubernetes lets do everything; of a name without prefix, who is no user of ours, and of whom
// Kubernetes is asked.
func as(username string, groups ...string) client.Client {
	GinkgoHelper()
	config := rest.CopyConfig(harness.Server.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: username, Groups: append(groups, "system:masters")}
	c, err := client.New(config, client.Options{Scheme: harness.Server.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

// people makes a company: alice manages all, carol the project vision in which dave works, erin the organization acme; frank
// makes users and greta roles; bob has nothing.
func people() {
	GinkgoHelper()
	for _, r := range []*v1alpha1.Role{
		role("everyone", nil, "read cluster://"),
		role("reader", nil, "read job:", "read project:", "list secret:"),
		role("writer", []string{"reader"}, "write job:", "write secret:"),
		role("manager", []string{"writer"}, "manage job:", "write project:", "manage secret:"),
		role("admin", []string{"manager"}, "manage project:"),
		role("root", []string{"admin"}, "manage cluster://", "manage user://", "manage role://", "manage quota://"),
		role("hr", nil, "write user://"),
		role("role-maker", nil, "write role://"),
		role("team", nil),
	} {
		// Each names those before it: what was just made is known at once.
		Expect(harness.K8s.Create(harness.Ctx, r)).To(Succeed())
	}
	for _, name := range []string{"vision", "robots"} {
		Expect(harness.K8s.Create(harness.Ctx, &v1alpha1.Project{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ProjectSpec{Organization: "acme"},
		})).To(Succeed())
		Expect(harness.K8s.Create(harness.Ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	}
	for _, u := range []*v1alpha1.User{
		person("alice", "root"), person("bob"), person("carol"), person("dave"), person("erin", "admin@acme"),
		person("frank", "hr"), person("greta", "role-maker"), person("ted", "team"),
	} {
		Expect(harness.K8s.Create(harness.Ctx, u)).To(Succeed())
	}
	for _, g := range []*v1alpha1.Grant{
		grant("vision", "carol", v1alpha1.Grantee{User: "carol"}, "manager"),
		grant("vision", "dave", v1alpha1.Grantee{User: "dave"}, "writer"),
		grant("robots", "team", v1alpha1.Grantee{Role: "team"}, "reader"),
	} {
		Expect(harness.K8s.Create(harness.Ctx, g)).To(Succeed())
	}
	for _, name := range []string{"s3", "other"} {
		Expect(harness.K8s.Create(harness.Ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: name}})).To(Succeed())
	}
	job := harness.NewJob("vision", "train")
	Expect(harness.K8s.Create(harness.Ctx, job)).To(Succeed())
}
