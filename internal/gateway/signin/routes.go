package signin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/limit"
	"github.com/soma-platform/soma/internal/signin"
)

// Where pages are.
const (
	pathSignIn    = SignInPath
	pathStart     = "/signin/start"
	pathCallback  = "/signin/callback"
	pathStyle     = "/signin/style.css"
	pathSignOut   = signin.SignOutPath
	pathSignedOut = "/signedout"
	pathFirst     = "/first-admin"
	pathWhoami    = "/whoami"
)

// SignInPath is where people sign in: the parameter next says where they go then, a path of the gateway.
const SignInPath = "/signin"

// KubernetesPath is where the API of Kubernetes is, with the caller's rights.
const KubernetesPath = "/kubernetes"

// TicketPath is where pages get what they open connections to containers with.
const TicketPath = "/connection-tickets"

const maxBody = 64 << 10

// Routes serves what is sign-in's own.
func (s *Service) Routes(mux *http.ServeMux) {
	handle := func(pattern string, handler http.HandlerFunc) {
		mux.Handle(pattern, s.Headers(http.MaxBytesHandler(handler, maxBody)))
	}
	handle("GET /{$}", s.me)
	handle("GET "+pathSignIn, s.choice)
	handle("GET "+pathStart, s.start)
	handle("GET "+pathCallback, s.callback)
	handle("GET "+pathStyle, s.style)
	handle("POST "+pathSignOut, s.signOut)
	handle("GET "+pathSignedOut, s.signedOut)
	handle("GET "+pathFirst, s.firstAdministrator)
	handle("GET "+pathWhoami, s.whoami)
	handle("GET "+signin.WellKnownPath, s.wellKnown)
}

func remoteOf(r *http.Request) string { return limit.Remote(r) }

// whoami tells a program who it is.
func (s *Service) whoami(w http.ResponseWriter, r *http.Request) {
	c, err := s.Authenticate(r)
	if err != nil {
		Refuse(w, err)
		return
	}
	me := signin.Whoami{User: c.User, Groups: c.Groups, Via: string(c.Via), ExpiresAt: c.ExpiresAt.UTC()}
	s.authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		if user := d.User(c.User); user != nil {
			me.DisplayName = user.Spec.DisplayName
		}
	})
	answer(w, me)
}

// Refuse answers a program whose credentials do not count.
func Refuse(w http.ResponseWriter, err error) {
	if seconds := caller.RetryAfter(err); seconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	} else {
		w.Header().Set("WWW-Authenticate", `Bearer realm="soma"`)
	}
	http.Error(w, err.Error(), caller.Status(err))
}

// wellKnown tells a command line how to sign in. It is for everybody to read.
func (s *Service) wellKnown(w http.ResponseWriter, _ *http.Request) {
	found := signin.Discovery{Gateway: s.config.ExternalURL, Kubernetes: s.config.ExternalURL + KubernetesPath, CA: string(s.ca)}
	for _, one := range s.providers.All() {
		if one.Issuer.CLIClientID == "" {
			continue
		}
		found.Issuers = append(found.Issuers, signin.Issuer{
			Name: one.Issuer.Name, DisplayName: one.Issuer.Title(), URL: one.Issuer.URL, ClientID: one.Issuer.CLIClientID,
			Scopes: one.Issuer.Scopes, CA: string(one.CA),
		})
	}
	answer(w, found)
}

func answer(w http.ResponseWriter, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "the answer could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}
