// Command gateway is the front door of Soma: people sign in, and programs come with tokens.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accessapi"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/gateway"
	"github.com/soma-platform/soma/internal/gateway/audit"
	"github.com/soma-platform/soma/internal/gateway/config"
	"github.com/soma-platform/soma/internal/gateway/jobpages"
	"github.com/soma-platform/soma/internal/gateway/kubeproxy"
	"github.com/soma-platform/soma/internal/gateway/signin"
	"github.com/soma-platform/soma/internal/gateway/ticket"
	"github.com/soma-platform/soma/internal/platform/version"
)

// requestTime bounds one request to the API server that the gateway makes for itself.
const requestTime = 20 * time.Second

// options are the flags.
type options struct {
	configFile string
	address    string
	certFile   string
	keyFile    string
	namespace  string
	accessPort int
	metrics    string
	firstLink  bool
	firstName  string
	// databaseURL is where the audit log goes.
	databaseURL string
}

func main() {
	var o options
	o.bind(flag.CommandLine)
	zapOptions := zap.Options{}
	zapOptions.BindFlags(flag.CommandLine)
	flag.Parse()
	o.databaseURL = os.Getenv("SOMA_DATABASE_URL")
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&zapOptions)))
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// bind makes flags of the options.
func (o *options) bind(flags *flag.FlagSet) {
	flags.StringVar(&o.configFile, "config", "/etc/soma/gateway/config.yaml", "the configuration: identity providers and sessions")
	flags.StringVar(&o.address, "bind-address", ":8443", "where to listen")
	flags.StringVar(&o.certFile, "tls-cert-file", "/certs/tls.crt", "certificate to serve with; read again when it changes")
	flags.StringVar(&o.keyFile, "tls-private-key-file", "/certs/tls.key", "key of the certificate")
	flags.StringVar(&o.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "namespace that Soma itself runs in")
	flags.IntVar(&o.accessPort, "access-port", 0, "port on which the API server asks for the reviews of access.soma.dev; 0 for none")
	flags.StringVar(&o.metrics, "metrics-bind-address", "0", "where metrics are served, by TLS and to those only whom the cluster lets; 0 for nowhere")
	flags.BoolVar(&o.firstLink, "first-admin-link", false, "print a link by which one person becomes the first administrator, and end")
	flags.StringVar(&o.firstName, "first-admin-name", "", "with --first-admin-link: the name of that User; by default one made from who they are")
}

func run(ctx context.Context, o options) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see --help", flag.Arg(0))
	}
	if o.namespace == "" {
		o.namespace = "soma-system"
	}
	c, err := config.Load(o.configFile)
	if err != nil {
		return err
	}
	api, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(platformv1.AddToScheme(scheme))
	bounded := rest.CopyConfig(api)
	bounded.Timeout = requestTime
	direct, err := client.New(bounded, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if o.firstLink {
		first := signin.First{Client: direct, Namespace: o.namespace, Now: time.Now}
		link, err := first.Issue(ctx, c.ExternalURL, o.firstName)
		if err != nil {
			return err
		}
		fmt.Println(link)
		return nil
	}
	return serve(ctx, o, c, api, direct)
}

