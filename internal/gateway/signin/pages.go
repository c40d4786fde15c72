package signin

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/provider"
)

//go:embed pages
var pages embed.FS

var pageTemplate = template.Must(template.ParseFS(pages, "pages/page.html"))

// page is what a person sees.
type page struct {
	Title, Text string
	Facts       []fact
	Links       []link
	SignOut     bool
}

// fact is something with its name.
type fact struct {
	Name   string
	Values []string
}

// link leads somewhere on this gateway.
type link struct{ Address, Text string }

// show answers with a page.
func (s *Service) show(w http.ResponseWriter, status int, p page) {
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, p); err != nil {
		s.log.Error(err, "a page was not made", "title", p.Title)
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// fail answers with what went wrong and what to do.
func (s *Service) fail(w http.ResponseWriter, status int, title, text string) {
	s.show(w, status, page{Title: title, Text: text, Links: []link{{pathSignIn, "To the sign-in page"}}})
}

func (s *Service) tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "60")
	s.fail(w, http.StatusTooManyRequests, "Too many sign-ins", "Wait a minute, then begin again.")
}

// unknown tells somebody whom no User stands for what to send to an administrator.
func (s *Service) unknown(w http.ResponseWriter, claims provider.Claims) {
	s.show(w, http.StatusForbidden, page{
		Title: "You are not known here yet",
		Text:  "You signed in, but no User of this Soma has your identity. Send these two lines to an administrator, who can make one:",
		Facts: []fact{{"issuer", []string{claims.Identity.Issuer}}, {"subject", []string{claims.Identity.Subject}}},
		Links: []link{{pathSignIn, "To the sign-in page"}},
	})
}

// Headers sets, for pages of the gateway's own, what keeps them from being more than pages.
func (s *Service) Headers(next http.Handler) http.Handler {
	// Who signs out is sent on to the identity provider.
	forms := "'self'"
	for _, one := range s.providers.All() {
		forms += " " + one.Origin()
	}
	policy := "default-src 'none'; style-src 'self'; form-action " + forms + "; frame-ancestors 'none'; base-uri 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not to other sites: addresses can have the state of a sign-in in them.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if !s.config.Loopback() {
			// On a loopback it would hold for whatever else a person runs there.
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Service) style(w http.ResponseWriter, _ *http.Request) {
	text, err := pages.ReadFile("pages/style.css")
	if err != nil {
		http.Error(w, "no style", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = w.Write(text)
}

// choice lets a person choose an identity provider.
func (s *Service) choice(w http.ResponseWriter, r *http.Request) {
	next := safeNext(r.URL.Query().Get("next"))
	if _, err := s.Authenticate(r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // safeNext leaves paths of this host alone
		return
	}
	s.show(w, http.StatusOK, page{Title: "Sign in to Soma", Links: s.choices(url.Values{"next": {next}})})
}

func (s *Service) choices(query url.Values) []link {
	var links []link
	for _, one := range s.providers.All() {
		query.Set("issuer", one.Issuer.Name)
		links = append(links, link{pathStart + "?" + query.Encode(), "Sign in with " + one.Issuer.Title()})
	}
	return links
}

// firstAdministrator is the page of the link for the first administrator.
func (s *Service) firstAdministrator(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("token")
	if !s.signIns.Allow("first "+remoteOf(r), s.clock.Now()) {
		s.tooMany(w)
		return
	}
	if err := s.first.Check(r.Context(), text); err != nil {
		s.log.Info("link for the first administrator refused", "why", err.Error(), "remote", remoteOf(r))
		s.refused(r, verbFirst, v1alpha1.Identity{}, "", http.StatusForbidden, reasonLink, err.Error())
		s.fail(w, http.StatusForbidden, "This link does not count", errFirst.Error())
		return
	}
	s.show(w, http.StatusOK, page{
		Title: "Become the first administrator",
		Text:  "Whoever signs in by this link becomes an administrator of everything, and the link does not count any more.",
		Links: s.choices(url.Values{"token": {text}}),
	})
}

// me is the page of somebody who is signed in.
func (s *Service) me(w http.ResponseWriter, r *http.Request) {
	c, err := s.Authenticate(r)
	if err != nil {
		http.Redirect(w, r, pathSignIn, http.StatusSeeOther)
		return
	}
	p := page{Title: "You are signed in", SignOut: true, Facts: []fact{{"user", []string{c.User}}}}
	s.authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		user := d.User(c.User)
		if user == nil {
			return
		}
		if user.Spec.DisplayName != "" {
			p.Facts = append(p.Facts, fact{"name", []string{user.Spec.DisplayName}})
		}
		var roles []string
		for _, held := range user.Spec.Roles {
			if name := held.Role; held.Organization != "" {
				roles = append(roles, fmt.Sprintf("%s (in %s)", name, held.Organization))
			} else {
				roles = append(roles, name)
			}
		}
		if len(roles) > 0 {
			p.Facts = append(p.Facts, fact{"roles", roles})
		}
	})
	if len(c.Groups) > 0 {
		p.Facts = append(p.Facts, fact{"groups", c.Groups})
	}
	p.Facts = append(p.Facts,
		fact{"until", []string{c.ExpiresAt.UTC().Format("2006-01-02 15:04 MST")}},
		fact{"command line", []string{"soma login " + s.config.ExternalURL}})
	s.show(w, http.StatusOK, p)
}

// signedOut is the page after signing out.
func (s *Service) signedOut(w http.ResponseWriter, _ *http.Request) {
	var names []string
	for _, one := range s.providers.All() {
		names = append(names, one.Issuer.Title())
	}
	s.show(w, http.StatusOK, page{
		Title: "You are signed out", Text: "You may still be signed in at " + strings.Join(names, " or ") + ".",
		Links: []link{{pathSignIn, "Sign in again"}},
	})
}
