package kubeproxy

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/soma-platform/soma/internal/gateway/audit"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/limit"
)

// exchange is one request and its answer.
type exchange struct {
	proxy      *Proxy
	request    *http.Request
	context    context.Context // of the request, until it is cut or takes too long
	id         uuid.UUID
	began      time.Time
	tap        *tap
	caller     caller.Caller
	attributes attributes
	stream     *stream
	// as is the user for whom the API server is asked; empty is the gateway itself.
	as string
	// reason is why the request is refused, if it is.
	reason Reason
}

// answered is called once, when the answer begins.
func (x *exchange) answered(code int) {
	if x.reason == "" && (code == http.StatusForbidden || code == http.StatusUnauthorized || code == http.StatusTooManyRequests) {
		x.reason = ReasonForbidden
	}
	x.proxy.meters.answered(x, code)
	if x.reason != "" || x.attributes.changes() || x.attributes.long {
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
		Verb: a.Verb, Group: a.Group, Resource: a.Resource, Subresource: a.Subresource, Namespace: a.Namespace, Name: a.Name,
		Allowed: x.allowed(), Code: code, Reason: string(x.reason), Source: source(x.request), Query: query(x.request),
	}
	if !a.resource {
		record.Path = a.path
	}
	x.proxy.log.V(1).Info("Request", "request", x.id.String(), "user", record.User, "verb", a.Verb, "resource", a.what(), "namespace", a.Namespace,
		"name", a.Name, "code", code, "reason", record.Reason, "source", record.Source)
	if record.User == "" && !x.proxy.strangers.Allow(limit.Remote(x.request), record.At) {
		return
	}
	x.proxy.audit.Record(record)
}

// end takes note of how the exchange ended.
func (x *exchange) end() {
	x.tap.finish()
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

// source is the address that a request comes from.
func source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// tap sees what is answered, and can end an answer that nobody reads.
type tap struct {
	http.ResponseWriter
	answered func(code int)

	mu       sync.Mutex
	begun    bool
	finished bool
	hijacked net.Conn
}

// Unwrap lets http.ResponseController find what the writer can do.
func (t *tap) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *tap) begin(code int) {
	if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols {
		return
	}
	t.mu.Lock()
	first := !t.begun
	t.begun = true
	t.mu.Unlock()
	if first {
		t.answered(code)
	}
}

// WriteHeader begins the answer.
func (t *tap) WriteHeader(code int) {
	t.begin(code)
	t.ResponseWriter.WriteHeader(code)
}

// Write goes on with the answer.
func (t *tap) Write(data []byte) (int, error) {
	t.begin(http.StatusOK)
	return t.ResponseWriter.Write(data)
}

// FlushError sends what was written.
func (t *tap) FlushError() error { return http.NewResponseController(t.ResponseWriter).Flush() }

// Hijack gives the connection to whoever goes on with another protocol.
func (t *tap) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	t.mu.Lock()
	t.hijacked = conn
	t.mu.Unlock()
	t.begin(http.StatusSwitchingProtocols)
	return conn, buffered, nil
}

// sever ends the answer wherever it is, also where it waits for a client that does not read.
func (t *tap) sever() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.finished:
	case t.hijacked != nil:
		_ = t.hijacked.Close() // it may be closed already
	default:
		// A writer without deadlines is not one of net/http: nothing would wait on it.
		_ = http.NewResponseController(t.ResponseWriter).SetWriteDeadline(time.Unix(1, 0))
	}
}

// finish keeps what comes too late from the connection, which may be about something else by then.
func (t *tap) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.finished = true
}
