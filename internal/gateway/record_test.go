package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/audit"
	"github.com/soma-platform/soma/internal/gateway/config"
)

// told holds what was recorded against what is wanted: verb, user, subject, reason and code.
func (w *world) told(t *testing.T, what string, want ...audit.Record) []audit.Record {
	t.Helper()
	got := w.audit.Take()
	if len(got) != len(want) {
		t.Fatalf("%s is recorded as %+v", what, got)
	}
	for i, one := range got {
		if w := want[i]; one.Verb != w.Verb || one.User != w.User || one.Subject != w.Subject || one.Reason != w.Reason || one.Code != w.Code || one.Allowed != w.Allowed {
			t.Errorf("%s is recorded as %+v, not as %+v", what, one, w)
		}
		if one.Source != "127.0.0.1" || one.At.IsZero() || one.Subject != "" && one.Issuer == "" {
			t.Errorf("%s is recorded as %+v", what, one)
		}
		if strings.Contains(one.Path, "?") {
			t.Errorf("%s: the record has what only the browser is to have: %+v", what, one)
		}
	}
	return got
}

func TestWhoComesInIsRecorded(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	subject := w.Subject(alice)
	browser := w.mustSignIn(t, alice)
	in := w.told(t, "signing in", audit.Record{Verb: "sign-in", User: "alice", Subject: subject, Allowed: true, Code: http.StatusSeeOther})
	if in[0].Session == "" || in[0].Via != "cookie" {
		t.Errorf("the session is not recorded: %+v", in[0])
	}
	kept := copyOf(t, w, browser)
	response, err := browser.PostForm(w.external+"/signout", nil)
	if err != nil {
		t.Fatal(err)
	}
	body(t, response)
	out := w.told(t, "signing out", audit.Record{Verb: "sign-out", User: "alice", Subject: subject, Allowed: true, Code: http.StatusOK})
	if out[0].Session != in[0].Session {
		t.Errorf("signing out of %q ended %q", in[0].Session, out[0].Session)
	}
	w.signIn(t, w.browser(t), stranger, "")
	w.told(t, "somebody whom nobody knows", audit.Record{Verb: "sign-in", Subject: w.Subject(stranger), Reason: "Unknown", Code: http.StatusForbidden})

	// The copy of a session that was signed out, once that is known.
	eventually(t, "the session has ended", func() bool { _, code := w.whoami(t, kept, ""); return code == http.StatusUnauthorized })
	refused := w.audit.Take()
	if last := refused[len(refused)-1]; last.Verb != "authenticate" || last.User != "alice" || last.Session != in[0].Session || last.Allowed ||
		last.Reason != "Credentials" || !strings.Contains(last.Detail, "signed out") || last.Path != "/whoami" {
		t.Errorf("a session that was signed out is recorded as %+v", last)
	}
	w.whoami(t, w.browser(t), "no-token-at-all")
	w.told(t, "a token that nobody gave", audit.Record{Verb: "authenticate", Reason: "Credentials", Code: http.StatusUnauthorized})
	if response, err = w.browser(t).Get(w.external + "/signin/callback?code=x&state=y"); err != nil {
		t.Fatal(err)
	}
	body(t, response)
	w.told(t, "an answer that nobody asked for", audit.Record{Verb: "sign-in", Reason: "Provider", Code: http.StatusBadRequest})

	change(t, "alice", func(u *v1alpha1.User) { u.Spec.Disabled = new(true) })
	w.signIn(t, w.browser(t), alice, "")
	w.told(t, "somebody who is disabled", audit.Record{Verb: "sign-in", User: "alice", Subject: subject, Reason: "User", Code: http.StatusForbidden})

	// Of one address not more than so many, whatever it tries.
	for range 100 {
		if response, err = w.browser(t).Get(w.external + "/first-admin?token=x"); err != nil {
			t.Fatal(err)
		}
		body(t, response)
	}
	if n := len(w.audit.Take()); n == 0 || n > 65 {
		t.Errorf("of 100 refusals %d are recorded", n)
	}
}

