// Package manager runs, for a test, what cmd/manager runs, within the test's own process and behind a proxy that sees, and
// can spoil, everything that it writes.
package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/soma-platform/soma/controllers"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/platform/lease"
	"github.com/soma-platform/soma/internal/recorder"
	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/webhooks"
)

// Options say how a manager runs.
type Options struct {
	// API is an administrator's configuration of the API server, and Scheme knows the kinds.
	API    *rest.Config
	Scheme *runtime.Scheme
	// HistoryURL is the address of the history's database.
	HistoryURL string
	// Namespace is where Soma itself runs.
	Namespace string
	// Admission is where the manager serves admission; without it, it serves none.
	Admission *webhook.Options
	// Lease makes the manager lead only while it holds a lease for so long; without it, it leads from its start.
	Lease time.Duration
	// Urgency is how long a job waits before others give way to it; zero for the scheduler's own.
	Urgency time.Duration
}

// Manager is a manager that runs.
type Manager struct {
	// Proxy is its way to the API server.
	Proxy *faultproxy.Proxy

	stop  context.CancelFunc
	ended chan struct{}
	err   error
	ready func() error
}

// Start starts a manager, which does not end with the context. What prepare plans for its proxy holds from the manager's first request on; kill ends the manager as
// SIGKILL does.
func Start(ctx context.Context, o Options, prepare func(proxy *faultproxy.Proxy, kill func())) (*Manager, error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	m := &Manager{stop: stop, ended: make(chan struct{})}
	var err error
	if m.Proxy, err = faultproxy.Start(o.API, o.Scheme); err != nil {
		stop()
		return nil, err
	}
	if prepare != nil {
		prepare(m.Proxy, stop)
	}
	store, err := history.Open(ctx, o.HistoryURL, clock.RealClock{})
	if err != nil {
		stop()
		return nil, errors.Join(err, m.Proxy.Close())
	}
	mgr, err := m.make(ctx, o, store)
	if err != nil {
		stop()
		store.Close()
		return nil, errors.Join(err, m.Proxy.Close())
	}
	go func() {
		defer close(m.ended)
		m.err = mgr.Start(ctx)
		store.Close()
		m.err = errors.Join(m.err, m.Proxy.Close())
	}()
	return m, nil
}

func (m *Manager) make(ctx context.Context, o Options, store *history.Store) (ctrl.Manager, error) {
	api := m.Proxy.Config()
	api.QPS, api.Burst = 500, 1000
	// The options of cmd/manager, less what concerns the world outside.
	options := ctrl.Options{
		Scheme:                  o.Scheme,
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		GracefulShutdownTimeout: ptr.To(30 * time.Second),
		Cache:                   controllers.Cache(),
		Client:                  client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
		// There is more than one manager in this process.
		Controller: config.Controller{RecoverPanic: ptr.To(true), ReconciliationTimeout: time.Minute, SkipNameValidation: ptr.To(true)},
	}
	if o.Admission != nil {
		options.WebhookServer = webhook.NewServer(*o.Admission)
	}
	var mgr ctrl.Manager
	var err error
	if o.Lease > 0 {
		mgr, err = lease.NewManager(api, options, lease.Election{Namespace: o.Namespace, Name: "soma-manager", Duration: o.Lease})
	} else {
		mgr, err = ctrl.NewManager(api, options)
	}
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	m.ready = func() error { return nil }
	// Added without its metrics, which a process can register but once.
	err = mgr.Add(recorder.New(mgr.GetClient(), mgr.GetAPIReader(), mgr.GetCache(), watchedStore{store, m.Proxy}, clock.RealClock{},
		ctrl.Log.WithName("recorder")))
	if err != nil {
		return nil, err
	}
	rights, err := authority.ForManager(ctx, mgr, clock.RealClock{})
	if err != nil {
		return nil, err
	}
	err = controllers.Setup(ctx, mgr, controllers.Dependencies{
		Clock: clock.RealClock{}, Namespace: o.Namespace, Authority: rights, Urgency: o.Urgency,
	})
	if err != nil || o.Admission == nil {
		return mgr, err
	}
	self, err := webhooks.Self(ctx, o.API)
	if err != nil {
		return nil, err
	}
	m.ready = func() error { return errors.Join(rights.Ready(nil), mgr.GetWebhookServer().StartedChecker()(nil)) }
	return mgr, webhooks.SetupWithManager(mgr, self, rights)
}

// Ready returns an error while the manager does not serve admission yet, as it should, and nil where it ended before.
func (m *Manager) Ready() error {
	select {
	case <-m.ended:
		return nil
	default:
		return m.ready()
	}
}

// Ended is closed when nothing of the manager runs any more.
func (m *Manager) Ended() <-chan struct{} { return m.ended }

// Stop ends the manager as SIGTERM does and waits until nothing of it runs.
func (m *Manager) Stop() error {
	m.stop()
	<-m.ended
	return m.err
}

// Kill ends the manager as SIGKILL does: nothing that it still tries goes through.
func (m *Manager) Kill() {
	m.Proxy.Cut()
	m.stop()
	<-m.ended
}

// watchedStore is a history whose writes go through the proxy, among those to the API server.
type watchedStore struct {
	*history.Store
	proxy *faultproxy.Proxy
}

// Record writes entries.
func (s watchedStore) Record(ctx context.Context, entries []history.Entry) (written int, err error) {
	err = s.proxy.Do("record history", func() error {
		written, err = s.Store.Record(ctx, entries)
		return err
	})
	return written, err
}

// Delete writes deletions.
func (s watchedStore) Delete(ctx context.Context, deletions []history.Deletion) (written int, err error) {
	err = s.proxy.Do("delete history", func() error {
		written, err = s.Store.Delete(ctx, deletions)
		return err
	})
	return written, err
}
