// Package caller says who makes a request of the gateway. It is what the parts of the gateway have in common: sign-in finds
// callers, and whatever is behind the gateway acts for them.
package caller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Via is how a caller showed who they are.
type Via string

// The ways to show it.
const (
	// ViaCookie is a session of a browser.
	ViaCookie Via = "cookie"
	// ViaIDToken is a bearer token of an identity provider, as the command line has it.
	ViaIDToken Via = "id-token"
	// ViaToken is a bearer token of a service account.
	ViaToken Via = "token"
)

// Caller is who makes a request, found from a session cookie or a bearer token and checked against the User at this moment.
type Caller struct {
	// User is the name of the User, without the prefix that it has for Kubernetes.
	User string
	// UID of the User: another one of the same name is somebody else.
	UID string
	// Groups as the identity provider told them when the person last signed in. A service account has none.
	Groups []string
	// Identity by which the identity provider knows the person. A service account has none.
	Identity v1alpha1.Identity
	// Session names what the caller came with among what the user has: a session, or a token. It is no secret.
	Session string
	// TokenID is the id of a service account's token among those of the User; empty otherwise.
	TokenID string
	// IssuedAt and ExpiresAt bound the time in which it counts. A token of a service account has no IssuedAt.
	IssuedAt, ExpiresAt time.Time
	// LastsUntil, where it is later, is until when goes on what was opened before ExpiresAt: a stream needs no newer token, as
	// long as the sign-in that the token is from would count.
	LastsUntil time.Time
	// Scope bounds what is allowed to less than the user may. Nil is no bound.
	Scope []v1alpha1.Permission
	Via   Via
}

// StreamsEnd is when ends what the caller has opened, at the latest.
func (c *Caller) StreamsEnd() time.Time {
	if c.LastsUntil.After(c.ExpiresAt) {
		return c.LastsUntil
	}
	return c.ExpiresAt
}

// ErrNone is the error for a request that comes with no credentials.
var ErrNone = errors.New("no credentials")

// ErrRefused is what a client is told of credentials that do not count, whatever is wrong with them. Why is in the log.
var ErrRefused = errors.New("the credentials are not accepted: sign in again")

// Barred is the error for credentials that are good and are their owner's, who may not come in all the same: it is told to them,
// as it tells nothing but of themselves.
type Barred struct {
	// Why they may not, and what to Do about it.
	Why, Do string
}

// Error says both.
func (b *Barred) Error() string { return b.Why + ": " + b.Do }

// Unknown is for an identity that no User has.
func Unknown(identity v1alpha1.Identity) *Barred {
	return &Barred{
		Why: fmt.Sprintf("no User has your identity, issuer %q and subject %q", identity.Issuer, identity.Subject),
		Do:  "send both to an administrator, who can make one",
	}
}

// Inactive is for a User who is disabled, or goes, or for whom nobody answers any more.
func Inactive(user *v1alpha1.User) *Barred {
	why := fmt.Sprintf("the User %s is a service account, and %s, who answers for it, is disabled or gone", user.Name, user.Spec.Owner)
	switch {
	case user.IsDisabled():
		why = fmt.Sprintf("the User %s is disabled", user.Name)
	case user.DeletionTimestamp != nil:
		why = fmt.Sprintf("the User %s is being deleted", user.Name)
	}
	return &Barred{Why: why, Do: "ask an administrator"}
}

// ErrTooMany is what a client is told that tried too often with credentials that nobody could have given it.
var ErrTooMany = errors.New("too many attempts that failed: wait a minute")

// ErrUnavailable is what a client is told whose credentials may count, but not what goes with them.
var ErrUnavailable = errors.New("the cluster does not answer as it should: try again in a moment")

// ErrUnreachable is what a client is told whose token cannot be looked at, as the keys for it are not known yet.
var ErrUnreachable = errors.New("the identity provider does not answer: try again in a moment")

// Status is the status of HTTP for an error of an Authenticator.
func Status(err error) int {
	switch {
	case errors.Is(err, ErrTooMany):
		return http.StatusTooManyRequests
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrUnreachable):
		return http.StatusServiceUnavailable
	}
	return http.StatusUnauthorized
}

// RetryAfter is after how many seconds to come again with an error of an Authenticator. It is 0 where that does not help.
func RetryAfter(err error) int {
	switch Status(err) {
	case http.StatusTooManyRequests:
		return 60
	case http.StatusServiceUnavailable:
		return 5
	}
	return 0
}

// Authenticator finds the caller of a request.
type Authenticator interface {
	// Authenticate returns ErrNone where a request has no credentials, ErrRefused or ErrTooMany where they do not count, a Barred
	// where who has them may not come in, and ErrUnavailable or ErrUnreachable where that cannot be said. A request with a bearer token is judged by that alone: its cookies do not count.
	Authenticate(r *http.Request) (Caller, error)
	// StillValid reports whether what a caller opened who was found before may go on. Streams ask it again and again.
	StillValid(c Caller) bool
}

type key struct{}

// With returns a context that carries a caller.
func With(ctx context.Context, c Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// From is the caller that a context carries.
func From(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(key{}).(Caller)
	return c, ok
}
