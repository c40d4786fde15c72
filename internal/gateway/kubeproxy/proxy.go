// Package kubeproxy serves the Kubernetes API behind the gateway: to the API server each request is that of the user who
// makes it, and the API server, by RBAC, decides. The gateway adds what RBAC cannot say: lists of what one may see of many,
// tokens that are for less than their user may, the end of what is open when a right ends, and that what one may not see
// looks as if it did not exist.
package kubeproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/gateway/audit"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/limit"
	"github.com/soma-platform/soma/internal/gateway/stream"
)

// Auditor takes what is to be remembered of requests. It must not block.
type Auditor interface {
	Record(r audit.Record)
}

// Options are what a proxy is made of.
type Options struct {
	// Prefix of all paths, without a '/' at its end.
	Prefix string
	// Config is how the gateway itself reaches the API server: with its own name and certificate.
	Config        *rest.Config
	Authenticator caller.Authenticator
	Authority     *authority.Authority
	Audit         Auditor
	// Origins are those of the gateway's own pages, as browsers say them: scheme://host, with the port where it is not the
	// scheme's.
	Origins []string
	// Tickets are what pages open connections with. Where there are none, pages open none.
	Tickets  Tickets
	Limits   Limits
	Clock    clock.WithTicker
	Log      logr.Logger
	Registry prometheus.Registerer
}

// Proxy is the handler of the Kubernetes API.
type Proxy struct {
	prefix        string
	authenticator caller.Authenticator
	authority     *authority.Authority
	audit         Auditor
	origins       []string
	tickets       Tickets
	crossOrigin   *http.CrossOriginProtection
	limits        Limits
	clock         clock.WithTicker
	log           logr.Logger

	server    *url.URL
	transport http.RoundTripper
	reverse   *httputil.ReverseProxy
	pods      metadata.Interface
	reviews   authorizationclient.AuthorizationV1Interface

	rates     *limit.Limit
	strangers *limit.Limit
	streams   *stream.Open[*ongoing]
	changes   *changes
	meters    *meters
}

// New makes a proxy. Run it as well as serving it: that is what ends streams.
func New(o Options) (*Proxy, error) {
	p := &Proxy{
		prefix: o.Prefix, authenticator: o.Authenticator, authority: o.Authority, audit: o.Audit, origins: o.Origins, tickets: o.Tickets,
		crossOrigin: http.NewCrossOriginProtection(), limits: o.Limits, clock: o.Clock, log: o.Log,
		rates: o.Limits.rates(), strangers: limit.Strangers(), streams: stream.NewOpen[*ongoing](o.Limits.Streams, o.Limits.Requests), changes: newChanges(),
	}
	for _, origin := range o.Origins {
		if err := p.crossOrigin.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("an origin of the gateway's own pages: %w", err)
		}
	}
	if err := p.connect(o.Config); err != nil {
		return nil, err
	}
	p.meters = newMeters(p)
	if err := p.meters.register(o.Registry); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	o.Authority.Listen(p.changes.note)
	return p, nil
}

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{proxy: p, request: r, id: uuid.New(), began: p.clock.Now()}
	x.tap = &stream.Tap{ResponseWriter: w, Answered: x.answered}
	defer x.end()
	w.Header().Set(requestHeader, x.id.String())
	if refused := p.serve(x); refused != nil { //nolint:contextcheck // the context is that of the request in the exchange
		x.reason = refused.reason
		refused.write(x.tap)
	}
}

// serve goes through all that a request has to pass, the cheapest first, and then has it answered.
func (p *Proxy) serve(x *exchange) *refusal {
	r := x.request
	path, err := pathOf(r, p.prefix)
	if err != nil {
		if errors.Is(err, errPrefix) {
			return refuse(ReasonPath, http.StatusNotFound, metav1.StatusReasonNotFound, "%v", err)
		}
		return badRequest(ReasonPath, err)
	}
	if headerBytes(r.Header) > maxHeaderBytes || len(r.RequestURI) > maxHeaderBytes {
		return refuse(ReasonSize, http.StatusRequestHeaderFieldsTooLarge, metav1.StatusReasonRequestEntityTooLarge,
			"path and headers are of more than %d bytes", maxHeaderBytes)
	}
	if x.attributes, err = attributesOf(r, path); err != nil {
		return badRequest(ReasonPath, errPath)
	}
	if x.caller, err = p.authenticator.Authenticate(r); err != nil {
		return unauthenticated(err)
	}
	if !p.rates.Allow(x.caller.User, x.began) {
		return tooOften(p.limits, 1)
	}
	if refused := p.fits(x); refused != nil {
		return refused
	}
	return p.decide(x)
}

