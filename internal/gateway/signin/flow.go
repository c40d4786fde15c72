package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/limit"
	"github.com/soma-platform/soma/internal/gateway/provider"
	"github.com/soma-platform/soma/internal/gateway/session"
)

const (
	// signInLifetime is how long somebody may take at the identity provider.
	signInLifetime = 10 * time.Minute
	// finishTimeout bounds what is done once they came back.
	finishTimeout = 20 * time.Second
	// knownTimeout is how long it may take until a User that was just made is known.
	knownTimeout  = 5 * time.Second
	knownInterval = 20 * time.Millisecond
	// maxParameter bounds what an identity provider sends along.
	maxParameter = 4096
)

// redirectURI is where identity providers send browsers back to: this one address, exactly.
func (s *Service) redirectURI() string { return s.config.ExternalURL + pathCallback }

// start sends a browser to an identity provider. What the answer has to match is kept in the browser, sealed.
func (s *Service) start(w http.ResponseWriter, r *http.Request) {
	if !s.signIns.Allow(limit.Remote(r), s.clock.Now()) {
		s.tooMany(w)
		return
	}
	query := r.URL.Query()
	issuer := s.providers.ByName(query.Get("issuer"))
	if issuer == nil {
		s.fail(w, http.StatusNotFound, "There is no such identity provider", "Begin again at the sign-in page.")
		return
	}
	flow := session.SignIn{
		Issuer: issuer.Issuer.URL, State: rand.Text() + rand.Text(), Nonce: rand.Text() + rand.Text(),
		Verifier: oauth2.GenerateVerifier(), Next: safeNext(query.Get("next")), Begun: s.clock.Now(),
	}
	if flow.First = query.Get("token"); len(flow.First) > 2*firstBytes {
		flow.First = ""
	}
	//nolint:contextcheck // what is found out of a provider is for all who ask
	to, err := issuer.SignInURL(s.redirectURI(), flow.State, flow.Nonce, flow.Verifier)
	if err != nil {
		s.log.Error(err, "an identity provider cannot be asked", "issuer", issuer.Issuer.URL)
		s.fail(w, http.StatusBadGateway, issuer.Issuer.Title()+" does not answer", "Nobody can sign in with it for the moment; who is signed in stays so. Try again later, or tell an administrator.")
		return
	}
	if err := s.keys.PutSignIn(w, flow, signInLifetime); err != nil {
		s.log.Error(err, "a sign-in was not begun")
		s.fail(w, http.StatusBadRequest, "The sign-in could not be begun", "Begin again at the sign-in page.")
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // the address is the identity provider's own
}

// callback is where an identity provider sends a browser back to.
func (s *Service) callback(w http.ResponseWriter, r *http.Request) {
	if !s.signIns.Allow(limit.Remote(r), s.clock.Now()) {
		s.refused(r, verbSignIn, v1alpha1.Identity{}, "", http.StatusTooManyRequests, reasonRate, "")
		s.tooMany(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), finishTimeout)
	defer cancel()
	flow, found, err := s.keys.TakeSignIn(w, r)
	if err != nil || !found {
		s.refused(r, verbSignIn, v1alpha1.Identity{}, "", http.StatusBadRequest, reasonProvider, "the sign-in was not begun in this browser")
		s.fail(w, http.StatusBadRequest, "This sign-in was not begun in this browser", "It may have taken too long, or was finished already. Begin again.")
		return
	}
	tokens, err := s.answered(ctx, flow, r.URL.Query())
	if err != nil {
		s.log.Info("sign-in refused", "why", err.Error(), "issuer", flow.Issuer, "remote", limit.Remote(r))
		status, reason := http.StatusBadRequest, reasonProvider
		if errors.Is(err, provider.ErrUnreachable) {
			status, reason = http.StatusBadGateway, reasonUnreachable
		}
		s.refused(r, verbSignIn, v1alpha1.Identity{Issuer: flow.Issuer}, "", status, reason, err.Error())
		s.fail(w, status, "The sign-in did not succeed", "Begin again. If it fails again, tell an administrator when that was.")
		return
	}
	s.finish(ctx, w, r, flow, tokens)
}

// answered checks what an identity provider answered against what was asked, and gets the tokens.
func (s *Service) answered(ctx context.Context, flow session.SignIn, query url.Values) (provider.Tokens, error) {
	for name, values := range query {
		if len(values) != 1 || len(values[0]) > maxParameter {
			return provider.Tokens{}, fmt.Errorf("the answer has the parameter %q twice, or too long", name[:min(len(name), 32)])
		}
	}
	issuer := s.providers.ByURL(flow.Issuer)
	switch {
	case issuer == nil:
		return provider.Tokens{}, errors.New("the identity provider is not configured any more")
	case s.clock.Since(flow.Begun) > signInLifetime:
		return provider.Tokens{}, errors.New("the sign-in was begun too long ago")
	case subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(flow.State)) != 1:
		return provider.Tokens{}, errors.New("the answer is to another sign-in: its state is not ours")
	case query.Has("iss") && query.Get("iss") != flow.Issuer:
		return provider.Tokens{}, errors.New("the answer is from another identity provider")
	case query.Has("error"):
		code := query.Get("error")
		return provider.Tokens{}, fmt.Errorf("the identity provider says %q", code[:min(len(code), 64)])
	case query.Get("code") == "":
		return provider.Tokens{}, errors.New("the answer has no code")
	}
	return issuer.Exchange(ctx, s.redirectURI(), query.Get("code"), flow.Nonce, flow.Verifier)
}

