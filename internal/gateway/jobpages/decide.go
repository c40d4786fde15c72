package jobpages

import (
	"net/http"
	"slices"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// answer is what becomes of a request for a page.
type answer int

const (
	// The zero answer refuses: what is not known is not allowed.
	_ answer = iota
	// allow lets the request through to the job.
	allow
	// signIn sends a browser to the gateway to sign in.
	signIn
	// unauthorized tells a program that it needs a token.
	unauthorized
	// absent is the answer both where there is no page and where the caller may not see it.
	absent
	// waiting is the answer for who may see the page of a job that does not run.
	waiting
	// crossSite is the answer to what the page of another site does with the cookie of this.
	crossSite
)

// question is all on which the answer depends.
type question struct {
	// Page that is asked for, if there is one.
	Page *Page
	// Known is true for a caller who showed who they are; Tree is what they may do.
	Known bool
	Tree  *access.Tree
	// ByCookie: they showed it by a cookie, which a browser sends without being asked to.
	ByCookie bool
	// Navigation: a browser that goes to the page, and can be sent elsewhere.
	Navigation bool
	// Safe: the request changes nothing and upgrades to nothing. SameOrigin: it does not come from another site's page.
	Safe, SameOrigin bool
}

// decide answers.
func decide(q question) answer {
	public := q.Page != nil && q.Page.public()
	switch {
	case !q.Known && !public && q.Navigation:
		// Whether or not there is such a page: who is not signed in does not learn it.
		return signIn
	case !q.Known && !public:
		return unauthorized
	case q.Page == nil || !public && (q.Tree == nil || !q.Tree.Allows(q.Page.Target, access.Read)):
		return absent
	case q.ByCookie && !q.Safe && !q.SameOrigin:
		return crossSite
	case q.Page.Job.Status.Phase != v1alpha1.JobRunning:
		return waiting
	}
	return allow
}

// public reports whether everybody may see the page.
func (p *Page) public() bool {
	http := p.Job.Spec.HTTP
	return p.AllowsPublic && http != nil && http.Public != nil && *http.Public
}

// safe reports whether a request of a method changes nothing.
func safe(method string) bool {
	return slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, method)
}
