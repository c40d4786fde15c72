package jobpages

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/limit"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/gateway/stream"
)

const (
	// AuthPath is where the proxy asks; what follows it is the proxy's token.
	AuthPath = "/job-pages/auth/"
	// enterPath is where a browser comes to the gateway for a code, and ownPath what of a page's host is the gateway's: there
	// it comes back with it.
	enterPath = "/job-pages/enter"
	ownPath   = "/.soma/"

	// minProxyToken is the least length of the proxy's token.
	minProxyToken = 32
)

// Page is the page of a job.
type Page struct {
	Job *v1alpha1.Job
	// Target is the job as rights name it.
	Target access.Target
	// AllowsPublic is whether pages in its project can be public.
	AllowsPublic bool
}

// name is that of the job, for people.
func (p *Page) name() string { return p.Job.Namespace + "/" + p.Job.Name }

// Pages finds pages, from memory.
type Pages interface {
	// ByLabel is the page on the host of a first label, and whether there is one.
	ByLabel(label string) (Page, bool)
}

// Rights tell what users may do now: an authority does.
type Rights interface {
	Tree(user string) *access.Tree
}

// Options are what the pages of jobs need. All but the proxy's token are required.
type Options struct {
	// Domain below which the hosts of pages are, with a port where it is not that of https.
	Domain string
	// Gateway is the address of the gateway: https, a host, perhaps a port. SignInPath is where people sign in on it.
	Gateway, SignInPath string
	// ProxyToken is known to the proxy alone that asks before each request. Without one none may ask.
	ProxyToken string

	Authenticator caller.Authenticator
	Rights        Rights
	Pages         Pages
	Keys          *session.Keys
	Signer        *Signer
	// ClusterDomain is what the names of Services end with.
	ClusterDomain string
	// Dial reaches the Service of a job by its name; Dialer makes one.
	Dial Dial
	// Audit takes who looks at which page.
	Audit Auditor
	Clock clock.WithTicker
	Log   logr.Logger
}

// Service lets people see the pages of jobs.
type Service struct {
	Options
	token   [sha256.Size]byte
	visits  *limit.Limit
	reverse *httputil.ReverseProxy
	open    *stream.Open[*visitor]
}

// New makes the service.
func New(o Options) (*Service, error) {
	switch {
	case o.Domain == "" || strings.ToLower(o.Domain) != o.Domain:
		return nil, errors.New("job pages: the domain is missing, or not in lower case")
	case o.ProxyToken != "" && len(o.ProxyToken) < minProxyToken:
		return nil, errors.New("job pages: the proxy's token has fewer than 32 characters")
	case o.ClusterDomain == "" || o.Authenticator == nil || o.Rights == nil || o.Pages == nil || o.Keys == nil || o.Signer == nil || o.Dial == nil || o.Audit == nil || o.Clock == nil:
		return nil, errors.New("job pages: something that is required is missing")
	}
	s := &Service{Options: o, token: sha256.Sum256([]byte(o.ProxyToken)), visits: newVisits(), open: stream.NewOpen[*visitor](maxStreams, maxRequests)}
	// What a browser is sent to must not lie below the domain of pages, or a page could be taken for the gateway.
	gateway, err := url.Parse(o.Gateway)
	if err != nil || s.Has(gateway.Host) {
		return nil, errors.New("job pages: the gateway's own host is, or lies below, the domain of pages")
	}
	s.reverse = s.newReverse()
	return s, nil
}

// Mux takes handlers where patterns of http.ServeMux say.
type Mux interface {
	Mount(pattern string, handler http.Handler)
}

// Routes mounts what browsers and jobs reach on the gateway's own host.
func (s *Service) Routes(mux Mux) {
	mux.Mount("GET "+enterPath, http.HandlerFunc(s.enter))
	mux.Mount("GET "+KeysPath, s.Signer)
}

