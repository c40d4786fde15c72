package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// senders is how many send at the same time.
const senders = 16

// sender is who sends a mutant, and to which page.
type sender struct {
	name, job string
	// credentials is a line of a header; cookie what stands in for {cookie}, and own a page that they may see.
	credentials, cookie, own string
}

func (w *world) send(p *proxy, m mutant, s sender) reply {
	fill := fill(s)
	if m.fields != nil {
		var fields []field
		for _, f := range m.fields {
			fields = append(fields, field{f.name, fill.Replace(f.value)})
		}
		if name, value, given := strings.Cut(s.credentials, ": "); given {
			fields = append(fields, field{strings.ToLower(name), value})
		}
		return w.two(p.address, append(fields, field{"x-mutant", m.class + " " + strings.Trim(strings.ToValidUTF8(m.name, "?"), "\r\n\x00")}))
	}
	r := m.request
	r.lines = append([]string{"X-Mutant: " + url.QueryEscape(m.class+" "+m.name)}, r.lines...)
	if !m.keeps && !strings.Contains(strings.Join(r.lines, "\n"), "\nConnection:") {
		r.lines = append(r.lines, "Connection: close")
	}
	return w.raw(p.address, fill.Replace(r.text("{host}", s.credentials)), strings.Fields(r.line + " GET")[0])
}

// sendAll sends mutants, several at the same time.
func sendAll(all []mutant, send func(mutant)) {
	work := make(chan mutant)
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for m := range work {
				send(m)
			}
		})
	}
	for _, m := range all {
		work <- m
	}
	close(work)
	group.Wait()
}

// elsewhere tells a redirect to what is neither the page itself, nor a page, nor the gateway.
func elsewhere(location string) bool {
	if location == "" {
		return false
	}
	u, err := url.Parse(location)
	switch {
	case err != nil || strings.ContainsAny(location, "\\\t\r\n"):
		return true
	case u.Scheme == "" && u.Host == "":
		return !strings.HasPrefix(location, "/")
	}
	return u.User != nil || u.Scheme != "https" || "https://"+u.Host != gatewayURL && u.Host != host(train) && u.Host != host(notes) && u.Host != host(board)
}

// Nobody gets past whoever may not, whatever they send; and where they may not is as where nothing is.
func TestNobodyGetsPast(t *testing.T) {
	each(t, func(t *testing.T, w *world, p *proxy) {
		theirs := w.visit(p, "eve", notes)
		w.upstreams[train].take()
		senders := []sender{
			{"nobody", train, "", "x", board},
			{"eve by her token", train, "Authorization: Bearer " + w.tokens["eve"], "x", notes},
			{"eve by the cookie of another page", train, "Cookie: __Host-soma-page=" + theirs, theirs, notes},
		}
		sendAll(mutants(), func(m mutant) {
			for _, s := range senders {
				answer := w.send(p, m, s)
				if location := answer.header.Get("Location"); elsewhere(location) {
					t.Errorf("%s, %s: %s is sent to %q", m.class, m.name, s.name, location)
				}
				if s.name != "eve by her token" {
					continue
				}
				absent := s
				absent.job = none
				if other := w.send(p, m, absent); !answer.same(other) {
					t.Errorf("%s, %s: told apart are %v and %v", m.class, m.name, answer, other)
				}
			}
		})
		if got, _ := w.upstreams[train].take(); got != "" {
			t.Errorf("the job sees:\n%q", got)
		}
	})
}

// Whoever may, brings the job nothing that it is not to see, whatever they send.
func TestNothingComesAlong(t *testing.T) {
	each(t, func(t *testing.T, w *world, p *proxy) {
		cookie := w.visit(p, "alice", train)
		w.upstreams[train].take()
		by := []sender{
			{"alice by her cookie", train, "Cookie: __Host-soma-page=" + cookie, cookie, train},
			{"alice by her token", train, "Authorization: Bearer " + w.tokens["alice"], cookie, train},
		}
		sendAll(mutants(), func(m mutant) {
			for _, s := range by {
				answer := w.send(p, m, s)
				if location := answer.header.Get("Location"); elsewhere(location) {
					t.Errorf("%s, %s: %s is sent to %q", m.class, m.name, s.name, location)
				}
			}
		})
		got, all := w.upstreams[train].take()
		for what, secret := range map[string]string{
			"the page's cookie": cookie, "the gateway's cookie": w.cookies["alice"], "the token": w.tokens["alice"], "a cookie of ours": "__Host-soma",
		} {
			for rest := strings.ToLower(got); ; {
				at := strings.Index(rest, strings.ToLower(secret))
				if at < 0 {
					break
				}
				t.Errorf("the job sees %s: …%q…", what, rest[max(0, at-400):min(len(rest), at+100)])
				rest = rest[at+len(secret):]
			}
		}
		for _, one := range all {
			w.checkHeader(p, one)
			if strings.HasPrefix(one.path, "/smuggled") {
				t.Errorf("a request is smuggled: %v", one)
			}
		}
		t.Logf("%d requests reached the job", len(all))
		if len(all) < 800 {
			t.Errorf("only %d requests reached the job: too few to tell", len(all))
		}
	})
}

