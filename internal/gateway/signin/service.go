// Package signin lets people into the gateway and says who calls it: with a session of a browser, with a token of an identity
// provider, or with one of a service account. It stores no sessions. What it knows of users it reads and writes as objects.
package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/singleflight"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/config"
	"github.com/soma-platform/soma/internal/gateway/limit"
	"github.com/soma-platform/soma/internal/gateway/provider"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/token"
)

// The bounds of what may be tried.
const (
	// Sign-ins of one address, and of one user.
	signInEvery, signInBurst = 2 * time.Second, 60
	userEvery, userBurst     = 5 * time.Second, 20
	// Tokens of one address that nobody has given.
	failureEvery, failureBurst = 2 * time.Second, 30
)

// resealAfter is how old a cookie becomes before it is made anew, and askAfter how long the identity provider is not asked.
const (
	resealAfter = 5 * time.Minute
	askAfter    = 15 * time.Minute
)

// Options are what sign-in needs.
type Options struct {
	Config    *config.Config
	Keys      *session.Keys
	Authority *authority.Authority
	// Client reads from the API server itself.
	Client client.Client
	// Namespace that Soma itself runs in.
	Namespace string
	Audit     Auditor
	Clock     clock.PassiveClock
	Log       logr.Logger
}

// Service signs in and authenticates.
type Service struct {
	config    *config.Config
	keys      *session.Keys
	authority *authority.Authority
	providers *provider.Providers
	people    people
	first     First
	audit     Auditor
	clock     clock.PassiveClock
	log       logr.Logger
	ca        []byte
	asked     *asked
	noting    singleflight.Group

	signIns, userSignIns, failures, strangers *limit.Limit
	// known are the sign-ins of command lines that tokens came from.
	known *limit.Limit
}

// New makes the service. No identity provider is asked yet.
func New(o Options) (*Service, error) {
	if o.Audit == nil {
		return nil, errors.New("there is no audit log")
	}
	providers, err := provider.New(o.Config, o.Clock.Now)
	if err != nil {
		return nil, err
	}
	ca, err := o.Config.CA()
	if err != nil {
		return nil, err
	}
	return &Service{
		config: o.Config, keys: o.Keys, authority: o.Authority, providers: providers,
		people: people{client: o.Client, providers: providers, now: o.Clock.Now},
		first:  First{Client: o.Client, Namespace: o.Namespace, Now: o.Clock.Now},
		audit:  o.Audit, clock: o.Clock, log: o.Log, ca: ca, asked: newAsked(),
		signIns: limit.New(signInEvery, signInBurst), userSignIns: limit.New(userEvery, userBurst),
		failures: limit.New(failureEvery, failureBurst), strangers: limit.Strangers(), known: newKnown(),
	}, nil
}

// errUnbelieved is for credentials that nobody can have given: they count as an attempt.
var errUnbelieved = errors.New("it is not believed")

// Authenticate finds the caller of a request.
func (s *Service) Authenticate(r *http.Request) (caller.Caller, error) {
	found, err := s.find(r)
	if err == nil {
		err = s.refusal(found)
	}
	switch {
	case err == nil:
		return found, nil
	case errors.Is(err, caller.ErrNone):
		return caller.Caller{}, err
	case errors.Is(err, caller.ErrUnavailable):
		s.log.Error(err, "a request was not answered", "user", found.User)
		return caller.Caller{}, caller.ErrUnavailable
	case errors.Is(err, provider.ErrUnreachable):
		s.log.Error(err, "a token cannot be looked at", "remote", limit.Remote(r))
		return caller.Caller{}, caller.ErrUnreachable
	case errors.Is(err, errUnbelieved) && !s.failures.Allow(limit.Remote(r), s.clock.Now()):
		// Good tokens are taken all the same: others can have the same address.
		return caller.Caller{}, caller.ErrTooMany
	}
	s.log.Info("credentials refused", "why", err.Error(), "user", found.User, "via", found.Via, "remote", limit.Remote(r))
	s.recordCaller(r, verbAuthenticate, &found, false, http.StatusUnauthorized, reasonCredentials, err.Error())
	if barred := (*caller.Barred)(nil); errors.As(err, &barred) {
		return caller.Caller{}, barred
	}
	return caller.Caller{}, caller.ErrRefused
}

// StillValid reports whether what a caller opened who was found before may go on.
func (s *Service) StillValid(c caller.Caller) bool {
	c.ExpiresAt = c.StreamsEnd()
	return s.refusal(c) == nil
}

