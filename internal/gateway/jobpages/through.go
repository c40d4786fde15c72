package jobpages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/soma-platform/soma/internal/gateway/stream"
	"github.com/soma-platform/soma/internal/workload"
)

const (
	// maxStreams is how many streams one caller may have open at a time, and maxRequests how many other requests under way: a
	// browser has up to some hundred of each page that it loads. Callers unknown are reckoned together, by page.
	maxStreams, maxRequests = 250, 500
	// recheckInterval is how often it is asked again whether what goes through may.
	recheckInterval = 2 * time.Second

	dialTimeout = 10 * time.Second
	// jobTimeout is how long a job may take to take more of what it is sent, and to begin its answer, and maxHeader how much may be
	// in that one's header.
	jobTimeout = 5 * time.Minute
	maxHeader  = 256 << 10
	// continueTimeout is how long a job may take to say that it wants the body of a request that asks whether to send it.
	continueTimeout = time.Second
)

// What ends a request on its way. Its context has it as its cause.
var (
	errRevoked  = errors.New("the page may not be seen any more, or its job has ended")
	errStopping = errors.New("the gateway stops")
)

// errNotThere says that a job was not reached.
var errNotThere = errors.New("the job does not listen")

// Dial makes a connection.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer reaches jobs, and nothing that cannot be the pod of one: neither this machine nor what is beside it, whatever a name
// leads to.
func Dialer() Dial {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		return checkAddress(address)
	}}
	return dialer.DialContext
}

func checkAddress(address string) error {
	where, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("the address of a job: %w", err)
	}
	if ip := where.Addr().Unmap(); !ip.IsGlobalUnicast() {
		return fmt.Errorf("%s is not the address of a job", ip)
	}
	return nil
}

// visitor is a request on its way through the gateway to a job.
type visitor struct {
	judged
	label, uid string
	// assertion for the job.
	assertion string
	cut       func(cause error)
}

// Owner is the caller, and of callers unknown the page: no user has a name with a space in it.
func (v *visitor) Owner() string {
	if !v.known {
		return "page " + v.label
	}
	return v.who.User
}

// Long tells what is meant to stay open. Any other answer can do so as well, and is asked about again like those.
func (v *visitor) Long() bool { return v.request.upgrades() || v.request.events() }

type visitorKey struct{}

func visitorOf(ctx context.Context) *visitor {
	v, _ := ctx.Value(visitorKey{}).(*visitor)
	return v
}

// through lets a request through to the job if it may be, and only for as long.
func (s *Service) through(w http.ResponseWriter, r *http.Request) {
	now := s.Clock.Now()
	v := &visitor{judged: s.judge(askedHere(r), now)}
	if path := r.URL.Path; v.answer == allow && (!strings.HasPrefix(path, "/") || strings.HasPrefix(path, ownPath)) {
		v.answer = absent
	}
	if v.answer != allow {
		s.refuse(w, v.judged)
		return
	}
	v.label, _ = label(r.Host, s.Domain)
	v.uid = string(v.page.Job.UID)
	var err error
	if v.assertion, err = s.assertion(v.judged, now); err != nil {
		s.Log.Error(err, "a request for a job's page is refused", "job", v.page.name())
		s.say(w, http.StatusInternalServerError, false, "The request could not be let through.")
		return
	}
	tap := &stream.Tap{ResponseWriter: w}
	defer tap.Finish()
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), visitorKey{}, v))
	defer cancel(nil)
	v.cut = func(cause error) {
		cancel(cause)
		tap.Sever()
	}
	if !s.open.Add(v) {
		w.Header().Set("Retry-After", "30")
		s.say(w, http.StatusTooManyRequests, false, v.tooMany())
		return
	}
	defer s.open.Remove(v)
	// Whatever changed before it was among those that are asked about again.
	if !s.still(v) {
		v.answer = absent
		s.refuse(w, v.judged)
		return
	}
	s.reverse.ServeHTTP(answered{tap}, r.WithContext(ctx))
}

// tooMany says that a caller has as much under way as may be.
func (v *visitor) tooMany() string {
	if v.Long() {
		return fmt.Sprintf("%d streams of pages are open: end some first.", maxStreams)
	}
	return fmt.Sprintf("%d requests for pages are under way: wait for some first.", maxRequests)
}

// still reports whether a request would be let through now.
func (s *Service) still(v *visitor) bool {
	page, there := s.Pages.ByLabel(v.label)
	if !there || string(page.Job.UID) != v.uid || v.known && !s.Authenticator.StillValid(v.who) {
		return false
	}
	return decide(question{Page: &page, Known: v.known, Tree: s.tree(v.who, v.known), Safe: true}) == allow
}

