package gateway_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/signin"
	"github.com/soma-platform/soma/internal/testing/dex"
)

// TestSignOutOfTokens: a command line that signs out leaves nothing that counts, and nothing that stays for ever.
func TestSignOutOfTokens(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	found, tokens := w.login(t, alice)
	if err := signin.End(t.Context(), found, tokens.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the token does not count", func() bool {
		_, status := w.whoami(t, w.browser(t), tokens.ID)
		return status == http.StatusUnauthorized
	})
	ended := read(t, "alice").Status.EndedSessions
	if len(ended) != 1 {
		t.Fatalf("ended are %v", ended)
	}
	if ends, named := session.Ended(ended[0]); !named || ends.Before(tokens.Expires) || ends.After(tokens.Expires.Add(24*time.Hour)) {
		t.Errorf("%s is kept until %v, and the token counts until %v", ended[0], ends, tokens.Expires)
	}
	if err := signin.End(t.Context(), found, tokens.ID); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a second time: %v", err)
	}
	// Dex takes no refresh tokens back, and says so.
	if err := signin.Revoke(t.Context(), &found.Issuers[0], tokens.Refresh); !errors.Is(err, signin.ErrNoRevocation) {
		t.Errorf("revoked: %v", err)
	}
	_, tokens = w.login(t, alice)
	w.unwritable.Store(true)
	defer w.unwritable.Store(false)
	if err := signin.End(t.Context(), found, tokens.ID); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("where it cannot be noted: %v", err)
	}
}

// TestSignOutAtTheProvider: who signs out is not let in again without showing who they are.
func TestSignOutAtTheProvider(t *testing.T) {
	w := newWorldWith(t, dex.Options{Sessions: true}, nil)
	w.user(t, alice)
	browser := w.mustSignIn(t, alice)
	response, err := browser.Get(w.external + "/signin/start?issuer=dex")
	if err != nil {
		t.Fatal(err)
	}
	if page := body(t, response); !strings.Contains(page, "You are signed in") {
		t.Fatalf("the provider keeps nobody signed in: %s", page)
	}
	response, err = browser.Get(w.external + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if policy, origin := response.Header.Get("Content-Security-Policy"), strings.TrimSuffix(w.Issuer, "/dex"); !strings.Contains(policy, "form-action 'self' "+origin+";") {
		t.Errorf("browsers do not let the page's form lead to the provider: %s", policy)
	}
	response, err = browser.PostForm(w.external+"/signout", nil)
	if err != nil {
		t.Fatal(err)
	}
	if page := body(t, response); !strings.HasPrefix(response.Request.URL.String(), w.Issuer) || response.StatusCode != http.StatusOK || strings.Contains(page, "<form") {
		t.Errorf("signing out ends at %s: %s %s", response.Request.URL, response.Status, page)
	}
	if who, status := w.whoami(t, browser, ""); status != http.StatusUnauthorized {
		t.Errorf("afterwards alice is %q", who)
	}
	response, err = browser.Get(w.external + "/signin/start?issuer=dex")
	if err != nil {
		t.Fatal(err)
	}
	if page := body(t, response); !strings.Contains(page, "password") {
		t.Errorf("signing in again ends at %s: %s", response.Request.URL, page)
	}
}
