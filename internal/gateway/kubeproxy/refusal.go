package kubeproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/signin"
)

// Reason says in a word why the gateway refused a request or ended a stream. Records and metrics have it.
type Reason string

// The reasons.
const (
	ReasonPath            Reason = "Path"            // the path could be read in more than one way, or is not served
	ReasonSize            Reason = "Size"            // headers or body are too large
	ReasonUnauthenticated Reason = "Unauthenticated" // who calls is not known
	ReasonCrossSite       Reason = "CrossSite"       // a page of another origin has the browser ask
	ReasonTicket          Reason = "Ticket"          // a browser opens a connection without a ticket for it
	ReasonRate            Reason = "Rate"            // too many requests, or too many streams
	ReasonScope           Reason = "Scope"           // the token is not for this
	ReasonImpersonation   Reason = "Impersonation"   // the client asks to be taken for somebody else
	ReasonUpgrade         Reason = "Upgrade"         // a protocol that is not spoken here
	ReasonForbidden       Reason = "Forbidden"       // the API server refuses the user
	ReasonHidden          Reason = "Hidden"          // the user may not know of it: the answer is as if it did not exist
	ReasonRevoked         Reason = "Revoked"         // what was allowed when the stream began is no longer
	ReasonExpired         Reason = "Expired"         // the session or the token has ended
	ReasonUpstream        Reason = "Upstream"        // the API server does not answer, or not in time
)

// errImpersonation answers who would be another, in words for who does not know what headers a client sends.
var errImpersonation = errors.New("the gateway takes nobody for somebody else: leave out --as and what else impersonates. " +
	"What another user may do, `soma can-i --user` tells, and an AccessReview with spec.user")

// refusal is an answer of the gateway's own in place of the API server's.
type refusal struct {
	reason Reason
	status metav1.Status
}

func (r *refusal) Error() string { return r.status.Message }

func refuse(reason Reason, code int, why metav1.StatusReason, format string, args ...any) *refusal {
	return &refusal{reason: reason, status: metav1.Status{
		Status: metav1.StatusFailure, Code: int32(code), Reason: why, Message: fmt.Sprintf(format, args...),
	}}
}

func badRequest(reason Reason, err error) *refusal {
	return refuse(reason, http.StatusBadRequest, metav1.StatusReasonBadRequest, "%v", err)
}

// unauthenticated answers whoever is not known. All are told the same, whatever was wrong with what they came with; but who came
// with what is good, and is barred, is told that.
func unauthenticated(err error) *refusal {
	switch caller.Status(err) {
	case http.StatusTooManyRequests:
		return tooMany(caller.RetryAfter(err), "%v", err)
	case http.StatusServiceUnavailable:
		r := refuse(ReasonUpstream, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "%v", err)
		r.status.Details = &metav1.StatusDetails{RetryAfterSeconds: int32(caller.RetryAfter(err))}
		return r
	}
	if barred := (*caller.Barred)(nil); errors.As(err, &barred) {
		r := refuse(ReasonUnauthenticated, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "%v", barred)
		r.status.Details = &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: signin.CauseBarred, Message: barred.Why}}}
		return r
	}
	if !errors.Is(err, caller.ErrNone) {
		err = caller.ErrRefused
	}
	return refuse(ReasonUnauthenticated, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "%v", err)
}

// tooMany asks to come again after some seconds.
func tooMany(seconds int, format string, args ...any) *refusal {
	r := refuse(ReasonRate, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, format, args...)
	r.status.Details = &metav1.StatusDetails{RetryAfterSeconds: int32(seconds)}
	return r
}

// tooOften answers who asks for more than the limit over time.
func tooOften(l Limits, cost int) *refusal {
	seconds := l.after(cost)
	return tooMany(seconds, "more than %v requests in a second: try again in %d s", l.PerSecond, seconds)
}

// absent answers as for what does not exist.
func absent(a *attributes) *refusal {
	resource := schema.GroupResource{Group: a.Group, Resource: a.Resource}
	return &refusal{reason: ReasonHidden, status: apierrors.NewNotFound(resource, a.Name).Status()}
}

// outOfScope answers who comes with a token that is not for this. It tells what the token would have to be for where that is
// known and tells nothing of what there is.
func outOfScope(a *attributes, target access.Target, level access.Level, known bool) *refusal {
	if !known {
		return refuse(ReasonScope, http.StatusForbidden, metav1.StatusReasonForbidden,
			"the token is for certain addresses alone, and does not allow to %s %s", a.Verb, a.what())
	}
	return refuse(ReasonScope, http.StatusForbidden, metav1.StatusReasonForbidden,
		"the token does not allow to %s %s: that needs %s on %s", a.Verb, a.what(), level.Action(), target)
}

// what names the kind that a request is about.
func (a *attributes) what() string {
	switch {
	case !a.resource:
		return a.path
	case a.Subresource != "":
		return a.Resource + "/" + a.Subresource
	}
	return a.Resource
}

// write answers with the refusal, as an API server would.
func (r *refusal) write(w http.ResponseWriter) {
	r.status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	body, err := json.Marshal(&r.status)
	if err != nil {
		// A status always encodes.
		body = nil
	}
	header := w.Header()
	harden(header)
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-cache, private")
	if details := r.status.Details; details != nil && details.RetryAfterSeconds > 0 {
		header.Set("Retry-After", strconv.Itoa(int(details.RetryAfterSeconds)))
	}
	if r.status.Code == http.StatusUnauthorized {
		header.Set("Www-Authenticate", "Bearer")
	}
	w.WriteHeader(int(r.status.Code))
	_, _ = w.Write(append(body, '\n')) // who has gone is told nothing
}