// finish gives somebody who showed who they are a session, if they are a User.
func (s *Service) finish(ctx context.Context, w http.ResponseWriter, r *http.Request, flow session.SignIn, tokens provider.Tokens) {
	claims := tokens.Claims
	user, err := s.userOf(ctx, r, flow, claims)
	switch {
	case errors.Is(err, errFirst), errors.Is(err, ErrAdministered), errors.Is(err, errKnownAlready):
		s.refused(r, verbFirst, claims.Identity, "", http.StatusForbidden, reasonLink, err.Error())
		s.fail(w, http.StatusForbidden, "Nobody is made an administrator", err.Error())
		return
	case err != nil:
		s.log.Error(err, "a User was not made", "issuer", claims.Identity.Issuer, "subject", claims.Identity.Subject)
		s.refused(r, verbSignIn, claims.Identity, "", http.StatusServiceUnavailable, reasonUpstream, "")
		s.fail(w, http.StatusServiceUnavailable, "The sign-in could not be finished", "The cluster does not answer as it should. Try again in a moment.")
		return
	case user == nil:
		s.log.Info("sign-in by nobody's identity", "issuer", claims.Identity.Issuer, "subject", claims.Identity.Subject, "remote", limit.Remote(r))
		s.refused(r, verbSignIn, claims.Identity, "", http.StatusForbidden, reasonUnknown, "")
		s.unknown(w, claims)
		return
	}
	now := s.clock.Now()
	if !s.userSignIns.Allow(user.Name, now) {
		s.refused(r, verbSignIn, claims.Identity, user.Name, http.StatusTooManyRequests, reasonRate, "")
		s.tooMany(w)
		return
	}
	kept := session.Session{
		User: user.Name, UID: string(user.UID), Issuer: claims.Identity.Issuer, Subject: claims.Identity.Subject,
		SignedIn: now, Ends: now.Add(s.config.SessionLifetime.Duration), Sealed: now, Asked: now, Refresh: tokens.Refresh,
	}
	kept.ID = session.NewID(kept.Ends)
	c := s.ofSession(kept)
	if err := s.refusal(c); err != nil {
		s.log.Info("sign-in refused", "why", err.Error(), "user", user.Name, "remote", limit.Remote(r))
		s.refused(r, verbSignIn, claims.Identity, user.Name, http.StatusForbidden, reasonUser, err.Error())
		why := err.Error()
		if barred := (*caller.Barred)(nil); errors.As(err, &barred) {
			why = barred.Why
		}
		s.fail(w, http.StatusForbidden, "You cannot sign in", why+". Ask an administrator.")
		return
	}
	if claims.MoreGroups > 0 {
		s.log.Info("groups left out", "user", user.Name, "more", claims.MoreGroups)
	}
	if err := s.people.told(ctx, user.Name, string(user.UID), &claims); err != nil {
		s.log.Error(err, "a sign-in was not noted", "user", user.Name)
		s.refused(r, verbSignIn, claims.Identity, user.Name, http.StatusServiceUnavailable, reasonUpstream, "")
		s.fail(w, http.StatusServiceUnavailable, "The sign-in could not be finished", "The cluster does not answer as it should. Try again in a moment.")
		return
	}
	if err := s.keys.Put(w, kept); err != nil {
		s.log.Error(err, "a session was not made", "user", user.Name)
		s.fail(w, http.StatusInternalServerError, "The sign-in could not be finished", "Tell an administrator when that was.")
		return
	}
	if err := s.keys.PutHint(w, pathSignOut, tokens.ID, s.config.SessionLifetime.Duration); err != nil {
		s.log.Error(err, "the provider will have to ask who signs out", "user", user.Name)
	}
	s.log.Info("signed in", "user", user.Name, "session", kept.ID, "remote", limit.Remote(r))
	s.recordCaller(r, verbSignIn, &c, true, http.StatusSeeOther, "", "")
	http.Redirect(w, r, safeNext(flow.Next), http.StatusSeeOther)
}

