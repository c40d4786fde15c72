package jobpages

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-logr/logr"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/testing/records"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

const (
	domain     = "jobs.example.org"
	gatewayURL = "https://soma.example.com"
	host       = "train--vision." + domain
	proxyToken = "0123456789abcdef0123456789abcdef"
)

// signedIn is who is signed in at the gateway, in these tests: a cookie `gateway` or a bearer token with the name of a user.
type signedIn struct{ ended map[string]bool }

func (s *signedIn) Authenticate(r *http.Request) (caller.Caller, error) {
	if r.URL.Path == "" {
		return caller.Caller{}, errors.New("it cannot be recorded what was asked for")
	}
	c := caller.Caller{IssuedAt: noon, ExpiresAt: noon.Add(12 * time.Hour), Via: caller.ViaCookie}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		c.User, c.Via = bearer, caller.ViaToken
	} else if cookie, err := r.Cookie("gateway"); err == nil {
		c.User = cookie.Value
	}
	c.UID, c.Session = "uid-of-"+c.User, "session-of-"+c.User
	switch {
	case c.User == "":
		return caller.Caller{}, caller.ErrNone
	case !s.StillValid(c):
		return caller.Caller{}, caller.ErrRefused
	}
	return c, nil
}

func (s *signedIn) StillValid(c caller.Caller) bool {
	return c.User != "mallory" && c.UID == "uid-of-"+c.User && !s.ended[c.Session]
}

type mounts struct{ mux *http.ServeMux }

func (m mounts) Mount(pattern string, handler http.Handler) { m.mux.Handle(pattern, handler) }

type rights map[string]*access.Tree

func (r rights) Tree(user string) *access.Tree {
	if tree := r[user]; tree != nil {
		return tree
	}
	return &access.Tree{}
}

type pages map[string]*Page

func (p pages) ByLabel(label string) (Page, bool) {
	if page := p[label]; page != nil {
		return *page, true
	}
	return Page{}, false
}

// world is a service with the page of one job, which bob may read.
type world struct {
	*Service
	keys   *session.Keys
	who    *signedIn
	rights rights
	page   *Page
	clock  *clocktesting.FakeClock
	mux    *http.ServeMux
	key    ed25519.PublicKey
	// job is where the page's job listens, and dialled where it was looked for.
	job     string
	mu      sync.Mutex
	dialled []string
	audit   *records.Log
}

// dial leads every Service to the one job.
func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialled = append(w.dialled, address)
	w.mu.Unlock()
	return (&net.Dialer{}).DialContext(ctx, network, w.job)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewSigner(gatewayURL, private)
	if err != nil {
		t.Fatal(err)
	}
	keys := &session.Keys{}
	if err := keys.Set([]byte(session.NewKey())); err != nil {
		t.Fatal(err)
	}
	w := &world{
		keys: keys, who: &signedIn{ended: map[string]bool{}}, rights: rights{"bob": may(access.Read)}, page: page(nil),
		clock: clocktesting.NewFakeClock(noon), mux: http.NewServeMux(), key: public, audit: &records.Log{},
	}
	w.Service, err = New(Options{
		Domain: domain, Gateway: gatewayURL, SignInPath: "/sign-in", ProxyToken: proxyToken, Authenticator: w.who, Rights: w.rights,
		Pages: pages{"train--vision": w.page}, Keys: keys, Signer: signer, ClusterDomain: "cluster.local",
		Dial: w.dial, Audit: w.audit, Clock: w.clock, Log: logr.Discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Routes(mounts{w.mux})
	return w
}

// ask is the proxy's question for a request to a host.
func (w *world) ask(host, method, uri string, header http.Header) *http.Response {
	r := httptest.NewRequest(http.MethodGet, AuthPath+proxyToken, nil)
	for key, values := range header {
		r.Header[key] = values
	}
	r.Header.Set(forwardedHost, host)
	r.Header.Set(forwardedMethod, method)
	r.Header.Set(forwardedURI, uri)
	answer := httptest.NewRecorder()
	w.Auth().ServeHTTP(answer, r)
	return answer.Result()
}

// get is a request of a browser to the gateway, by whatever host.
func (w *world) get(address string, cookies ...*http.Cookie) *http.Response {
	r := httptest.NewRequest(http.MethodGet, address, nil)
	for _, cookie := range cookies {
		r.AddCookie(cookie)
	}
	answer := httptest.NewRecorder()
	if w.Has(r.Host) {
		w.Handler().ServeHTTP(answer, r)
	} else {
		w.mux.ServeHTTP(answer, r)
	}
	return answer.Result()
}

func cookieOf(t *testing.T, answer *http.Response, name string) *http.Cookie {
	t.Helper()
	for _, cookie := range answer.Cookies() {
		if cookie.Name == name {
			if !cookie.Secure || !cookie.HttpOnly || cookie.Domain != "" || cookie.Path != "/" || cookie.SameSite != http.SameSiteLaxMode {
				t.Errorf("%s is no cookie of this host alone: %v", name, cookie)
			}
			return cookie
		}
	}
	t.Fatalf("there is no cookie %s: %v", name, answer.Header)
	return nil
}

var browser = http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"none"}, "Accept": {"text/html"}}

