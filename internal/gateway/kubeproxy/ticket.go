package kubeproxy

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/internal/gateway/caller"
)

const (
	// ticketProtocol before a ticket makes it one of the protocols that a browser names as it opens a WebSocket: it can set no
	// header of its own, and addresses are kept in many places.
	ticketProtocol = "soma.ticket."
	// maxTicketRequest bounds what is read of who wants a ticket.
	maxTicketRequest = 16 << 10
)

// Tickets says who may open a connection from a browser.
type Tickets interface {
	// Issue makes a ticket for a caller's session and an address.
	Issue(c caller.Caller, target string) (ticket string, until time.Time, err error)
	// Redeem takes it, once.
	Redeem(ticket string, c caller.Caller, target string) error
}

var (
	errOtherOrigin = errors.New("a page of another origin asks for a connection")
	errNoTicket    = errors.New("a browser opens a connection to a container with a ticket: POST its path for one, and name it among the protocols as " + ticketProtocol + "TICKET")
)

// ownPage reports whether a page of the gateway's own asks, as a browser says it.
func (p *Proxy) ownPage(r *http.Request) bool {
	return len(r.Header["Origin"]) == 1 && slices.Contains(p.origins, r.Header["Origin"][0])
}

// connects refuses a browser that opens a connection but by a page of our own, with a ticket for it.
func (p *Proxy) connects(x *exchange) *refusal {
	if !p.ownPage(x.request) {
		return refuse(ReasonCrossSite, http.StatusForbidden, metav1.StatusReasonForbidden, "%v", errOtherOrigin)
	}
	ticket, found := ticketOf(x.request.Header)
	if !found || p.tickets == nil {
		return refuse(ReasonTicket, http.StatusForbidden, metav1.StatusReasonForbidden, "%v", errNoTicket)
	}
	if err := p.tickets.Redeem(ticket, x.caller, x.request.RequestURI); err != nil {
		return refuse(ReasonTicket, http.StatusForbidden, metav1.StatusReasonForbidden, "%v", err)
	}
	return nil
}

// ticketOf is the ticket among the protocols that a client names; none where it names several.
func ticketOf(header http.Header) (ticket string, found bool) {
	for _, value := range header[protocolHeader] {
		for protocol := range strings.SplitSeq(value, ",") {
			if one, is := strings.CutPrefix(strings.TrimSpace(protocol), ticketProtocol); is {
				if found {
					return "", false
				}
				ticket, found = one, true
			}
		}
	}
	return ticket, found
}

// TicketHandler answers pages of the gateway's own that want to open a connection: POST {"path": …} with the path and the query that
// the connection will have, for {"ticket": …, "expiresAt": …}.
func (p *Proxy) TicketHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, refused := p.wantsTicket(r)
		if refused != nil {
			refused.write(w)
			return
		}
		var wanted struct {
			Path string `json:"path"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxTicketRequest)).Decode(&wanted); err != nil {
			badRequest(ReasonSize, errors.New(`the body is not {"path": "…"}, or too long`)).write(w)
			return
		}
		if !p.isConnection(wanted.Path) {
			badRequest(ReasonPath, errors.New("the path is none of a connection to a container: exec, attach or portforward of a pod")).write(w)
			return
		}
		ticket, until, err := p.tickets.Issue(c, wanted.Path)
		if err != nil {
			p.log.Error(err, "No ticket was made")
			unavailable().write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		harden(w.Header())
		_ = json.NewEncoder(w).Encode(map[string]any{"ticket": ticket, "expiresAt": until.UTC()}) // who has gone is told nothing
	})
}

// wantsTicket finds who wants a ticket, and refuses whom the browser does not show to be on a page of ours.
func (p *Proxy) wantsTicket(r *http.Request) (caller.Caller, *refusal) {
	if r.Method != http.MethodPost || p.tickets == nil {
		return caller.Caller{}, refuse(ReasonPath, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "tickets are got by POST")
	}
	if !p.ownPage(r) {
		return caller.Caller{}, refuse(ReasonCrossSite, http.StatusForbidden, metav1.StatusReasonForbidden, "%v", errOtherOrigin)
	}
	c, err := p.authenticator.Authenticate(r)
	switch {
	case err != nil:
		return c, unauthenticated(err)
	case c.Via != caller.ViaCookie:
		return c, badRequest(ReasonTicket, errors.New("who comes with a token needs no ticket"))
	case !p.rates.Allow(c.User, p.clock.Now()):
		return c, tooOften(p.limits, 1)
	}
	return c, nil
}

// isConnection reports whether a path with its query is that of a connection to a container.
func (p *Proxy) isConnection(target string) bool {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return false
	}
	r := &http.Request{Method: http.MethodGet, URL: u, RequestURI: target, Header: http.Header{}}
	path, err := pathOf(r, p.prefix)
	if err != nil {
		return false
	}
	a, err := attributesOf(r, path)
	return err == nil && a.connection
}