func TestUsersThatAreMadeAreRecorded(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.CreateUsers = true })
	w.mustSignIn(t, bob)
	var users v1alpha1.UserList
	if err := api.Client.List(t.Context(), &users); err != nil || len(users.Items) != 1 {
		t.Fatalf("users are %+v: %v", users.Items, err)
	}
	name := users.Items[0].Name
	t.Cleanup(func() { remove(t, name) })
	made := w.told(t, "a User that is made",
		audit.Record{Verb: "create", User: name, Subject: w.Subject(bob), Allowed: true, Code: http.StatusCreated},
		audit.Record{Verb: "sign-in", User: name, Subject: w.Subject(bob), Allowed: true, Code: http.StatusSeeOther})
	if made[0].Resource != "users" || made[0].Name != name {
		t.Errorf("what was made is not recorded: %+v", made[0])
	}
	link, err := w.link(t, "first")
	if err != nil {
		t.Fatal(err)
	}
	token := "&token=" + link.Query().Get("token")
	w.signIn(t, w.browser(t), bob, token)
	w.told(t, "a link for who is a User", audit.Record{Verb: "first-admin", Subject: w.Subject(bob), Reason: "Link", Code: http.StatusForbidden})
	w.signIn(t, w.browser(t), stranger, token)
	t.Cleanup(func() { remove(t, "first") })
	w.told(t, "the first administrator",
		audit.Record{Verb: "first-admin", User: "first", Subject: w.Subject(stranger), Allowed: true, Code: http.StatusCreated},
		audit.Record{Verb: "sign-in", User: "first", Subject: w.Subject(stranger), Allowed: true, Code: http.StatusSeeOther})
	var first v1alpha1.User
	if err := api.Client.Get(t.Context(), client.ObjectKey{Name: "first"}, &first); err != nil {
		t.Fatal(err)
	}
}

// TestWhoComesByTheCommandLineIsRecorded: it signs in elsewhere, and is recorded when it first comes with what it was given.
func TestWhoComesByTheCommandLineIsRecorded(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	subject := w.Subject(alice)
	_, tokens := w.login(t, alice)
	long := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	setStatus(t, "alice", func(s *v1alpha1.UserStatus) { s.Groups, s.LastSignIn = []string{"research", "vision"}, &long })
	w.told(t, "what was not used here")
	for range 3 {
		w.whoami(t, w.browser(t), tokens.ID)
	}
	in := w.told(t, "signing in", audit.Record{Verb: "sign-in", User: "alice", Subject: subject, Allowed: true, Code: http.StatusOK})[0]
	if in.Session == "" || in.Via != "id-token" || in.Path != "/whoami" || !strings.Contains(in.Detail, "at the identity provider, ") {
		t.Errorf("the token is recorded as %+v", in)
	}
	if last := read(t, "alice").Status.LastSignIn; last == nil || !last.After(long.Time) {
		t.Errorf("alice is shown as signed in at %v", last)
	}
	w.clock.put(24 * time.Hour)
	w.whoami(t, w.browser(t), tokens.ID)
	w.told(t, "a token that is over", audit.Record{Verb: "authenticate", Reason: "Credentials", Code: http.StatusUnauthorized})
	w.clock.put(-24 * time.Hour)

	_, tokens = w.login(t, stranger)
	w.whoami(t, w.browser(t), tokens.ID)
	w.told(t, "somebody whom nobody knows", audit.Record{Verb: "authenticate", Subject: w.Subject(stranger), Reason: "Credentials", Code: http.StatusUnauthorized})

	// That it cannot be noted keeps nobody out.
	_, tokens = w.login(t, alice)
	setStatus(t, "alice", func(s *v1alpha1.UserStatus) { s.LastSignIn = &long })
	w.unwritable.Store(true)
	if who, status := w.whoami(t, w.browser(t), tokens.ID); who != "alice" {
		t.Errorf("where nothing is written alice is %q: %d", who, status)
	}
}
