package gateway_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/signin"
	"github.com/soma-platform/soma/internal/testing/dex"
	"github.com/soma-platform/soma/internal/token"
)

// login signs a person in as the command line does.
func (w *world) login(t *testing.T, p dex.Person) (*signin.Discovery, *signin.Tokens) {
	t.Helper()
	found, err := signin.Discover(t.Context(), w.external, w.CA)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := found.Choose("")
	if err != nil {
		t.Fatal(err)
	}
	browser := w.browser(t)
	tokens, err := signin.Browser(t.Context(), issuer, func(address string) error {
		response, err := w.SignIn(browser, address, p)
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, tokens
}

func TestIDToken(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	found, tokens := w.login(t, alice)
	if found.Kubernetes != w.external+"/kubernetes" || found.CA != string(w.CA) || found.Issuers[0].CA != string(w.CA) {
		t.Errorf("the gateway tells %+v", found)
	}
	who, err := signin.Who(t.Context(), found, tokens.ID)
	if err != nil || who.User != "alice" || who.Via != string(caller.ViaIDToken) {
		t.Fatalf("alice is %+v, %v", who, err)
	}
	if _, err := signin.Who(t.Context(), found, ""); err == nil {
		t.Error("without a token somebody is let in")
	}

	t.Run("renewed", func(t *testing.T) {
		issuer, _ := found.Choose("dex")
		next, err := signin.Refresh(t.Context(), issuer, tokens)
		if err != nil {
			t.Fatal(err)
		}
		if who, err := signin.Who(t.Context(), found, next.ID); err != nil || who.User != "alice" {
			t.Errorf("alice is %+v, %v", who, err)
		}
	})
	t.Run("with a cookie of somebody else", func(t *testing.T) {
		w.user(t, bob)
		browser := w.mustSignIn(t, bob)
		if who, _ := w.whoami(t, browser, tokens.ID); who != "alice" {
			t.Errorf("the token of alice with a cookie of bob makes %q", who)
		}
		if who, status := w.whoami(t, browser, "x"); status != http.StatusUnauthorized {
			t.Errorf("a wrong token with a cookie of bob makes %q", who)
		}
	})
	t.Run("signed out", func(t *testing.T) {
		_, tokens := w.login(t, alice)
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.external+"/signout", nil)
		request.Header.Set("Authorization", "Bearer "+tokens.ID)
		response, err := w.browser(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		eventually(t, "the token does not count", func() bool {
			_, status := w.whoami(t, w.browser(t), tokens.ID)
			return status == http.StatusUnauthorized
		})
	})
	t.Run("notBefore", func(t *testing.T) {
		change(t, "alice", func(u *v1alpha1.User) { u.Spec.NotBefore = &metav1.Time{Time: time.Now()} })
		if who, status := w.whoami(t, w.browser(t), tokens.ID); status != http.StatusUnauthorized {
			t.Errorf("a token of before is still %q", who)
		}
	})
	t.Run("of nobody", func(t *testing.T) {
		found, tokens := w.login(t, stranger)
		if who, status := w.whoami(t, w.browser(t), tokens.ID); status != http.StatusUnauthorized {
			t.Errorf("a stranger is %q", who)
		}
		who := w.identity(stranger)
		for _, want := range []string{"no User has your identity", who.Issuer, who.Subject, "to an administrator"} {
			if _, err := signin.Who(t.Context(), found, tokens.ID); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("a stranger is told %v, without %q", err, want)
			}
		}
	})
}

// TestDisabledAreTold: who shows by what counts otherwise that they are a User who is disabled is told so. With what does not count
// any more they are told what everybody is.
func TestDisabledAreTold(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, bob)
	found, ended := w.login(t, bob)
	_, tokens := w.login(t, bob)
	if err := signin.End(t.Context(), found, ended.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the token does not count", func() bool {
		_, err := signin.Who(t.Context(), found, ended.ID)
		return err != nil
	})
	if said, notTaken := signin.NotTaken(signin.End(t.Context(), found, ended.ID)); !notTaken || said != caller.ErrRefused.Error() {
		t.Errorf("of a token that has ended it is told %q", said)
	}
	disabled := true
	change(t, "bob", func(u *v1alpha1.User) { u.Spec.Disabled = &disabled })
	for raw, want := range map[string]string{
		tokens.ID: "the User bob is disabled", ended.ID: caller.ErrRefused.Error(), tokens.ID + "x": caller.ErrRefused.Error(),
	} {
		if _, err := signin.Who(t.Context(), found, raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("bob is told %v, not %q", err, want)
		}
	}
}

