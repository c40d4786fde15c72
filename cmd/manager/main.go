// Command manager runs Soma's controllers, its admission and the recorder of its history.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/controllers"
	"github.com/soma-platform/soma/internal/aclstore"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/platform/lease"
	"github.com/soma-platform/soma/internal/platform/scrape"
	"github.com/soma-platform/soma/internal/platform/version"
	"github.com/soma-platform/soma/internal/recorder"
	"github.com/soma-platform/soma/webhooks"
)

const (
	// shutdownTime bounds how long what is under way may take to end after SIGTERM.
	shutdownTime = 30 * time.Second
	// reconcileTime bounds one look at one object: a call that hangs must not hold a worker for ever.
	reconcileTime = time.Minute
	// defaultLease is how long a leader may be unheard of.
	defaultLease = 15 * time.Second
)

// options are the flags.
type options struct {
	leaderElect   bool
	lease         time.Duration
	metricsAddr   string
	metricsSecure bool
	probeAddr     string
	pprofAddr     string
	webhookHost   string
	webhookPort   int
	certDir       string
	certRotation  bool
	servingNames  []string
	namespace     string
	databaseURL   string
	redisURL      string
	redisCA       string
	accessKeys    string
	qps           float64
	burst         int
}

func main() {
	var o options
	o.bind(flag.CommandLine)
	zapOptions := zap.Options{}
	zapOptions.BindFlags(flag.CommandLine)
	flag.Parse()
	o.databaseURL, o.redisURL = os.Getenv("SOMA_DATABASE_URL"), os.Getenv("SOMA_REDIS_URL")

	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&zapOptions)))
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.WithName("manager").Error(err, "the manager ended")
		os.Exit(1)
	}
}

// bind makes flags of the options.
func (o *options) bind(flags *flag.FlagSet) {
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "let one of several managers lead; the others serve admission and take over")
	flags.DurationVar(&o.lease, "leader-elect-lease-duration", defaultLease,
		"for how long the others wait for a leader that is not heard of, in whole seconds; it gives up itself after two thirds of that, and writes nothing after four fifths")
	flags.StringVar(&o.metricsAddr, "metrics-bind-address", ":8443", "where metrics are served; 0 for nowhere")
	flags.BoolVar(&o.metricsSecure, "metrics-secure", true, "serve metrics by TLS and to those only whom the cluster lets")
	flags.StringVar(&o.probeAddr, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served")
	flags.StringVar(&o.pprofAddr, "pprof-bind-address", "", "where profiles are served, for instance 127.0.0.1:6060; nowhere by default")
	flags.StringVar(&o.webhookHost, "webhook-host", "", "address of the admission webhooks; all of the machine's by default")
	flags.IntVar(&o.webhookPort, "webhook-port", 9443, "port of the admission webhooks")
	flags.StringVar(&o.certDir, "cert-dir", "/certs", "folder for a copy of the serving certificate")
	flags.BoolVar(&o.certRotation, "cert-rotation", true, "make and renew the serving certificate; false where another does, as cert-manager")
	flags.Func("serving-name", "one more name that the serving certificate is for, as the host by which the gateway is found; may be given several times", func(name string) error {
		o.servingNames = append(o.servingNames, name)
		return nil
	})
	flags.StringVar(&o.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "namespace that Soma itself runs in")
	flags.StringVar(&o.accessKeys, "access-keys-file", "/etc/soma/redis/keys", "with SOMA_REDIS_URL: keys that sign what is kept there of what users may do; the first signs; read again when it changes")
	flags.StringVar(&o.redisCA, "redis-ca-file", "/etc/soma/redis/ca.crt", "with a SOMA_REDIS_URL of rediss://: whom to trust for the certificate of Redis; where there is no such file, whom the machine trusts")
	flags.Float64Var(&o.qps, "kube-api-qps", 500, "requests to the API server per second")
	flags.IntVar(&o.burst, "kube-api-burst", 1000, "requests to the API server at once")
}

