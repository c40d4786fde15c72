package jobpages

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/audit"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/limit"
)

const (
	// verbVisit is looking at a page, as the verb of a record.
	verbVisit = "visit"
	// reasonHidden is why somebody may not see a page: they are told that there is none.
	reasonHidden = "Hidden"
	// visitInterval is for how long requests of one session or token to one page are one visit.
	visitInterval = 5 * time.Minute
)

// Auditor takes what is to be remembered of who looked at which page. It must not block.
type Auditor interface {
	Record(r audit.Record)
}

// newVisits bounds how often it is recorded that somebody looks at a page: once in an interval.
func newVisits() *limit.Limit { return limit.New(visitInterval, 1) }

// recordAsked takes note of a request with a token, and of one that is refused to somebody who is known. That a browser looks was
// recorded when it came by the gateway.
func (s *Service) recordAsked(j judged) {
	code, told := map[answer]int{allow: http.StatusOK, waiting: http.StatusServiceUnavailable, absent: http.StatusNotFound}[j.answer]
	if !j.known || !told || j.answer != absent && j.who.Via == caller.ViaCookie {
		return
	}
	page := Page{}
	if j.page != nil {
		page = *j.page
	}
	s.recordVisit(j.who, j.request.host, page, code, j.request.source)
}

// recordVisit takes note that somebody looks at the page on a host, or that they may not, which is the answer that there is none,
// unless it is the same visit still. The page is empty where there is none.
func (s *Service) recordVisit(who caller.Caller, host string, page Page, code int, source string) {
	allowed := code != http.StatusNotFound
	key, now := who.User+" "+who.Session+" "+host, s.Clock.Now()
	if allowed {
		key += " allowed"
	}
	if !s.visits.Allow(key, now) {
		return
	}
	one := audit.Record{
		ID: uuid.New(), At: now, Verb: verbVisit, User: who.User, Session: who.Session, Via: string(who.Via), Path: "//" + host,
		Issuer: who.Identity.Issuer, Subject: who.Identity.Subject, Allowed: allowed, Code: code,
	}
	if !allowed {
		one.Reason = reasonHidden
	}
	if page.Job != nil {
		one.Group, one.Resource, one.Namespace, one.Name = v1alpha1.GroupVersion.Group, "jobs", page.Job.Namespace, page.Job.Name
	}
	// Of what comes by the gateway itself the proxy's address alone is known.
	if from, err := netip.ParseAddrPort(source); err == nil {
		one.Source = from.Addr().String()
	}
	s.Audit.Record(one)
}