// errKnownAlready is for who would become the first administrator and is a User already.
var errKnownAlready = errors.New("you are a User already: give this User the role " + AdminRole + " with kubectl, as who installed Soma")

// userOf is the User who has the identity: nil where there is none, and none is to be made.
func (s *Service) userOf(ctx context.Context, r *http.Request, flow session.SignIn, claims provider.Claims) (*v1alpha1.User, error) {
	user := s.byIdentity(claims.Identity)
	switch {
	case flow.First != "" && user != nil:
		return nil, errKnownAlready
	case flow.First != "":
		name, err := s.first.claim(ctx, flow.First)
		if err != nil {
			return nil, err
		}
		made, err := s.people.create(ctx, claims, name, []v1alpha1.HeldRole{{Role: AdminRole}})
		if err != nil {
			return nil, err
		}
		s.log.Info("first administrator made", "user", made.Name, "issuer", claims.Identity.Issuer, "subject", claims.Identity.Subject)
		s.recordUser(r, verbFirst, made, claims.Identity)
		return made, s.waitFor(ctx, claims.Identity)
	case user != nil || !s.config.CreateUsers:
		return user, nil
	}
	if claimed := s.claimed(claims.Identity); claimed {
		return nil, nil
	}
	made, err := s.people.create(ctx, claims, "", nil)
	if err != nil {
		return nil, err
	}
	s.log.Info("user made", "user", made.Name, "issuer", claims.Identity.Issuer, "subject", claims.Identity.Subject)
	s.recordUser(r, verbCreate, made, claims.Identity)
	return made, s.waitFor(ctx, claims.Identity)
}

func (s *Service) byIdentity(identity v1alpha1.Identity) (user *v1alpha1.User) {
	s.authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		if name, found := d.ByIdentity(identity); found {
			user = d.User(name)
		}
	})
	return user
}

// claimed reports whether several users claim an identity, so that none has it.
func (s *Service) claimed(identity v1alpha1.Identity) (claimed bool) {
	s.authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		for _, name := range d.Users() {
			for _, one := range d.User(name).Spec.Identities {
				claimed = claimed || one == identity
			}
		}
	})
	return claimed
}

// waitFor waits until a User that was just made is known.
func (s *Service) waitFor(ctx context.Context, identity v1alpha1.Identity) error {
	return wait.PollUntilContextTimeout(ctx, knownInterval, knownTimeout, true, func(context.Context) (bool, error) {
		return s.byIdentity(identity) != nil, nil
	})
}
