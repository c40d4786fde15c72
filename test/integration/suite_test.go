// Package integration tests the controllers of what jobs run in, each by itself, and the API's own rules against a real API
// server, which all specs share. The manager as a whole has a suite of its own.
package integration

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/soma-platform/soma/controllers/access"
	"github.com/soma-platform/soma/controllers/cluster"
	"github.com/soma-platform/soma/controllers/project"
	"github.com/soma-platform/soma/controllers/quota"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/fleet"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/workload"
	"github.com/soma-platform/soma/test/integration/harness"
)

// shortly is the interval of the reconcilers that gather events.
const shortly = 200 * time.Millisecond

func TestIntegration(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Integration")
}

var _ = BeforeSuite(func() {
	harness.Start(apiserver.Options{})
	mgr, err := ctrl.NewManager(harness.Server.Config, ctrl.Options{
		Scheme:  harness.Server.Scheme(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		// As the manager itself has it: this client knows less than the usual one.
		Client: client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
	})
	Expect(err).NotTo(HaveOccurred())
	setUp(mgr)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(harness.Ctx) }()
	DeferCleanup(func() {
		harness.Stop()
		Eventually(ended).Should(Receive(BeNil()))
	})
	Expect(mgr.GetCache().WaitForCacheSync(harness.Ctx)).To(BeTrue())
	harness.Started()
})

func setUp(mgr manager.Manager) {
	fleet, err := fleet.New(mgr.GetConfig())
	Expect(err).NotTo(HaveOccurred())
	now := clock.RealClock{}
	// A project is ready when who has rights in it can use them.
	for name, values := range workload.PodIndexes {
		err := mgr.GetFieldIndexer().IndexField(harness.Ctx, &corev1.Pod{}, name, func(o client.Object) []string { return values(o) })
		Expect(err).NotTo(HaveOccurred())
	}
	rights, err := authority.ForManager(harness.Ctx, mgr, now)
	Expect(err).NotTo(HaveOccurred())
	Expect((&access.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: now, Authority: rights}).SetupWithManager(mgr)).To(Succeed())
	Expect((&project.Reconciler{Client: mgr.GetClient(), Clock: now, Namespace: harness.SystemNamespace}).SetupWithManager(mgr)).To(Succeed())
	Expect((&quota.Reconciler{Client: mgr.GetClient(), Clock: now, Interval: shortly}).SetupWithManager(mgr)).To(Succeed())
	Expect((&cluster.Reconciler{
		Client: mgr.GetClient(), Clock: now, Prober: fleet, Namespace: harness.SystemNamespace, Interval: shortly,
	}).SetupWithManager(mgr)).To(Succeed())
}

var _ = AfterEach(harness.ExpectHealth)
