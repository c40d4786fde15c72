package gateway_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/config"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/testing/dex"
)

func TestSignIn(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	browser := w.browser(t)

	response, err := browser.Get(w.external + "/")
	if err != nil {
		t.Fatal(err)
	}
	if page := body(t, response); response.Request.URL.Path != "/signin" || !strings.Contains(page, "Sign in with Example") {
		t.Errorf("without a session / leads to %s: %s", response.Request.URL, page)
	}
	response, page := w.signIn(t, browser, alice, "&next=/whoami?x=1")
	if response.Request.URL.String() != w.external+"/whoami?x=1" || !strings.Contains(page, `"user":"alice"`) {
		t.Fatalf("signing in ends at %s: %s", response.Request.URL, page)
	}
	eventually(t, "groups are noted", func() bool {
		return known("alice", func(u *v1alpha1.User) bool {
			return strings.Join(u.Status.Groups, " ") == "research vision" && u.Status.LastSignIn != nil
		})
	})
	response, err = browser.Get(w.external + "/")
	if err != nil {
		t.Fatal(err)
	}
	page = body(t, response)
	for _, want := range []string{"alice", "Alice", "research", "vision", "Sign out"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q: %s", want, page)
		}
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
	} {
		if got := response.Header.Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestCookie looks at the cookies as they are set, which a jar does not tell.
func TestCookie(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	browser := w.browser(t)
	var set []*http.Cookie
	browser.Transport = &watching{browser.Transport, func(r *http.Response) {
		if strings.HasPrefix(r.Request.URL.String(), w.external) {
			set = append(set, r.Cookies()...)
		}
	}}
	w.signIn(t, browser, alice, "")
	if len(set) < 3 {
		t.Fatalf("cookies: %v", set)
	}
	for _, cookie := range set {
		prefix, path := "__Host-", "/"
		if cookie.Path == "/signout" {
			prefix, path = "__Secure-", cookie.Path
		}
		if !strings.HasPrefix(cookie.Name, prefix) || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != path || cookie.Domain != "" {
			t.Errorf("cookie %+v", cookie)
		}
		if len(cookie.String()) > 4096 {
			t.Errorf("the cookie %s has %d bytes", cookie.Name, len(cookie.String()))
		}
	}
}

type watching struct {
	http.RoundTripper
	see func(*http.Response)
}

func (w *watching) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.RoundTripper.RoundTrip(r)
	if err == nil {
		w.see(response)
	}
	return response, err
}

func TestUnknownIdentity(t *testing.T) {
	w := newWorld(t, nil)
	browser := w.browser(t)
	response, page := w.signIn(t, browser, stranger, "")
	if response.StatusCode != http.StatusForbidden || !strings.Contains(page, w.Issuer) || !strings.Contains(page, w.Subject(stranger)) {
		t.Errorf("a stranger gets %s: %s", response.Status, page)
	}
	if who, status := w.whoami(t, browser, ""); status != http.StatusUnauthorized {
		t.Errorf("a stranger is %q", who)
	}
	var users v1alpha1.UserList
	if err := api.Client.List(t.Context(), &users); err != nil || len(users.Items) > 0 {
		t.Errorf("users were made: %v, %v", users.Items, err)
	}
}

// TestIdentityOfTwo: whom several users claim to be is none of them, and no third one is made.
func TestIdentityOfTwo(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.CreateUsers = true })
	w.user(t, alice)
	other := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "mallory"}, Spec: v1alpha1.UserSpec{Identities: []v1alpha1.Identity{w.identity(alice)}}}
	make1(t, other)
	if response, page := w.signIn(t, w.browser(t), alice, ""); response.StatusCode != http.StatusForbidden {
		t.Errorf("who is two users gets %s: %s", response.Status, page)
	}
}

func TestCreateUsers(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.CreateUsers = true })
	w.user(t, bob)
	browser := w.mustSignIn(t, stranger)
	who, _ := w.whoami(t, browser, "")
	t.Cleanup(func() { remove(t, who) })
	// The name that the stranger chose at the provider is bob's, and stays his.
	if !strings.HasPrefix(who, "bob-") || len(who) != len("bob-")+8 {
		t.Fatalf("the stranger is %q", who)
	}
	user := read(t, who)
	if len(user.Spec.Roles) > 0 || user.Spec.Identities[0] != w.identity(stranger) || user.Spec.DisplayName != stranger.Name {
		t.Errorf("the User is %+v", user.Spec)
	}
	if again, _ := w.whoami(t, w.mustSignIn(t, stranger), ""); again != who {
		t.Errorf("the second time the stranger is %q, not %q", again, who)
	}
}

