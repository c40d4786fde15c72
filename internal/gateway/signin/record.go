package signin

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/audit"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/limit"
)

// Auditor takes what is to be remembered of who came in and who did not. It must not block.
type Auditor interface {
	Record(r audit.Record)
}

// What records tell of, as their verb.
const (
	verbSignIn       = "sign-in"
	verbSignOut      = "sign-out"
	verbAuthenticate = "authenticate"
	// verbFirst is becoming the first administrator, and verbCreate the making of another User.
	verbFirst  = "first-admin"
	verbCreate = "create"
)

// Why somebody did not come in, in a word.
const (
	reasonCredentials = "Credentials" // they do not count
	reasonRate        = "Rate"        // too many sign-ins
	reasonProvider    = "Provider"    // the identity provider's answer does not count, or it knows the person no more
	reasonUnreachable = "Unreachable" // the identity provider does not answer
	reasonUnknown     = "Unknown"     // no User has the identity
	reasonLink        = "Link"        // the link for the first administrator does not count
	reasonUser        = "User"        // the User may not sign in
	reasonUpstream    = "Upstream"    // the API server does not answer as it should
)

// record takes note of something that a request did or wanted; of what is refused, of an address so often only.
func (s *Service) record(r *http.Request, one audit.Record) {
	one.ID, one.At, one.Path, one.Source = uuid.New(), s.clock.Now(), r.URL.Path, limit.Address(r)
	if !one.Allowed && !s.strangers.Allow(limit.Remote(r), one.At) {
		return
	}
	s.audit.Record(one)
}

// refused takes note of a sign-in, or the like, that was refused.
func (s *Service) refused(r *http.Request, verb string, identity v1alpha1.Identity, user string, code int, reason, detail string) {
	s.record(r, audit.Record{
		Verb: verb, User: user, Issuer: identity.Issuer, Subject: identity.Subject, Code: code, Reason: reason, Detail: detail,
	})
}

// recordCaller takes note of what somebody does whose credentials are known.
func (s *Service) recordCaller(r *http.Request, verb string, c *caller.Caller, allowed bool, code int, reason, detail string) {
	s.record(r, audit.Record{
		Verb: verb, User: c.User, Session: c.Session, Via: string(c.Via), Issuer: c.Identity.Issuer, Subject: c.Identity.Subject,
		Allowed: allowed, Code: code, Reason: reason, Detail: detail,
	})
}

// recordUser takes note of a User that was made for who signs in.
func (s *Service) recordUser(r *http.Request, verb string, made *v1alpha1.User, identity v1alpha1.Identity) {
	s.record(r, audit.Record{
		Verb: verb, User: made.Name, Issuer: identity.Issuer, Subject: identity.Subject, Group: v1alpha1.GroupVersion.Group, Resource: "users",
		Name: made.Name, Allowed: true, Code: http.StatusCreated,
	})
}