// Run ends what goes through the gateway once it may no longer, until the context ends. Streams then end with it; what else is under
// way has the time that the gateway takes to stop.
func (s *Service) Run(ctx context.Context) error {
	ticker := s.Clock.NewTicker(recheckInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			for _, v := range s.open.Of() {
				if v.Long() {
					v.cut(errStopping)
				}
			}
			return nil
		case <-ticker.C():
			s.recheck()
		}
	}
}

func (s *Service) recheck() {
	for _, v := range s.open.Of() {
		if !s.still(v) {
			v.cut(errRevoked)
			s.Log.Info("cut a connection to a job's page", "job", v.page.name(), "user", v.who.User)
		}
	}
}

// newReverse makes the way to the jobs. Connections are not kept: what is at an address may be another job by the next request.
func (s *Service) newReverse() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: s.rewrite,
		Transport: &http.Transport{
			DialContext: s.reach, DisableKeepAlives: true, DisableCompression: true, ResponseHeaderTimeout: jobTimeout,
			ExpectContinueTimeout: continueTimeout, MaxResponseHeaderBytes: maxHeader,
		},
		// What upgrades is answered past the writer.
		ModifyResponse: func(r *http.Response) error {
			clean(r.Header)
			return nil
		},
		FlushInterval: -1,
		ErrorHandler:  s.failed,
		// What it would say, clients bring about.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// reach makes the connection to a job.
func (s *Service) reach(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := s.Dial(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotThere, err)
	}
	return taken{conn, jobTimeout}, nil
}

// taken is a connection that fails where the other side takes nothing for some time: whoever sends it something may be gone
// meanwhile, which nobody notices who does not read on.
type taken struct {
	net.Conn
	within time.Duration
}

// Write writes.
func (c taken) Write(data []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.within)); err != nil {
		return 0, err
	}
	return c.Conn.Write(data)
}

// rewrite makes the request at the job. It goes to the Service that the controller of jobs made for the job, whatever the
// client says.
func (s *Service) rewrite(r *httputil.ProxyRequest) {
	v := visitorOf(r.In.Context())
	in := r.In.URL
	r.Out.URL = &url.URL{
		Scheme: "http", Host: s.service(v.page), Path: in.Path, RawPath: in.RawPath, RawQuery: in.RawQuery, ForceQuery: in.ForceQuery,
	}
	r.Out.Host = r.In.Host
	r.Out.Header = outgoing(r.Out.Header, v.request, v.assertion)
	// What comes after a body would be headers to some.
	r.Out.Trailer = nil
}

// service is where the Service of a page's job is. The name ends in a dot: it is looked up as it is, and not first as one of
// another namespace.
func (s *Service) service(p *Page) string {
	return net.JoinHostPort(workload.InternalHostname(p.Job)+"."+s.ClusterDomain+".", strconv.Itoa(int(p.Job.Spec.HTTP.Port)))
}

// ours tells names of headers that are for us or from us: in every spelling that a job could take for one.
func ours(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	return name == "authorization" || name == "cookie" || name == "forwarded" || name == "x-real-ip" ||
		strings.HasPrefix(name, "x-forwarded-") || strings.HasPrefix(name, "x-soma-")
}

// outgoing are the headers of a request at the job.
func outgoing(in http.Header, request asked, assertion string) http.Header {
	out := http.Header{}
	for name, values := range in {
		if !ours(name) {
			out[name] = values
		}
	}
	// Over any other protocol a client could say to the job what it likes, HTTP among it.
	if !strings.EqualFold(out.Get("Upgrade"), "websocket") {
		out.Del("Upgrade")
		out.Del("Connection")
	}
	if rest := foreign(request.header["Cookie"]); rest != "" {
		out.Set("Cookie", rest)
	}
	if assertion != "" {
		out.Set(AssertionHeader, assertion)
	}
	out.Set(forwardedHost, request.host)
	out.Set("X-Forwarded-Proto", "https")
	return out
}

// failed answers where a job did not.
func (s *Service) failed(w http.ResponseWriter, r *http.Request, err error) {
	v := visitorOf(r.Context())
	if errors.Is(context.Cause(r.Context()), errRevoked) {
		v.answer = absent
		s.refuse(w, v.judged)
		return
	}
	s.Log.V(1).Info("a job did not answer", "job", v.page.name(), "why", err.Error())
	w.Header().Set("Retry-After", strconv.Itoa(retrySeconds))
	if errors.Is(err, errNotThere) {
		s.show(w, http.StatusServiceUnavailable, v.request.navigation(), notThere)
		return
	}
	s.say(w, http.StatusBadGateway, v.request.navigation(), "The job runs, but does not answer.")
}
