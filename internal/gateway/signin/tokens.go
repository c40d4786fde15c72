package signin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/limit"
	"github.com/soma-platform/soma/internal/gateway/provider"
)

// knownFor is how long it is kept in mind of a sign-in that a token came from it: for longer than any lasts.
const knownFor = 365 * 24 * time.Hour

// newKnown lets each sign-in be new once. Of more than fit in memory, those are new again of which no token came for longest.
func newKnown() *limit.Limit { return limit.New(knownFor, 1) }

// signInOf names the sign-in that a token is from: all tokens of one have the same, where the provider tells when it was.
func signInOf(uid string, claims *provider.Claims) string {
	return uid + " " + strconv.FormatInt(claims.SignedIn.Unix(), 10) + " " + claims.Identity.Issuer
}

// came takes note of a sign-in at the identity provider itself, as command lines do it, when the first token of it comes here.
func (s *Service) came(r *http.Request, c *caller.Caller, user *v1alpha1.User, claims *provider.Claims) {
	if !s.known.Allow(signInOf(c.UID, claims), s.clock.Now()) {
		return
	}
	at := "at the identity provider, " + claims.SignedIn.UTC().Format(time.RFC3339)
	s.log.Info("signed in", "user", c.User, "session", c.Session, "via", c.Via, "remote", limit.Remote(r), "when", at)
	s.recordCaller(r, verbSignIn, c, true, http.StatusOK, "", at)
	if !stale(&user.Status, claims) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), toldTimeout)
	defer cancel()
	// Rights do not go by it: who comes is let in without.
	if err := s.people.told(ctx, c.User, c.UID, claims); err != nil {
		s.log.Error(err, "when a user signed in was not noted", "user", c.User)
	}
}

// toldTimeout is how long a request may wait for what its answer does not depend on.
const toldTimeout = 2 * time.Second

// stale reports whether a token is from a sign-in so much later than the last that is noted that people are to see it. Where
// providers do not tell when it was, each token looks like one: they make no more writes than browsers do.
func stale(status *v1alpha1.UserStatus, claims *provider.Claims) bool {
	return status.LastSignIn == nil || claims.SignedIn.Sub(status.LastSignIn.Time) >= askAfter
}
