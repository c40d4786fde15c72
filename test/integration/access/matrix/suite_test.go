// Package matrix tests what everybody may do with everything: every verb, of every kind and subresource that a real API server
// tells of, by people who stand in every relation to a project, at the API server itself and through the gateway. What decides
// runs as it is installed: RBAC as the manager compiles it, admission, the aggregated APIs, sign-in and the gateway.
package matrix

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/soma-platform/soma/controllers"
	"github.com/soma-platform/soma/controllers/access"
	"github.com/soma-platform/soma/controllers/project"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/workload"
	"github.com/soma-platform/soma/test/integration/harness"
	"github.com/soma-platform/soma/webhooks"
)

// configuration is the folder of what is installed.
const configuration = "../../../../config"

// rights are the manager's, from which all that runs in the test's process decides.
var rights *authority.Authority

func TestMatrix(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Matrix")
}

var _ = BeforeSuite(func() {
	klog.LogToStderr(false)
	klog.SetOutput(GinkgoWriter)
	harness.Start(apiserver.Options{Admission: true, Aggregation: true})
	install("rbac")
	install("gateway")
	startManager()
	install("access")
	aggregate()
	startGateway()
})

// install creates what a folder of the installation has of roles of Soma, and of roles, bindings and accounts of Kubernetes.
func install(folder string) {
	GinkgoHelper()
	files, err := filepath.Glob(filepath.Join(configuration, folder, "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		for _, object := range read(file) {
			if slices.Contains([]string{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount"}, object.GetKind()) {
				Expect(harness.K8s.Create(harness.Ctx, object)).To(Succeed(), "%s: %s", file, object.GetName())
			}
		}
	}
}

// read reads all objects of a file.
func read(file string) []*unstructured.Unstructured {
	GinkgoHelper()
	text, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	var all []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), len(text)); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		Expect(err).NotTo(HaveOccurred(), file)
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}

// startManager runs what of the manager decides about access, with the rights that it has.
func startManager() {
	GinkgoHelper()
	api := rest.CopyConfig(harness.Server.Config)
	api.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + harness.SystemNamespace + ":soma-manager", Groups: []string{"system:serviceaccounts", "system:authenticated"},
	}
	api.QPS, api.Burst = 500, 1000
	serving := harness.Server.Admission
	mgr, err := ctrl.NewManager(api, ctrl.Options{
		Scheme:  harness.Server.Scheme(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   controllers.Cache(),
		Client:  client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: serving.LocalServingHost, Port: serving.LocalServingPort, CertDir: serving.LocalServingCertDir,
		}),
	})
	Expect(err).NotTo(HaveOccurred())
	for name, values := range workload.PodIndexes {
		err := mgr.GetFieldIndexer().IndexField(harness.Ctx, &corev1.Pod{}, name, func(o client.Object) []string { return values(o) })
		Expect(err).NotTo(HaveOccurred())
	}
	rights, err = authority.ForManager(harness.Ctx, mgr, clock.RealClock{})
	Expect(err).NotTo(HaveOccurred())
	Expect((&project.Reconciler{Client: mgr.GetClient(), Clock: clock.RealClock{}, Namespace: harness.SystemNamespace}).SetupWithManager(mgr)).To(Succeed())
	Expect((&access.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: clock.RealClock{}, Authority: rights,
	}).SetupWithManager(mgr)).To(Succeed())
	// The test lets go of what it made as the recorder does.
	recorder, err := webhooks.Self(harness.Ctx, harness.Server.Config)
	Expect(err).NotTo(HaveOccurred())
	Expect(webhooks.SetupWithManager(mgr, recorder, rights)).To(Succeed())
	run(mgr.Start)
	Eventually(func() error { return rights.Ready(nil) }).Should(Succeed())
	Eventually(func() error { return mgr.GetWebhookServer().StartedChecker()(nil) }).Should(Succeed())
}

// run runs a part until the suite ends.
func run(part func(context.Context) error) {
	ended := make(chan error, 1)
	go func() { ended <- part(harness.Ctx) }()
	DeferCleanup(func() {
		harness.Stop()
		Eventually(ended).Should(Receive(BeNil()))
	})
}

var _ = AfterEach(harness.ExpectHealth)