// TestForged: whatever is wrong with a token, the answer is the same.
func TestForged(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	_, tokens := w.login(t, alice)
	parts := strings.Split(tokens.ID, ".")
	forged := map[string]string{
		"no token":                               "x",
		"two parts":                              parts[0] + "." + parts[1],
		"no signature":                           parts[0] + "." + parts[1] + ".",
		"another's signature":                    parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"none":                                   "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"of a service account that is not there": "soma_nobody_x_" + strings.Repeat("a", 51) + "a",
		"long":                                   strings.Repeat("x", 20<<10),
	}
	var first string
	for name, raw := range forged {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.external+"/whoami", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+raw)
		response, err := w.browser(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer := response.Status + body(t, response)
		if first == "" {
			first = answer
		}
		if response.StatusCode != http.StatusUnauthorized || answer != first {
			t.Errorf("%s: %s, where another gets %s", name, answer, first)
		}
	}
	t.Run("too many", func(t *testing.T) {
		refused := 0
		for range 60 {
			if _, status := w.whoami(t, w.browser(t), "x"); status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused == 0 {
			t.Error("60 wrong tokens are each answered")
		}
		if who, status := w.whoami(t, w.browser(t), tokens.ID); who != "alice" {
			t.Errorf("with a good token of the same address alice is %q: %d", who, status)
		}
	})
}

func TestServiceAccountToken(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	var random [token.SecretBytes]byte
	_, _ = rand.Read(random[:])
	raw, err := token.New("builder", "one", random)
	if err != nil {
		t.Fatal(err)
	}
	scope := []v1alpha1.Permission{{URI: "job://local/default/vision", Action: v1alpha1.ActionRead}}
	make1(t, &v1alpha1.User{
		ObjectMeta: metav1.ObjectMeta{Name: "builder"},
		Spec: v1alpha1.UserSpec{Type: v1alpha1.UserServiceAccount, Owner: "alice", Tokens: []v1alpha1.Token{
			{ID: "one", Hash: token.Hash(raw), ExpiresAt: metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second)), Scope: scope},
		}},
	})
	if who, _ := w.whoami(t, w.browser(t), raw); who != "builder" {
		t.Fatalf("the token makes %q", who)
	}
	other, _ := token.New("builder", "one", [token.SecretBytes]byte{1})
	renamed, _ := token.New("builder", "two", random)
	for name, wrong := range map[string]string{"another secret": other, "another id": renamed, "a person": strings.Replace(raw, "builder", "alice", 1)} {
		if who, status := w.whoami(t, w.browser(t), wrong); status != http.StatusUnauthorized {
			t.Errorf("%s makes %q", name, who)
		}
	}
	t.Run("expired", func(t *testing.T) {
		w.clock.put(2 * time.Hour)
		defer w.clock.put(-2 * time.Hour)
		if who, status := w.whoami(t, w.browser(t), raw); status != http.StatusUnauthorized {
			t.Errorf("it is still %q", who)
		}
	})
	t.Run("owner disabled", func(t *testing.T) {
		disabled := true
		change(t, "alice", func(u *v1alpha1.User) { u.Spec.Disabled = &disabled })
		if who, status := w.whoami(t, w.browser(t), raw); status != http.StatusUnauthorized {
			t.Errorf("it is still %q", who)
		}
		change(t, "alice", func(u *v1alpha1.User) { u.Spec.Disabled = nil })
		if who, _ := w.whoami(t, w.browser(t), raw); who != "builder" {
			t.Errorf("with its owner back it is %q", who)
		}
	})
	t.Run("removed", func(t *testing.T) {
		change(t, "builder", func(u *v1alpha1.User) { u.Spec.Tokens = nil })
		if who, status := w.whoami(t, w.browser(t), raw); status != http.StatusUnauthorized {
			t.Errorf("it is still %q", who)
		}
	})
}