func with(header http.Header, cookies ...*http.Cookie) http.Header {
	r := &http.Request{Header: http.Header{}}
	maps.Copy(r.Header, header)
	for _, cookie := range cookies {
		r.AddCookie(cookie)
	}
	return r.Header
}

// begin goes to the page, is sent to the gateway, and returns what it keeps and where it is sent.
func (w *world) begin(t *testing.T) (bind *http.Cookie, enter string) {
	t.Helper()
	answer := w.ask(host, http.MethodGet, "/board?run=7", browser)
	if answer.StatusCode != http.StatusFound || !strings.HasPrefix(answer.Header.Get("Location"), gatewayURL+enterPath+"?") {
		t.Fatalf("%d, to %q", answer.StatusCode, answer.Header.Get("Location"))
	}
	return cookieOf(t, answer, bindCookie), answer.Header.Get("Location")
}

// visit signs somebody in on the page's host.
func (w *world) visit(t *testing.T, user string) *http.Cookie {
	t.Helper()
	bind, enter := w.begin(t)
	answer := w.get(enter, &http.Cookie{Name: "gateway", Value: user})
	code := answer.Header.Get("Location")
	if answer.StatusCode != http.StatusFound || !strings.HasPrefix(code, "https://"+host+ownPath+"enter?") {
		t.Fatalf("%d, to %q", answer.StatusCode, code)
	}
	answer = w.get(code, bind)
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/board?run=7" {
		t.Fatalf("%d, to %q", answer.StatusCode, answer.Header.Get("Location"))
	}
	return cookieOf(t, answer, pageCookie)
}

func TestSignInOnAPage(t *testing.T) {
	w := newWorld(t)
	cookie := w.visit(t, "bob")
	answer := w.ask(host, http.MethodGet, "/", with(http.Header{"Authorization": nil}, cookie, &http.Cookie{Name: "theirs", Value: "1"}))
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Cookie") != "theirs=1" || answer.Header.Get("Authorization") != "" {
		t.Fatalf("%d, %v", answer.StatusCode, answer.Header)
	}
	token, err := jwt.ParseSigned(answer.Header.Get(AssertionHeader), []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := token.Claims(w.key, &claims); err != nil {
		t.Fatal(err)
	}
	expected := jwt.Expected{Issuer: gatewayURL, Subject: "bob", AnyAudience: jwt.Audience{"uid-1"}, Time: noon}
	if err := claims.ValidateWithLeeway(expected, 0); err != nil {
		t.Error(err)
	}
	expected.Time = noon.Add(assertionLifetime + time.Second)
	if err := claims.ValidateWithLeeway(expected, 0); err == nil {
		t.Error("the assertion does not end")
	}
	var keys jose.JSONWebKeySet
	if err := json.NewDecoder(w.get("https://soma.example.com" + KeysPath).Body).Decode(&keys); err != nil {
		t.Fatal(err)
	}
	if found := keys.Key(token.Headers[0].KeyID); len(found) != 1 || !found[0].IsPublic() {
		t.Errorf("the key is not told, or more than it: %v", keys)
	}
}