// By the host of a page nobody reaches anything of the gateway's own, in whatever spelling, and by the gateway's host no page.
func TestHostsAreApart(t *testing.T) {
	w := newWorld(t)
	both := "Cookie: __Host-soma=" + w.cookies["alice"] + "; __Host-soma-page=x"
	bearer := "Authorization: Bearer " + w.tokens["alice"]
	ask := func(host, path, credentials string) reply {
		return w.raw(w.gateway, request{line: "GET " + path + " HTTP/1.1", lines: []string{"Connection: close"}}.text(host, credentials), http.MethodGet)
	}
	own := []string{"/", "/livez", "/readyz", "/signin", "/whoami", "/signedout", "/signout", "/kubernetes/version", "/.well-known/soma", "/.well-known/soma/assertion-keys", "/job-pages/enter?host=" + host(train)}
	for _, path := range own {
		if answer := ask(host(train), path, both); answer.status != http.StatusUnauthorized {
			t.Errorf("%s of the page, by the gateway's cookie: %v", path, answer)
		}
		if answer := ask(host(train), path, bearer); answer.status != http.StatusOK || answer.body != "the job's own page\n" {
			t.Errorf("%s of the page, by a token: %v", path, answer)
		}
		for _, spelled := range []string{strings.ToUpper(host(train)), host(train) + ".", host(train) + ":443", "[" + host(train) + "]", "a." + host(train), domain, host(train) + ".evil.example", host(none)} {
			if answer := ask(spelled, path, bearer); answer.status != http.StatusNotFound && answer.status != http.StatusBadRequest {
				t.Errorf("%s of %s: %v", path, spelled, answer)
			}
		}
	}
	w.upstreams[train].take()
	for _, host := range []string{"soma.example.com", "localhost", "127.0.0.1", "", "not" + domain, "train.vision.svc.cluster.local"} {
		for _, path := range []string{"/socket", "/.soma/enter?code=x", "/.soma/", "https://" + host + "/socket"} {
			if answer := ask(host, path, bearer); answer.status != http.StatusNotFound && answer.status != http.StatusBadRequest {
				t.Errorf("%s of %s: %v", path, host, answer)
			}
		}
	}
	if got, _ := w.upstreams[train].take(); got != "" {
		t.Errorf("the job sees:\n%q", got)
	}
}

// A browser is sent with a code to pages that are there alone, and nowhere else by the gateway.
func TestNobodyIsSentElsewhere(t *testing.T) {
	w := newWorld(t)
	enter := func(host, to string) reply {
		query := url.Values{"host": {host}, "bind": {strings.Repeat("A", 43)}, "to": {to}}
		r := request{line: "GET /job-pages/enter?" + query.Encode() + " HTTP/1.1", lines: []string{"Connection: close"}}
		return w.raw(w.gateway, r.text("soma.example.com", "Cookie: __Host-soma="+w.cookies["alice"]), http.MethodGet)
	}
	evil := []string{
		"evil.example", "evil.example/." + domain, host(train) + ".evil.example", host(train) + ":444", "evil.example#." + domain, "a@" + host(train), "//evil.example", host(train) + "/",
		strings.ToUpper(host(train)), host(train) + ".", host(notes), host(none), "evil.example\\." + domain, "evil.example?." + domain, "", host(train) + "\r\nX: y", "ｅvil." + domain, "%65vil." + domain,
	}
	for _, one := range evil {
		if answer := enter(one, "/"); answer.status != http.StatusNotFound || answer.header.Get("Location") != "" {
			t.Errorf("to %q: %v", one, answer)
		}
	}
	for _, to := range []string{"//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)", "/.soma/enter", "", "@evil.example", "/%0d%0aX:%20y"} {
		answer := enter(host(train), to)
		u, err := url.Parse(answer.header.Get("Location"))
		if err != nil || answer.status != http.StatusFound || u.Host != host(train) || u.Path != "/.soma/enter" || elsewhere(u.Query().Get("to")) || strings.HasPrefix(u.Query().Get("to"), "//") {
			t.Errorf("to %q: %v", to, answer)
		}
	}
}

// checkHeader complains of what a job takes for an assertion that is none, and of credentials.
func (w *world) checkHeader(p *proxy, one seen) {
	w.t.Helper()
	which, assertions := one.header.Get("X-Mutant"), 0
	// The proxies say whom they forward for, the gateway does not.
	events := strings.Contains(strings.ToLower(strings.Join(one.header["Accept"], ",")), "text/event-stream")
	if (!p.asks || events || one.header.Get("Upgrade") != "") && len(one.header["X-Forwarded-For"]) > 0 {
		w.t.Errorf("%s: it does not come by the gateway: %v", which, one.header)
	}
	for name, values := range one.header {
		switch strings.ReplaceAll(strings.ToLower(name), "_", "-") {
		case "authorization":
			if strings.Join(values, "") != "" {
				w.t.Errorf("%s: the job sees %s %q", which, name, values)
			}
		case "x-soma-assertion":
			for _, value := range values {
				var claims jwt.Claims
				parsed, err := jwt.ParseSigned(value, []jose.SignatureAlgorithm{jose.EdDSA})
				if err == nil {
					err = parsed.Claims(w.assertions, &claims)
				}
				if err != nil {
					w.t.Errorf("%s: the job sees %s %q: %v", which, name, value, err)
				}
			}
			assertions += len(values)
		}
	}
	if assertions > 1 {
		w.t.Errorf("%s: the job sees %d assertions", which, assertions)
	}
}