// serve serves until the context ends.
func serve(ctx context.Context, o options, c *config.Config, api *rest.Config, direct client.Client) error {
	if o.databaseURL == "" {
		return errors.New("SOMA_DATABASE_URL is not set: it names the PostgreSQL database of the audit log")
	}
	log := ctrl.Log.WithName("gateway")
	log.Info("starting", "version", version.Version, "address", c.ExternalURL)
	objects, err := cache.New(api, cache.Options{
		Scheme: direct.Scheme(), ByObject: map[client.Object]cache.ByObject{&platformv1.Job{}: {Transform: jobpages.Slim}},
	})
	if err != nil {
		return fmt.Errorf("make a cache: %w", err)
	}
	rights := authority.New(clock.RealClock{})
	synced, err := rights.Follow(ctx, objects)
	if err != nil {
		return err
	}
	certificate, err := certwatcher.New(o.certFile, o.keyFile)
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	store, err := audit.Open(ctx, o.databaseURL)
	if err != nil {
		return err
	}
	defer store.Close()
	trail, err := audit.NewLog(store, clock.RealClock{}, log.WithName("audit"), metrics.Registry)
	if err != nil {
		return err
	}
	door, err := gateway.New(gateway.Options{
		Config: c, Authority: rights, Client: direct, Namespace: o.namespace, Audit: trail, Clock: clock.RealClock{}, Log: log,
	})
	if err != nil {
		return err
	}
	kubernetes, err := kubeproxy.New(kubeproxy.Options{
		Prefix: signin.KubernetesPath, Config: api, Authenticator: door.Authenticator(), Authority: rights, Audit: trail,
		Origins: []string{c.Origin()}, Tickets: ticket.New(door.Keys(), clock.RealClock{}), Limits: kubeproxy.DefaultLimits(), Clock: clock.RealClock{}, Log: log.WithName("kubernetes"), Registry: metrics.Registry,
	})
	if err != nil {
		return err
	}
	door.Mount(signin.KubernetesPath+"/", kubernetes)
	door.Mount("POST "+signin.TicketPath, kubernetes.TicketHandler())
	pages, err := mountPages(ctx, c, door, objects, rights, trail, log.WithName("job-pages"))
	if err != nil {
		return err
	}
	tell, err := metricsServer(api, o.metrics)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	secure := &tls.Config{GetCertificate: certificate.GetCertificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}

	// The audit log ends last: what is asked while the gateway ends is recorded as well.
	recording, stop := context.WithCancel(context.WithoutCancel(ctx))
	recorded := make(chan error, 1)
	go func() { recorded <- trail.Run(recording) }()
	parts, partsCtx := errgroup.WithContext(ctx)
	parts.Go(func() error { return objects.Start(partsCtx) })
	parts.Go(func() error { return rights.Start(partsCtx, synced) })
	parts.Go(func() error { return certificate.Start(partsCtx) })
	parts.Go(func() error { return kubernetes.Run(partsCtx) })
	parts.Go(func() error { return door.Serve(partsCtx, listener, secure) })
	if o.accessPort != 0 {
		reviews := accessapi.Options{BindAddress: net.IPv4zero, Port: o.accessPort, CertFile: o.certFile, KeyFile: o.keyFile}
		parts.Go(func() error { return accessapi.Run(partsCtx, reviews, rights) })
	}
	if tell != nil {
		parts.Go(func() error { return tell(partsCtx) })
	}
	if pages != nil {
		parts.Go(func() error { return pages.Run(partsCtx) })
	}
	if pages != nil && pages.asked != nil {
		parts.Go(func() error { return gateway.ServeUntil(partsCtx, pages.asked, secure, door.WhenReady(pages.Auth())) })
	}
	err = parts.Wait()
	stop()
	return errors.Join(err, <-recorded)
}

// jobPages are the pages of jobs, and where a proxy asks, if one is to.
type jobPages struct {
	*jobpages.Service
	asked net.Listener
}

// mountPages makes the gateway let people see the pages of jobs, if it is to.
func mountPages(ctx context.Context, c *config.Config, door *gateway.Gateway, objects cache.Cache, rights *authority.Authority, trail *audit.Log, log logr.Logger) (*jobPages, error) {
	if c.JobPages == nil {
		return nil, nil
	}
	token, err := c.JobPages.ProxyToken()
	if err != nil {
		return nil, err
	}
	key, err := c.JobPages.AssertionKey()
	if err != nil {
		return nil, err
	}
	signer, err := jobpages.NewSigner(c.ExternalURL, key)
	if err != nil {
		return nil, err
	}
	index, err := jobpages.NewIndex(ctx, objects, log)
	if err != nil {
		return nil, err
	}
	service, err := jobpages.New(jobpages.Options{
		Domain: c.JobPages.Domain, Gateway: c.ExternalURL, SignInPath: signin.SignInPath, ProxyToken: token,
		Authenticator: door.Authenticator(), Rights: rights, Pages: index, Keys: door.Keys(), Signer: signer,
		ClusterDomain: c.JobPages.ClusterDomain, Dial: jobpages.Dialer(), Audit: trail, Clock: clock.RealClock{}, Log: log,
	})
	if err != nil {
		return nil, err
	}
	service.Routes(door)
	door.MountPages(service)
	if token == "" {
		return &jobPages{Service: service}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.JobPages.BindAddress)
	if err != nil {
		return nil, fmt.Errorf("listen for the proxy of job pages: %w", err)
	}
	return &jobPages{Service: service, asked: listener}, nil
}