// An assertion is signed once for many requests, but never given when less than half of its time is left, nor to another.
func TestAssertionsAreKept(t *testing.T) {
	w := newWorld(t)
	sign := func(user, uid string, after time.Duration) string {
		t.Helper()
		text, err := w.Signer.Sign(user, uid, noon.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := sign("bob", "uid-1", 0)
	if again := sign("bob", "uid-1", assertionLifetime/2-time.Nanosecond); again != first {
		t.Error("it is signed for each request")
	}
	for name, other := range map[string]string{
		"another user": sign("eve", "uid-1", 0), "another job": sign("bob", "uid-2", 0), "before it": sign("bob", "uid-1", -time.Minute),
	} {
		if other == first {
			t.Errorf("%s gets the same", name)
		}
	}
	first = sign("bob", "uid-1", 0)
	if late := sign("bob", "uid-1", assertionLifetime/2); late == first {
		t.Error("it is given in the second half of its time")
	}
}

// A right that ended, a session that ended and another job of the name end the visit at the next request.
func TestVisitsEnd(t *testing.T) {
	ends := map[string]struct {
		change func(*world)
		want   int
	}{
		"the right":          {func(w *world) { delete(w.rights, "bob") }, http.StatusNotFound},
		"the session":        {func(w *world) { w.who.ended["session-of-bob"] = true }, http.StatusUnauthorized},
		"an hour":            {func(w *world) { w.clock.SetTime(noon.Add(pageLifetime)) }, http.StatusUnauthorized},
		"another job":        {func(w *world) { w.page.Job.UID = "uid-2" }, http.StatusUnauthorized},
		"the job is stopped": {func(w *world) { w.page.Job.Status.Phase = "Suspended" }, http.StatusServiceUnavailable},
	}
	for name, tc := range ends {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cookie := w.visit(t, "bob")
			if answer := w.ask(host, http.MethodGet, "/", with(nil, cookie)); answer.StatusCode != http.StatusOK {
				t.Fatalf("before: %d", answer.StatusCode)
			}
			tc.change(w)
			if answer := w.ask(host, http.MethodGet, "/", with(nil, cookie)); answer.StatusCode != tc.want {
				t.Errorf("%d, want %d", answer.StatusCode, tc.want)
			}
		})
	}
}

// A code is good once, for the browser that asked for it, on the host that it was made for, for a minute.
func TestCodes(t *testing.T) {
	uses := map[string]func(w *world, code *url.URL, bind *http.Cookie) *http.Response{
		"by another browser": func(w *world, code *url.URL, _ *http.Cookie) *http.Response { return w.get(code.String()) },
		"by one that signs in as well": func(w *world, code *url.URL, _ *http.Cookie) *http.Response {
			return w.get(code.String(), &http.Cookie{Name: bindCookie, Value: "another"})
		},
		"with two bindings": func(w *world, code *url.URL, bind *http.Cookie) *http.Response {
			return w.get(code.String(), bind, &http.Cookie{Name: bindCookie, Value: "another"})
		},
		"on another host": func(w *world, code *url.URL, bind *http.Cookie) *http.Response {
			code.Host = "other--vision." + domain
			return w.get(code.String(), bind)
		},
		"on the gateway's host": func(w *world, code *url.URL, bind *http.Cookie) *http.Response {
			code.Host = "soma.example.com"
			return w.get(code.String(), bind)
		},
		"late": func(w *world, code *url.URL, bind *http.Cookie) *http.Response {
			w.clock.SetTime(noon.Add(codeLifetime))
			return w.get(code.String(), bind)
		},
		"by one signed out": func(w *world, code *url.URL, bind *http.Cookie) *http.Response {
			w.who.ended["session-of-bob"] = true
			return w.get(code.String(), bind)
		},
		"as a cookie": func(w *world, code *url.URL, _ *http.Cookie) *http.Response {
			return w.ask(host, http.MethodGet, "/", with(nil, &http.Cookie{Name: pageCookie, Value: code.Query().Get("code")}))
		},
		"changed": func(w *world, code *url.URL, bind *http.Cookie) *http.Response {
			query := code.Query()
			query.Set("code", query.Get("code")+"A")
			code.RawQuery = query.Encode()
			return w.get(code.String(), bind)
		},
	}
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			bind, enter := w.begin(t)
			code, err := url.Parse(w.get(enter, &http.Cookie{Name: "gateway", Value: "bob"}).Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			answer := use(w, code, bind)
			for _, cookie := range answer.Cookies() {
				if cookie.Name == pageCookie {
					t.Errorf("the page's cookie is given away")
				}
			}
			if answer.StatusCode < 400 {
				t.Errorf("%d", answer.StatusCode)
			}
		})
	}
}

