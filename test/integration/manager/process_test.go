package manager

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/soma-platform/soma/controllers"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/recorder"
	"github.com/soma-platform/soma/test/integration/harness"
	"github.com/soma-platform/soma/webhooks"
)

// process is a manager as cmd/manager runs it, within the test's own process.
type process struct {
	// gate is what every write of the manager goes through.
	gate *gate
	stop context.CancelFunc
	// ended is closed when nothing of the manager runs any more.
	ended chan struct{}
	err   error
}

// launch starts a manager, with the crash that it is to meet, if any, and returns when it serves admission or has met it.
func launch(crash *crash) *process {
	GinkgoHelper()
	ctx, stop := context.WithCancel(context.Background())
	p := &process{gate: newGate(crash, stop), stop: stop, ended: make(chan struct{})}
	store, err := history.Open(ctx, historyURL, clock.RealClock{})
	Expect(err).NotTo(HaveOccurred())
	mgr, err := newManager(harness.Ctx, p.gate, store)
	Expect(err).NotTo(HaveOccurred())
	go func() {
		defer close(p.ended)
		p.err = mgr.Start(ctx)
		store.Close()
	}()
	Eventually(func() error {
		if ctx.Err() != nil {
			return nil
		}
		return mgr.GetWebhookServer().StartedChecker()(nil)
	}).Should(Succeed())
	return p
}

func newManager(ctx context.Context, gate *gate, store *history.Store) (ctrl.Manager, error) {
	restConfig := rest.CopyConfig(harness.Server.Config)
	restConfig.QPS, restConfig.Burst = 500, 1000
	restConfig.Wrap(gate.wrap)
	admission := harness.Server.Admission
	// The options of cmd/manager, less what concerns the world outside.
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                  harness.Server.Scheme(),
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		GracefulShutdownTimeout: ptr.To(30 * time.Second),
		Cache:                   controllers.Cache(),
		Client:                  client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
		// There is more than one manager in this process, one after the other.
		Controller: config.Controller{RecoverPanic: ptr.To(true), ReconciliationTimeout: time.Minute, SkipNameValidation: ptr.To(true)},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: admission.LocalServingHost, Port: admission.LocalServingPort, CertDir: admission.LocalServingCertDir,
		}),
	})
	if err != nil {
		return nil, err
	}
	// Added without its metrics, which a process can register but once.
	err = mgr.Add(recorder.New(mgr.GetClient(), mgr.GetAPIReader(), mgr.GetCache(), gatedStore{store, gate}, clock.RealClock{},
		ctrl.Log.WithName("recorder")))
	if err != nil {
		return nil, err
	}
	if err := controllers.Setup(ctx, mgr, controllers.Dependencies{Clock: clock.RealClock{}, Namespace: harness.SystemNamespace}); err != nil {
		return nil, err
	}
	self, err := webhooks.Self(ctx, harness.Server.Config)
	if err != nil {
		return nil, err
	}
	webhooks.SetupWithManager(mgr, self)
	return mgr, nil
}

// end stops the manager as SIGTERM does and waits until nothing of it runs.
func (p *process) end() {
	GinkgoHelper()
	p.stop()
	Eventually(p.ended).Should(BeClosed())
	Expect(p.err).NotTo(HaveOccurred())
}