// Auth answers the proxy. It is for a listener that only the proxy reaches.
func (s *Service) Auth() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ours := strings.CutPrefix(r.URL.Path, AuthPath)
		sum := sha256.Sum256([]byte(token))
		if !ours || s.ProxyToken == "" || subtle.ConstantTimeCompare(sum[:], s.token[:]) != 1 {
			http.Error(w, "only the proxy may ask", http.StatusForbidden)
			return
		}
		s.tell(w, r)
	})
}

// judged is a request and what becomes of it.
type judged struct {
	request asked
	answer  answer
	page    *Page
	// who asks, if that is known.
	who   caller.Caller
	known bool
}

// judge finds all on which the answer depends, and decides.
func (s *Service) judge(request asked, now time.Time) judged {
	j := judged{request: request}
	if name, ours := label(request.host, s.Domain); ours {
		if page, there := s.Pages.ByLabel(name); there {
			j.page = &page
		}
	}
	j.who, j.known = s.find(request, j.page, now)
	j.answer = decide(question{
		Page: j.page, Known: j.known, Tree: s.tree(j.who, j.known), ByCookie: j.known && j.who.Via == caller.ViaCookie,
		Navigation: request.navigation(), Safe: safe(request.method) && !request.upgrades(), SameOrigin: request.sameOrigin(),
	})
	s.recordAsked(j)
	return j
}

// tree is what a caller may do now.
func (s *Service) tree(who caller.Caller, known bool) *access.Tree {
	if !known {
		return nil
	}
	tree := s.Rights.Tree(who.User)
	if who.Scope != nil {
		tree = tree.Within(who.Scope)
	}
	return tree
}

// find is who asks: by a token where one is given, and otherwise by the cookie of the page's host.
func (s *Service) find(request asked, page *Page, now time.Time) (caller.Caller, bool) {
	if len(request.header["Authorization"]) > 0 {
		bare := &http.Request{
			Method: http.MethodGet, URL: s.address(request), Header: http.Header{"Authorization": request.header["Authorization"]}, RemoteAddr: request.source,
		}
		who, err := s.Authenticator.Authenticate(bare)
		return who, err == nil
	}
	v, err := open(s.Keys, session.ForPage, single(request.header, pageCookie), request.host, now)
	if err != nil || page == nil || v.JobUID != string(page.Job.UID) || !s.Authenticator.StillValid(v.caller()) {
		return caller.Caller{}, false
	}
	who := v.caller()
	who.Via = caller.ViaCookie
	return who, true
}

// address is what is recorded of where credentials did not count: the page's host. What a client says of itself, and is no host of
// a page, is not.
func (s *Service) address(request asked) *url.URL {
	if _, ours := label(request.host, s.Domain); !ours {
		return &url.URL{Path: "//"}
	}
	return &url.URL{Path: "//" + request.host}
}

// tell answers the proxy, who asks for a request.
func (s *Service) tell(w http.ResponseWriter, r *http.Request) {
	request, ok := readAsked(r)
	if !ok {
		http.Error(w, "the proxy does not say once what it asks for", http.StatusForbidden)
		return
	}
	now := s.Clock.Now()
	j := s.judge(request, now)
	if j.answer != allow {
		s.refuse(w, j)
		return
	}
	assertion, err := s.assertion(j, now)
	if err != nil {
		s.Log.Error(err, "a request for a job's page is refused", "job", j.page.name())
		http.Error(w, "the request could not be let through", http.StatusInternalServerError)
		return
	}
	// What the job is not to see is replaced, and what it is to know is added: the proxy takes over these headers of ours, and
	// takes out of the request those of them that we leave out.
	if assertion != "" {
		w.Header().Set(AssertionHeader, assertion)
	}
	if rest := foreign(request.header["Cookie"]); rest != "" {
		w.Header().Set("Cookie", rest)
	}
	w.WriteHeader(http.StatusOK)
}

// assertion says to the job who asks; it is empty where nobody knows.
func (s *Service) assertion(j judged, now time.Time) (string, error) {
	if !j.known {
		return "", nil
	}
	return s.Signer.Sign(j.who.User, string(j.page.Job.UID), now)
}