func TestRevocation(t *testing.T) {
	w := newWorld(t, nil)
	revoke := map[string]func(*v1alpha1.User){
		"disabled":         func(u *v1alpha1.User) { u.Spec.Disabled = new(bool); *u.Spec.Disabled = true },
		"notBefore":        func(u *v1alpha1.User) { u.Spec.NotBefore = &metav1.Time{Time: time.Now()} },
		"another identity": func(u *v1alpha1.User) { u.Spec.Identities[0].Subject = "somebody else" },
	}
	for name, how := range revoke {
		t.Run(name, func(t *testing.T) {
			w.user(t, alice)
			browser := w.mustSignIn(t, alice)
			if who, _ := w.whoami(t, browser, ""); who != "alice" {
				t.Fatalf("alice is %q", who)
			}
			change(t, "alice", how)
			if who, status := w.whoami(t, browser, ""); status != http.StatusUnauthorized {
				t.Errorf("alice is still %q", who)
			}
		})
	}
	t.Run("another of the same name", func(t *testing.T) {
		user := w.user(t, alice)
		browser := w.mustSignIn(t, alice)
		remove(t, user.Name)
		make1(t, &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "alice"}, Spec: user.Spec})
		if who, status := w.whoami(t, browser, ""); status != http.StatusUnauthorized {
			t.Errorf("alice is still %q", who)
		}
	})
	t.Run("disabled, at the door", func(t *testing.T) {
		w.user(t, alice)
		change(t, "alice", revoke["disabled"])
		if response, page := w.signIn(t, w.browser(t), alice, ""); response.StatusCode != http.StatusForbidden || !strings.Contains(page, "disabled") {
			t.Errorf("alice gets %s: %s", response.Status, page)
		}
	})
}

func TestTwoGateways(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	first := w.active
	second := listen(t)
	w.serve(t, second, w.config)

	// A sign-in that begins at one ends at the other.
	w.choose(first)
	browser := w.browser(t)
	browser.Transport = &watching{browser.Transport, func(r *http.Response) {
		if r.Request.URL.Path == "/signin/start" {
			w.choose(second.Addr().String())
		}
	}}
	w.signIn(t, browser, alice, "")
	for _, address := range []string{first, second.Addr().String()} {
		w.choose(address)
		if who, _ := w.whoami(t, browser, ""); who != "alice" {
			t.Errorf("at %s alice is %q", address, who)
		}
	}
	kept := copyOf(t, w, browser)
	if response, err := browser.PostForm(w.external+"/signout", nil); err != nil || !strings.Contains(body(t, response), "You are signed out") {
		t.Fatalf("signing out: %v", err)
	}
	for _, address := range []string{first, second.Addr().String()} {
		w.choose(address)
		eventually(t, "a copy of the session does not count", func() bool { _, status := w.whoami(t, kept, ""); return status == http.StatusUnauthorized })
		if who, status := w.whoami(t, browser, ""); status != http.StatusUnauthorized {
			t.Errorf("the browser is still %q", who)
		}
	}
	if ended := read(t, "alice").Status.EndedSessions; len(ended) != 1 {
		t.Errorf("ended sessions: %v", ended)
	}
	if who, _ := w.whoami(t, w.mustSignIn(t, alice), ""); who != "alice" {
		t.Errorf("signing in again makes %q", who)
	}
}

// copyOf is a browser with the same cookies.
func copyOf(t *testing.T, w *world, browser *http.Client) *http.Client {
	t.Helper()
	at, err := url.Parse(w.external)
	if err != nil {
		t.Fatal(err)
	}
	other := w.browser(t)
	other.Jar, _ = cookiejar.New(nil)
	other.Jar.SetCookies(at, browser.Jar.Cookies(at))
	return other
}