// refusal says why a caller does not count now. While it is not known who there is, nobody does.
func (s *Service) refusal(c caller.Caller) (err error) {
	if !s.authority.Synced() {
		return errors.New("users are not known yet")
	}
	s.authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) { err = refusal(d, c, s.clock.Now()) })
	return err
}

// find reads who a request is from, before it is seen whether that counts.
func (s *Service) find(r *http.Request) (caller.Caller, error) {
	switch headers := r.Header["Authorization"]; {
	case len(headers) > 1:
		return caller.Caller{}, errors.New("the request has several Authorization headers")
	case len(headers) == 1:
		scheme, raw, _ := strings.Cut(headers[0], " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return caller.Caller{}, errors.New("the request has an Authorization header without a bearer token")
		}
		return s.bearer(r, strings.TrimSpace(raw))
	}
	kept, found, err := s.session(r)
	switch {
	case err != nil:
		return s.ofSession(kept), err
	case !found:
		return caller.Caller{}, caller.ErrNone
	}
	return s.ofSession(kept), nil
}

// session is the session that a request comes with, as long as it is not too long ago that it was used. One that is over is
// returned with why.
func (s *Service) session(r *http.Request) (session.Session, bool, error) {
	kept, found, err := s.keys.Get(r)
	if err != nil || !found {
		return session.Session{}, false, err
	}
	now := s.clock.Now()
	switch {
	case now.Sub(kept.Sealed) > s.config.SessionIdle.Duration:
		return kept, false, errors.New("the session was not used for long")
	case now.Sub(kept.SignedIn) > s.config.SessionLifetime.Duration, kept.Sealed.After(now.Add(time.Minute)):
		return kept, false, errors.New("the session has expired, or is from the future")
	}
	return kept, true, nil
}

// ofSession is the caller that a session is for.
func (s *Service) ofSession(kept session.Session) caller.Caller {
	c := caller.Caller{
		User: kept.User, UID: kept.UID, Session: kept.ID, IssuedAt: kept.SignedIn, ExpiresAt: kept.Ends, Via: caller.ViaCookie,
	}
	c.Identity.Issuer, c.Identity.Subject = kept.Issuer, kept.Subject
	c.Groups = s.groups(c.User)
	return c
}

// groups are those of a user as they are known now.
func (s *Service) groups(name string) (groups []string) {
	s.authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		if user := d.User(name); user != nil {
			groups = user.Status.Groups
		}
	})
	return groups
}

// bearer finds whose a bearer token is.
func (s *Service) bearer(r *http.Request, raw string) (found caller.Caller, err error) {
	if token.Is(raw) {
		s.authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) { found, err = ofToken(d, raw) })
		if err != nil {
			return found, fmt.Errorf("%w: %w", errUnbelieved, err)
		}
		return found, nil
	}
	issuer := s.providers.OfToken(raw)
	if issuer == nil || issuer.Issuer.CLIClientID == "" {
		return found, fmt.Errorf("%w: it is no token of a provider whose tokens are taken", errUnbelieved)
	}
	claims, err := issuer.Verify(r.Context(), raw, issuer.Issuer.CLIClientID)
	switch {
	case errors.Is(err, provider.ErrUnreachable), errors.Is(err, provider.ErrExpired):
		return found, err
	case err != nil:
		return found, fmt.Errorf("%w: %w", errUnbelieved, err)
	}
	found = caller.Caller{
		Identity: claims.Identity, IssuedAt: claims.SignedIn, ExpiresAt: claims.Expires,
		LastsUntil: claims.SignedIn.Add(s.config.SessionLifetime.Duration), Via: caller.ViaIDToken,
	}
	// What is signed names the token: the signature itself can be written in more than one way.
	signed := raw[:strings.LastIndexByte(raw, '.')]
	found.Session = session.ID(found.StreamsEnd(), hashOf(signed)[:32])
	user := s.byIdentity(claims.Identity)
	if user == nil {
		return found, caller.Unknown(claims.Identity)
	}
	found.User, found.UID = user.Name, string(user.UID)
	if found, err = s.withGroups(r.Context(), found, user, &claims); err == nil {
		s.came(r, &found, user, &claims)
	}
	return found, err
}

// withGroups is a caller with the groups that are noted once what the token says is. What does not count anyway changes nothing.
func (s *Service) withGroups(ctx context.Context, c caller.Caller, user *v1alpha1.User, claims *provider.Claims) (caller.Caller, error) {
	if err := s.refusal(c); err != nil {
		return c, err
	}
	if err := s.note(ctx, user, claims); err != nil {
		return c, fmt.Errorf("%w: %w", caller.ErrUnavailable, err)
	}
	c.Groups = s.groups(c.User)
	return c, nil
}