func run(ctx context.Context, o options) error {
	if o.namespace == "" {
		o.namespace = "soma-system"
	}
	if o.databaseURL == "" {
		return fmt.Errorf("SOMA_DATABASE_URL is not set: it names the PostgreSQL database of the history")
	}
	ctrl.Log.WithName("manager").Info("starting", "version", version.Version)

	restConfig := ctrl.GetConfigOrDie()
	restConfig.QPS, restConfig.Burst = float32(o.qps), o.burst
	certificate := &servingCertificate{}
	mgr, term, err := newManager(restConfig, o, certificate)
	if err != nil {
		return fmt.Errorf("make the manager: %w", err)
	}
	store, err := history.Open(ctx, o.databaseURL, clock.RealClock{})
	if err != nil {
		return fmt.Errorf("open the history: %w", err)
	}
	defer store.Close()
	if err := recorder.New(mgr.GetClient(), mgr.GetAPIReader(), mgr.GetCache(), store, clock.RealClock{}, ctrl.Log.WithName("recorder")).SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the recorder: %w", err)
	}
	rights, err := authority.ForManager(ctx, mgr, clock.RealClock{})
	if err != nil {
		return fmt.Errorf("set up who decides about access: %w", err)
	}
	if err := setupAccessStore(mgr, rights, term, o); err != nil {
		return fmt.Errorf("set up what is kept in Redis: %w", err)
	}
	if err := setupAudit(mgr, o); err != nil {
		return fmt.Errorf("set up who keeps the audit log: %w", err)
	}
	if err := controllers.Setup(ctx, mgr, controllers.Dependencies{Clock: clock.RealClock{}, Namespace: o.namespace, Authority: rights}); err != nil {
		return err
	}
	if err := controllers.SetupMetrics(mgr); err != nil {
		return err
	}
	if err := setupCertificates(ctx, mgr, certificate, o); err != nil {
		return err
	}
	self, err := webhooks.Self(ctx, restConfig)
	if err != nil {
		return err
	}
	if err := webhooks.SetupWithManager(mgr, self, rights); err != nil {
		return fmt.Errorf("set up admission: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("webhook", mgr.GetWebhookServer().StartedChecker()); err != nil {
		return fmt.Errorf("add the readiness check: %w", err)
	}
	if err := mgr.AddReadyzCheck("access", rights.Ready); err != nil {
		return fmt.Errorf("add the readiness check: %w", err)
	}
	return mgr.Start(ctx)
}

// newManager makes the manager, and tells in which term it leads. What serves without leading makes clients of its own where it
// writes.
func newManager(api *rest.Config, o options, certificate *servingCertificate) (ctrl.Manager, aclstore.Term, error) {
	if !o.leaderElect {
		mgr, err := ctrl.NewManager(api, managerOptions(o, certificate))
		return mgr, sinceStart(), err
	}
	guard := &lease.Guard{Clock: clock.RealClock{}}
	election := lease.Election{Namespace: o.namespace, Name: "soma-manager", Duration: o.lease, Guard: guard}
	mgr, err := lease.NewManager(api, managerOptions(o, certificate), election)
	return mgr, guard.Term, err
}

func managerOptions(o options, certificate *servingCertificate) ctrl.Options {
	return ctrl.Options{
		Scheme:                  newScheme(),
		Metrics:                 scrape.Options(o.metricsAddr, o.metricsSecure),
		HealthProbeBindAddress:  o.probeAddr,
		PprofBindAddress:        o.pprofAddr,
		GracefulShutdownTimeout: new(shutdownTime),
		Cache:                   controllers.Cache(),
		// A controller must see what it wrote itself: deciding from an older view would do things twice.
		Client:        client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}},
		Controller:    config.Controller{RecoverPanic: new(true), ReconciliationTimeout: reconcileTime},
		WebhookServer: webhook.NewServer(webhook.Options{Host: o.webhookHost, Port: o.webhookPort, TLSOpts: []func(*tls.Config){modernTLS, certificate.configure}}),
	}
}

func modernTLS(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(platformv1.AddToScheme(scheme))
	return scheme
}