func TestEnter(t *testing.T) {
	w := newWorld(t)
	bind := hashed("bind")
	query := func(host, bind, to string) string {
		return gatewayURL + enterPath + "?" + url.Values{"host": {host}, "bind": {bind}, "to": {to}}.Encode()
	}
	bob, eve := &http.Cookie{Name: "gateway", Value: "bob"}, &http.Cookie{Name: "gateway", Value: "eve"}
	// Who may not see it, and where there is none: byte by byte the same.
	forbidden, none := w.get(query(host, bind, "/"), eve), w.get(query("none--vision."+domain, bind, "/"), eve)
	if text, same := text(t, forbidden), text(t, none); text != same || forbidden.StatusCode != none.StatusCode || !strings.Contains(text, absentMessage) {
		t.Errorf("%d %s, and %d %s", forbidden.StatusCode, text, none.StatusCode, same)
	}
	answer := w.get(query(host, bind, "/a"))
	want := "/sign-in?next=" + url.QueryEscape(enterPath+"?"+url.Values{"host": {host}, "bind": {bind}, "to": {"/a"}}.Encode())
	if answer.StatusCode != http.StatusFound || answer.Header.Get("Location") != want {
		t.Errorf("%d, to %q; want %q", answer.StatusCode, answer.Header.Get("Location"), want)
	}
	// Nobody is sent with a code to a host that is none of ours, nor anywhere but to a path.
	for _, evil := range []string{"evil.com", "evil.com/." + domain, host + ".evil.com", host + ":444", "evil.com#." + domain, "u@" + host, ""} {
		if answer := w.get(query(evil, bind, "/"), bob); answer.StatusCode != http.StatusNotFound {
			t.Errorf("host %q: %d, to %q", evil, answer.StatusCode, answer.Header.Get("Location"))
		}
	}
	for _, evil := range []string{"//evil.com", "https://evil.com", "/\\evil.com", "/\tx"} {
		location := w.get(query(host, bind, evil), bob).Header.Get("Location")
		if u, err := url.Parse(location); err != nil || u.Host != host || u.Query().Get("to") != "/" {
			t.Errorf("to %q: %q", evil, location)
		}
	}
	// A token signs nobody in on a page: what it may is bounded, and a page's cookie would not be.
	r := httptest.NewRequest(http.MethodGet, query(host, bind, "/"), nil)
	r.Header.Set("Authorization", "Bearer bob")
	recorded := httptest.NewRecorder()
	w.mux.ServeHTTP(recorded, r)
	if location := recorded.Header().Get("Location"); !strings.HasPrefix(location, "/sign-in?") {
		t.Errorf("a token: %d, to %q", recorded.Code, location)
	}
}

func text(t *testing.T, answer *http.Response) string {
	t.Helper()
	var out strings.Builder
	if err := answer.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPrograms(t *testing.T) {
	w := newWorld(t)
	tests := map[string]struct {
		token string
		want  int
	}{
		"a reader":                {"Bearer bob", http.StatusOK},
		"who may nothing":         {"Bearer eve", http.StatusNotFound},
		"a token that is refused": {"Bearer mallory", http.StatusUnauthorized},
		"none":                    {"", http.StatusUnauthorized},
		"a password":              {"Basic Ym9iOmJvYg==", http.StatusUnauthorized},
	}
	for name, tc := range tests {
		header := http.Header{"Accept": {"application/json"}}
		if tc.token != "" {
			header.Set("Authorization", tc.token)
		}
		answer := w.ask(host, http.MethodPost, "/api", header)
		if answer.StatusCode != tc.want || answer.Header.Get("Location") != "" || answer.Header.Get("Authorization") != "" {
			t.Errorf("%s: %d, %v; want %d", name, answer.StatusCode, answer.Header, tc.want)
		}
	}
	// Whoever sends a token is judged by it, whatever cookies come along.
	cookie := w.visit(t, "bob")
	if answer := w.ask(host, http.MethodGet, "/", with(http.Header{"Authorization": {"Bearer eve"}}, cookie)); answer.StatusCode != http.StatusNotFound {
		t.Errorf("a token of eve beside a cookie of bob: %d", answer.StatusCode)
	}
}

func TestWaitingPage(t *testing.T) {
	w := newWorld(t)
	w.page.Job.Status.Phase, w.page.Job.Status.Message = "Pending", "waits for <b>GPUs</b>"
	answer := w.ask(host, http.MethodGet, "/", http.Header{"Authorization": {"Bearer bob"}})
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") != "5" || !strings.Contains(text(t, answer), "while the job runs") {
		t.Errorf("%d", answer.StatusCode)
	}
	cookie := w.visit(t, "bob")
	shown := text(t, w.ask(host, http.MethodGet, "/", with(browser, cookie)))
	for _, want := range []string{`http-equiv="refresh" content="5"`, "It is Pending", "waits for &lt;b&gt;GPUs", "default-src 'none'"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%s\ndoes not say %q", shown, want)
		}
	}
}
