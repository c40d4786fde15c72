// Package gateway is the front door: people and programs come in by one address, show who they are, and get what is theirs.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/config"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/gateway/signin"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// maxHeader bounds the header of a request, which has a cookie or a token in it.
	maxHeader = 64 << 10
	// shutdownTime is how long what is under way may take once the gateway is to end.
	shutdownTime = 25 * time.Second
	// keysInterval is how often the file of keys is read again.
	keysInterval = 30 * time.Second
)

// Options are what the gateway needs.
type Options struct {
	Config    *config.Config
	Authority *authority.Authority
	// Client reads from the API server itself.
	Client client.Client
	// Namespace that Soma itself runs in.
	Namespace string
	// Audit takes who comes in, and who does not.
	Audit signin.Auditor
	Clock clock.PassiveClock
	Log   logr.Logger
}

// Gateway is the front door.
type Gateway struct {
	options Options
	keys    *session.Keys
	signin  *signin.Service
	mux     *http.ServeMux
	// pages answers what comes by the hosts of pages, if there are any.
	pages Pages
}

// Pages answers what comes by hosts that are not the gateway's own.
type Pages interface {
	Has(host string) bool
	Handler() http.Handler
}

// New makes a gateway. Whatever is behind it is mounted before it serves.
func New(o Options) (*Gateway, error) {
	keys, err := session.ReadKeys(o.Config.KeysFile)
	if err != nil {
		return nil, err
	}
	service, err := signin.New(signin.Options{
		Config: o.Config, Keys: keys, Authority: o.Authority, Client: o.Client, Namespace: o.Namespace, Audit: o.Audit, Clock: o.Clock,
		Log: o.Log.WithName("signin"),
	})
	if err != nil {
		return nil, err
	}
	g := &Gateway{options: o, keys: keys, signin: service, mux: http.NewServeMux()}
	service.Routes(g.mux)
	g.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	g.mux.HandleFunc("GET /readyz", g.ready)
	return g, nil
}

// Authenticator says who calls.
func (g *Gateway) Authenticator() caller.Authenticator { return g.signin }

// Keys seal what browsers keep.
func (g *Gateway) Keys() *session.Keys { return g.keys }

// Mount puts a handler where a pattern of http.ServeMux says, for callers of whom it asks the Authenticator.
func (g *Gateway) Mount(pattern string, handler http.Handler) { g.mux.Handle(pattern, handler) }

// MountPages has pages answer what comes by their hosts. It reaches nothing else of the gateway, and nothing else reaches them.
func (g *Gateway) MountPages(pages Pages) { g.pages = pages }

// Handler is the gateway as a handler.
func (g *Gateway) Handler() http.Handler {
	own := g.signin.Renew(sameOrigin(g.options.Config.Origin(), http.NewCrossOriginProtection().Handler(g.mux)))
	if g.pages == nil {
		return g.WhenReady(own)
	}
	return g.WhenReady(byHost(g.pages, own))
}

// byHost decides by the host alone, before anything else is looked at.
func byHost(pages Pages, own http.Handler) http.Handler {
	handler := pages.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if pages.Has(r.Host) {
			handler.ServeHTTP(w, r)
			return
		}
		own.ServeHTTP(w, r)
	})
}

func (g *Gateway) ready(w http.ResponseWriter, _ *http.Request) {
	if !g.options.Authority.Synced() {
		http.Error(w, "users, roles and grants are not known yet", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// Serve serves on a listener until the context ends, then lets what is under way come to an end.
func (g *Gateway) Serve(ctx context.Context, listener net.Listener, config *tls.Config) error {
	go g.followKeys(ctx)
	return ServeUntil(ctx, listener, config, g.Handler())
}

// ServeUntil serves a handler on a listener by TLS until the context ends, with the bounds of the gateway, and then lets what is
// under way come to an end.
func ServeUntil(ctx context.Context, listener net.Listener, config *tls.Config, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, TLSConfig: config.Clone(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		// Streams end with their own contexts, not with that of the process.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop serving: %w", err)
	}
	return server.Close()
}

// followKeys reads the file of keys again and again, so that keys are changed without an end of the gateway.
func (g *Gateway) followKeys(ctx context.Context) {
	ticker := time.NewTicker(keysInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := g.keys.Reload(g.options.Config.KeysFile); err != nil {
				g.options.Log.Error(err, "the keys of sessions stay as they were")
			}
		}
	}
}