func TestKeyRotation(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	browser := w.mustSignIn(t, alice)
	old := copyOf(t, w, browser)

	rotated := *w.config
	rotated.KeysFile = newKeys(t, session.NewKey())
	oldKey, newKey := readFile(t, w.config.KeysFile), readFile(t, rotated.KeysFile)
	writeKeys(t, rotated.KeysFile, newKey, oldKey)
	w.serve(t, listen(t), &rotated)
	w.clock.put(6 * time.Minute)
	if who, _ := w.whoami(t, browser, ""); who != "alice" {
		t.Fatalf("with a new key before the old one alice is %q", who)
	}
	// The session was sealed with the new key by now, the copy was not.
	writeKeys(t, rotated.KeysFile, newKey)
	w.serve(t, listen(t), &rotated)
	if who, _ := w.whoami(t, browser, ""); who != "alice" {
		t.Errorf("without the old key alice is %q", who)
	}
	if who, status := w.whoami(t, old, ""); status != http.StatusUnauthorized {
		t.Errorf("what was sealed with the old key alone is still %q", who)
	}
}

func TestSessionEnds(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.SessionLifetime.Duration, c.SessionIdle.Duration = 4*time.Hour, time.Hour })
	w.user(t, alice)
	idle, used := w.mustSignIn(t, alice), w.mustSignIn(t, alice)
	for hours := range 7 {
		w.clock.put(30 * time.Minute)
		if who, _ := w.whoami(t, used, ""); who != "alice" {
			t.Fatalf("after %d half hours alice is %q", hours+1, who)
		}
	}
	if who, status := w.whoami(t, idle, ""); status != http.StatusUnauthorized {
		t.Errorf("a session that was not used is still %q", who)
	}
	w.clock.put(31 * time.Minute)
	if who, status := w.whoami(t, used, ""); status != http.StatusUnauthorized {
		t.Errorf("after its lifetime a session is still %q", who)
	}
}

func TestProviderDown(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	browser := w.mustSignIn(t, alice)
	_, tokens := w.login(t, alice)
	w.Stop(t)
	w.clock.put(20 * time.Minute)
	for range 3 {
		if who, _ := w.whoami(t, browser, ""); who != "alice" {
			t.Fatalf("without the provider alice is %q", who)
		}
	}
	w.serve(t, listen(t), w.config)
	response, err := w.browser(t).Get(w.external + "/signin/start?issuer=dex")
	if err != nil {
		t.Fatal(err)
	}
	if page := body(t, response); response.StatusCode != http.StatusBadGateway || !strings.Contains(page, "Example does not answer") {
		t.Errorf("signing in without the provider: %s %s", response.Status, page)
	}
	if who, _ := w.whoami(t, browser, ""); who != "alice" {
		t.Errorf("at a gateway that was started without the provider alice is %q", who)
	}
	for name, token := range map[string]string{"a token": tokens.ID, "the same again": tokens.ID} {
		if who, status := w.whoami(t, w.browser(t), token); status != http.StatusServiceUnavailable {
			t.Errorf("%s, which cannot be looked at, is %q: %d", name, who, status)
		}
	}
	if who, status := w.whoami(t, w.browser(t), "x"); status != http.StatusUnauthorized {
		t.Errorf("what is no token is %q: %d", who, status)
	}
	// It comes back and knows nothing of before: the session ends as soon as it is asked.
	w.Run(t)
	w.clock.put(20 * time.Minute)
	if who, status := w.whoami(t, browser, ""); status != http.StatusUnauthorized {
		t.Errorf("whom the provider does not know any more is still %q", who)
	}
}

func TestRefreshed(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	browser := w.mustSignIn(t, alice)
	change := read(t, "alice")
	change.Status.Groups = []string{"of long ago"}
	if err := api.Client.Status().Update(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.clock.put(20 * time.Minute)
		if who, _ := w.whoami(t, browser, ""); who != "alice" {
			t.Fatalf("alice is %q", who)
		}
	}
	eventually(t, "the provider's groups are noted", func() bool {
		return known("alice", func(u *v1alpha1.User) bool { return strings.Join(u.Status.Groups, " ") == "research vision" })
	})
}

