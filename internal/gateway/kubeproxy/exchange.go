package kubeproxy

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/soma-platform/soma/internal/gateway/audit"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/limit"
	"github.com/soma-platform/soma/internal/gateway/stream"
)

// exchange is one request and its answer.
type exchange struct {
	proxy      *Proxy
	request    *http.Request
	context    context.Context // of the request, until it is cut or takes too long
	id         uuid.UUID
	began      time.Time
	tap        *stream.Tap
	caller     caller.Caller
	attributes attributes
	stream     *ongoing
	// as is the user for whom the API server is asked; empty is the gateway itself.
	as onBehalf
	// made is the name of what is made, or was to be, which is not in the path.
	made string
	// reason is why the request is refused, if it is.
	reason Reason
}

// answered is called once, when the answer begins.
func (x *exchange) answered(code int) {
	if x.reason == "" && (code == http.StatusForbidden || code == http.StatusUnauthorized || code == http.StatusTooManyRequests) {
		x.reason = ReasonForbidden
	}
	x.proxy.meters.answered(x, code)
	if x.reason != "" || x.attributes.changes() || x.attributes.long || x.attributes.secret() {
		x.record(code)
	}
}

// allowed reports whether nothing was refused. An API server that does not answer refuses nothing.
func (x *exchange) allowed() bool {
	return slices.Contains([]Reason{"", ReasonUpstream}, x.reason)
}

func (x *exchange) record(code int) {
	a := &x.attributes
	record := audit.Record{
		ID: x.id, At: x.proxy.clock.Now(), User: x.caller.User, Session: x.caller.Session, Via: string(x.caller.Via),
		Verb: a.Verb, Group: a.Group, Resource: a.Resource, Subresource: a.Subresource, Namespace: a.Namespace, Name: cmp.Or(a.Name, x.made),
		Allowed: x.allowed(), Code: code, Reason: string(x.reason), Source: limit.Address(x.request), Query: query(x.request),
	}
	if !a.resource {
		record.Path = a.path
	}
	x.proxy.log.V(1).Info("Request", "request", x.id.String(), "user", record.User, "verb", a.Verb, "resource", a.what(), "namespace", a.Namespace,
		"name", record.Name, "code", code, "reason", record.Reason, "source", record.Source)
	if record.User == "" && !x.proxy.strangers.Allow(limit.Remote(x.request), record.At) {
		return
	}
	x.proxy.audit.Record(record)
}

// end takes note of how the exchange ended.
func (x *exchange) end() {
	x.tap.Finish()
	x.proxy.meters.ended(x)
	if x.stream == nil {
		return
	}
	switch cause := context.Cause(x.context); {
	case errors.Is(cause, errRevoked):
		x.reason = ReasonRevoked
	case errors.Is(cause, errExpired):
		x.reason = ReasonExpired
	default:
		return
	}
	x.proxy.meters.cut.WithLabelValues(string(x.reason)).Inc()
	x.record(0)
}
