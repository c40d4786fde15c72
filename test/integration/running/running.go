// Package running starts a manager, and what plays the nodes, for suites that need more than an API server.
package running

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/internal/testing/manager"
	"github.com/soma-platform/soma/test/integration/harness"
)

// Manager starts a manager that works as who api says, and waits until it serves admission.
func Manager(api *rest.Config, historyURL string, prepare func(proxy *faultproxy.Proxy, kill func())) *manager.Manager {
	GinkgoHelper()
	serving := harness.Server.Admission
	m, err := manager.Start(harness.Ctx, manager.Options{
		API: api, Scheme: harness.Server.Scheme(), HistoryURL: historyURL, Namespace: harness.SystemNamespace,
		Admission: &webhook.Options{Host: serving.LocalServingHost, Port: serving.LocalServingPort, CertDir: serving.LocalServingCertDir},
	}, prepare)
	Expect(err).NotTo(HaveOccurred())
	Eventually(m.Ready).Should(Succeed())
	return m
}

// Kubelet starts what plays the nodes. It does not end with the manager under test.
func Kubelet() {
	GinkgoHelper()
	nodes, err := ctrl.NewManager(harness.Server.Config, ctrl.Options{
		Scheme:  harness.Server.Scheme(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		Client:  client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(kubelet.SetupWithManager(nodes)).To(Succeed())
	ctx, stop := context.WithCancel(harness.Ctx)
	ended := make(chan error, 1)
	go func() { ended <- nodes.Start(ctx) }()
	DeferCleanup(func() {
		stop()
		Eventually(ended).Should(Receive(BeNil()))
	})
}