// TestStillValid: what is open ends with what it was opened by.
func TestStillValid(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	browser := w.mustSignIn(t, alice)
	g := w.serve(t, listen(t), w.config)
	at, err := url.Parse(w.external)
	if err != nil {
		t.Fatal(err)
	}
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.external, nil)
	for _, cookie := range browser.Jar.Cookies(at) {
		request.AddCookie(cookie)
	}
	c, err := g.Authenticator().Authenticate(request)
	if err != nil || c.User != "alice" || c.Via != caller.ViaCookie || !g.Authenticator().StillValid(c) {
		t.Fatalf("the caller is %+v, %v", c, err)
	}
	if response, err := browser.PostForm(w.external+"/signout", nil); err != nil {
		t.Fatal(err)
	} else {
		_ = response.Body.Close()
	}
	eventually(t, "what was opened ends", func() bool { return !g.Authenticator().StillValid(c) })
}

// TestStreamsOfTokens: what was opened with a token of a few minutes goes on while the sign-in would count.
func TestStreamsOfTokens(t *testing.T) {
	w := newWorldWith(t, dex.Options{TokenLifetime: time.Hour}, nil)
	g := w.serve(t, listen(t), w.config)
	find := func(tokens *signin.Tokens) (caller.Caller, error) {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.external, nil)
		request.Header.Set("Authorization", "Bearer "+tokens.ID)
		return g.Authenticator().Authenticate(request)
	}
	ends := map[string]func(*testing.T, *signin.Discovery, *signin.Tokens){
		"the lifetime of sessions": func(*testing.T, *signin.Discovery, *signin.Tokens) { w.clock.put(11 * time.Hour) },
		"disabled": func(t *testing.T, _ *signin.Discovery, _ *signin.Tokens) {
			change(t, "alice", func(u *v1alpha1.User) { u.Spec.Disabled = new(true) })
		},
		"notBefore": func(t *testing.T, _ *signin.Discovery, _ *signin.Tokens) {
			change(t, "alice", func(u *v1alpha1.User) { u.Spec.NotBefore = &metav1.Time{Time: time.Now().Add(time.Second)} })
		},
		"signed out": func(t *testing.T, found *signin.Discovery, tokens *signin.Tokens) {
			w.clock.put(-2 * time.Hour)
			browser := w.mustSignIn(t, alice)
			if err := signin.End(t.Context(), found, tokens.ID); err != nil {
				t.Error(err)
			}
			// Another one that is signed out once the token has ended is no reason to forget this one.
			w.clock.put(90 * time.Minute)
			if response, err := browser.PostForm(w.external+"/signout", nil); err != nil {
				t.Error(err)
			} else {
				_ = response.Body.Close()
			}
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			w.user(t, alice)
			found, tokens := w.login(t, alice)
			c, err := find(tokens)
			if err != nil {
				t.Fatal(err)
			}
			w.clock.put(2 * time.Hour)
			defer w.clock.put(-2 * time.Hour)
			if _, err := find(tokens); err == nil {
				t.Error("a request comes with a token that has ended")
			}
			if !g.Authenticator().StillValid(c) {
				t.Error("a stream ends with the token")
			}
			before := w.clock.by.Load()
			defer w.clock.by.Store(before)
			end(t, found, tokens)
			eventually(t, "the stream ends", func() bool { return !g.Authenticator().StillValid(c) })
		})
	}
}