func TestOtherSites(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	browser := w.mustSignIn(t, alice)
	tests := map[string]struct {
		method, path string
		header       map[string]string
		want         int
	}{
		"a form of another site":                  {http.MethodPost, "/signout", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		"a form of a sibling":                     {http.MethodPost, "/signout", map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		"an old browser's":                        {http.MethodPost, "/signout", map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		"signing out by a link":                   {http.MethodGet, "/signout", nil, http.StatusMethodNotAllowed},
		"a socket of another site":                {http.MethodGet, "/whoami", map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://evil.example"}, http.StatusForbidden},
		"a socket of an origin that begins alike": {http.MethodGet, "/whoami", map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Origin": w.external + ".evil.example"}, http.StatusForbidden},
		"a socket of a page without origin":       {http.MethodGet, "/whoami", map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "null"}, http.StatusForbidden},
		"a socket without an origin":              {http.MethodGet, "/whoami", map[string]string{"Upgrade": "websocket", "Connection": "Upgrade"}, http.StatusForbidden},
		"a socket of our own page":                {http.MethodGet, "/whoami", map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Origin": w.external}, http.StatusOK},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), test.method, w.external+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for key, value := range test.header {
				request.Header.Set(key, value)
			}
			response, err := browser.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			if text := body(t, response); response.StatusCode != test.want {
				t.Errorf("%s %s, want %d", response.Status, text, test.want)
			}
		})
	}
	if who, _ := w.whoami(t, browser, ""); who != "alice" {
		t.Errorf("afterwards alice is %q", who)
	}
}

// TestCallback: an answer that does not belong to a sign-in of this browser gets nobody in.
func TestCallback(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	// answer is the address with which the provider sends a browser back, and the browser.
	answer := func(t *testing.T, p dex.Person) (*http.Client, *url.URL) {
		browser := w.browser(t)
		browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Path == "/signin/callback" {
				return http.ErrUseLastResponse
			}
			return nil
		}
		response, _ := w.signIn(t, browser, p, "")
		at, err := response.Location()
		if err != nil || at.Path != "/signin/callback" {
			t.Fatalf("the provider sends to %v: %v", at, err)
		}
		browser.CheckRedirect = nil
		return browser, at
	}
	with := func(change func(url.Values)) func(*testing.T) (*http.Client, string) {
		return func(t *testing.T) (*http.Client, string) {
			browser, at := answer(t, alice)
			query := at.Query()
			change(query)
			at.RawQuery = query.Encode()
			return browser, at.String()
		}
	}
	tests := map[string]func(*testing.T) (*http.Client, string){
		"another browser": func(t *testing.T) (*http.Client, string) { _, at := answer(t, alice); return w.browser(t), at.String() },
		"another browser that signs in too": func(t *testing.T) (*http.Client, string) {
			_, at := answer(t, bob)
			browser, _ := answer(t, alice)
			return browser, at.String()
		},
		"a code of another sign-in": func(t *testing.T) (*http.Client, string) {
			_, other := answer(t, bob)
			browser, at := answer(t, alice)
			query := at.Query()
			query.Set("code", other.Query().Get("code"))
			at.RawQuery = query.Encode()
			return browser, at.String()
		},
		"no state":         with(func(q url.Values) { q.Del("state") }),
		"another state":    with(func(q url.Values) { q.Set("state", "other") }),
		"two states":       with(func(q url.Values) { q.Add("state", q.Get("state")) }),
		"no code":          with(func(q url.Values) { q.Del("code") }),
		"another code":     with(func(q url.Values) { q.Set("code", "other") }),
		"an error":         with(func(q url.Values) { q.Set("error", "access_denied") }),
		"another provider": with(func(q url.Values) { q.Set("iss", "https://evil.example") }),
		"a long code":      with(func(q url.Values) { q.Set("code", strings.Repeat("x", 5000)) }),
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			browser, at := test(t)
			response, err := browser.Get(at)
			if err != nil {
				t.Fatal(err)
			}
			if text := body(t, response); response.StatusCode != http.StatusBadRequest {
				t.Errorf("%s %s", response.Status, text)
			}
			if who, status := w.whoami(t, browser, ""); status != http.StatusUnauthorized {
				t.Errorf("the browser is %q", who)
			}
		})
	}
	t.Run("a second time", func(t *testing.T) {
		browser, at := answer(t, alice)
		for _, want := range []int{http.StatusOK, http.StatusBadRequest} {
			response, err := browser.Get(at.String())
			if err != nil {
				t.Fatal(err)
			}
			if text := body(t, response); response.StatusCode != want {
				t.Errorf("%s %s, want %d", response.Status, text, want)
			}
		}
	})
	t.Run("too late", func(t *testing.T) {
		browser, at := answer(t, alice)
		w.clock.put(11 * time.Minute)
		response, err := browser.Get(at.String())
		if err != nil {
			t.Fatal(err)
		}
		if text := body(t, response); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s %s", response.Status, text)
		}
	})
}