// fits refuses what nobody may ask here, whoever they are.
func (p *Proxy) fits(x *exchange) *refusal {
	r, a := x.request, &x.attributes
	switch {
	case a.resource && impersonates(r.Header):
		// What APIs there are is the same for everybody, and clients that are refused it do not pass on why.
		return badRequest(ReasonImpersonation, errImpersonation)
	case a.Subresource == "proxy" || a.Verb == "proxy":
		// It would be shown as coming from the gateway itself.
		return refuse(ReasonPath, http.StatusNotFound, metav1.StatusReasonNotFound,
			"pages of pods, services and nodes are not served here: jobs have addresses of their own")
	case a.upgrade != "" && !a.connection:
		return badRequest(ReasonUpgrade, errors.New("no other protocol is spoken here: ask for it without an upgrade"))
	case r.ContentLength > p.limits.BodyBytes:
		return refuse(ReasonSize, http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge,
			"the body has %d bytes; %d are allowed", r.ContentLength, p.limits.BodyBytes)
	case x.caller.Via != caller.ViaCookie:
		return nil
	case a.upgrade != "":
		return p.connects(x)
	}
	if err := p.crossOrigin.Check(r); err != nil {
		return refuse(ReasonCrossSite, http.StatusForbidden, metav1.StatusReasonForbidden, "a page of another origin asks for a change")
	}
	return nil
}

// decide finds how the request is to be answered, takes it among those under way and has it answered.
func (p *Proxy) decide(x *exchange) *refusal {
	c, a := &x.caller, &x.attributes
	tree := p.tree(c)
	if c.Scope != nil || a.long {
		if refused := p.findJob(x); refused != nil {
			return refused
		}
	}
	f := p.filterFor(c, tree, a)
	if refused := p.inScope(c, tree, a, f); refused != nil {
		return refused
	}
	target, level, known := p.requirement(a.Request)
	s := &ongoing{
		caller: *c, request: *a, opened: x.began, byTree: known && tree.Allows(target, level), filter: f, begun: x.tap.Begun,
	}
	if f != nil {
		s.sight = sight(tree, f.scheme)
	}
	ctx, cancel := context.WithCancelCause(x.request.Context())
	defer cancel(nil)
	s.cut = func(cause error) {
		cancel(cause)
		if a.Verb == "watch" {
			time.AfterFunc(partingTime, x.tap.Sever)
			return
		}
		x.tap.Sever()
	}
	if !p.streams.Add(s) {
		return tooMany(30, "%d streams are open, or %d requests under way: end some first", p.limits.Streams, p.limits.Requests)
	}
	defer p.streams.Remove(s)
	// Whatever changed before the stream was among those that are asked about again.
	if !p.authenticator.StillValid(*c) {
		return unauthenticated(caller.ErrRefused)
	}
	x.stream = s
	if !a.long {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, p.limits.Request)
		defer done()
	}
	x.context = ctx
	switch {
	case f != nil:
		return p.serveFiltered(x)
	case looksAtSelf(c, tree, a):
		p.forward(x, onBehalf{})
	case changesSelf(c, tree, a):
		p.forward(x, onBehalf{user: c.User, self: true})
	default:
		p.forward(x, callerAs(c))
	}
	return nil
}

// findJob finds the job of a pod that a request names: by it is known what right the request needs.
func (p *Proxy) findJob(x *exchange) *refusal {
	a := &x.attributes
	if !a.namesPod() || a.Job != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(x.request.Context(), askPatience)
	defer cancel()
	pod, err := p.pods.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(a.Namespace).Get(ctx, a.Name, metav1.GetOptions{})
	switch {
	case err == nil:
		a.Job = pod.Labels[v1alpha1.LabelJob]
	case !apierrors.IsNotFound(err):
		p.log.Error(err, "Could not find out what job a pod belongs to", "request", x.id)
		return unavailable()
	}
	return nil
}

// unavailable answers where the API server does not.
func unavailable() *refusal {
	return refuse(ReasonUpstream, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable,
		"the API server does not answer: try again")
}

// since is how long a request has taken.
func (p *Proxy) since(began time.Time) float64 { return p.clock.Since(began).Seconds() }
