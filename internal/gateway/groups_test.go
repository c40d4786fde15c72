package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/yaml"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/config"
	"github.com/soma-platform/soma/internal/signin"
	"github.com/soma-platform/soma/internal/testing/dex"
)

// setStatus changes a user's status and waits until that is known.
func setStatus(t *testing.T, name string, to func(*v1alpha1.UserStatus)) {
	t.Helper()
	user := read(t, name)
	to(&user.Status)
	if err := api.Client.Status().Update(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the status is known", func() bool {
		return known(name, func(u *v1alpha1.User) bool { return u.ResourceVersion == user.ResourceVersion })
	})
}

// TestGroupsOfTokens: who comes with tokens alone has the groups that these say, from the first request on.
func TestGroupsOfTokens(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	found, tokens := w.login(t, alice)
	want := []string{"research", "vision"}
	is := func(t *testing.T, want []string) {
		t.Helper()
		who, err := signin.Who(t.Context(), found, tokens.ID)
		if err != nil || !slices.Equal(who.Groups, want) {
			t.Fatalf("alice is %+v, %v; want the groups %v", who, err, want)
		}
		if user := read(t, "alice"); !slices.Equal(user.Status.Groups, want) || user.Status.LastSignIn == nil {
			t.Fatalf("it is noted %+v, want the groups %v", user.Status, want)
		}
	}
	is(t, want)

	t.Run("no news", func(t *testing.T) {
		before := w.writes.Load()
		for range 10 {
			is(t, want)
		}
		if after := w.writes.Load(); after != before {
			t.Errorf("%d writes without news", after-before)
		}
	})
	t.Run("left a group", func(t *testing.T) {
		setStatus(t, "alice", func(s *v1alpha1.UserStatus) { s.Groups = []string{"of long ago", "research"} })
		before := w.writes.Load()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if who, err := signin.Who(t.Context(), found, tokens.ID); err != nil || !slices.Equal(who.Groups, want) {
					t.Errorf("alice is %+v, %v", who, err)
				}
			})
		}
		all.Wait()
		if after := w.writes.Load(); after != before+1 {
			t.Errorf("one change makes %d writes", after-before)
		}
		is(t, want)
	})
	t.Run("known from a later one", func(t *testing.T) {
		later := []string{"vision"}
		setStatus(t, "alice", func(s *v1alpha1.UserStatus) {
			s.Groups, s.LastSignIn = later, &metav1.Time{Time: time.Now().Add(time.Minute)}
		})
		is(t, later)
	})
	t.Run("not noted", func(t *testing.T) {
		setStatus(t, "alice", func(s *v1alpha1.UserStatus) { s.Groups, s.LastSignIn = []string{"of long ago"}, nil })
		w.unwritable.Store(true)
		if who, status := w.whoami(t, w.browser(t), tokens.ID); status != http.StatusServiceUnavailable {
			t.Errorf("with groups that cannot be noted alice is %q: %d", who, status)
		}
		w.unwritable.Store(false)
		is(t, want)
	})
	t.Run("disabled", func(t *testing.T) {
		setStatus(t, "alice", func(s *v1alpha1.UserStatus) { s.Groups, s.LastSignIn = nil, nil })
		change(t, "alice", func(u *v1alpha1.User) { u.Spec.Disabled = new(true) })
		before := w.writes.Load()
		if who, status := w.whoami(t, w.browser(t), tokens.ID); status != http.StatusUnauthorized || w.writes.Load() != before {
			t.Errorf("who is disabled is %q: %d, and something is written", who, status)
		}
	})
}

// andAnother adds another identity provider to a configuration. Its groups have the prefix.
func andAnother(t *testing.T, w *world, c *config.Config, prefix string, people ...dex.Person) *dex.Provider {
	t.Helper()
	other := dex.Start(t, dex.Options{
		Clients: []dex.Client{{ID: clientID, Name: "Soma", RedirectURIs: []string{c.ExternalURL + "/signin/callback"}}},
		People:  people, TokenLifetime: 24 * time.Hour,
	})
	w.Pool.AppendCertsFromPEM(other.CA)
	c.Issuers = append(c.Issuers, config.Issuer{Name: "other", URL: other.Issuer, ClientID: clientID, CAFile: other.CAFile, GroupsPrefix: prefix})
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := config.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	*c = *parsed
	return other
}

// TestGroupsOfTwoProviders: each tells of its own groups alone.
func TestGroupsOfTwoProviders(t *testing.T) {
	w := newWorld(t, nil)
	there := alice
	there.Groups = []string{"ml", "vision"}
	two := *w.config
	other := andAnother(t, w, &two, "other:", there)
	w.serve(t, listen(t), &two)
	user := w.user(t, alice)
	change(t, "alice", func(u *v1alpha1.User) {
		u.Spec.Identities = append(u.Spec.Identities, v1alpha1.Identity{Issuer: other.Issuer, Subject: other.Subject(there)})
	})
	is := func(want ...string) {
		t.Helper()
		eventually(t, "the groups are "+strings.Join(want, " "), func() bool {
			return known("alice", func(u *v1alpha1.User) bool { return slices.Equal(u.Status.Groups, want) })
		})
	}
	both := []string{"other:ml", "other:vision", "research", "vision"}

	here := w.mustSignIn(t, alice)
	is("research", "vision")
	response, err := other.SignIn(w.browser(t), w.external+"/signin/start?issuer=other", there)
	if err != nil {
		t.Fatal(err)
	}
	if page := body(t, response); !strings.Contains(page, "You are signed in") {
		t.Fatalf("alice does not get in at the other: %s", page)
	}
	is(both...)
	_, tokens := w.login(t, alice)
	before := w.writes.Load()
	for range 3 {
		w.clock.put(20 * time.Minute)
		for browser, token := range map[*http.Client]string{here: "", w.browser(t): tokens.ID} {
			if who, status := w.whoami(t, browser, token); who != "alice" {
				t.Fatalf("alice is %q: %d", who, status)
			}
		}
	}
	is(both...)
	if after := w.writes.Load(); after != before {
		t.Errorf("%d writes without news", after-before)
	}

	change(t, "alice", func(u *v1alpha1.User) { u.Spec.Identities = user.Spec.Identities })
	if who, status := w.whoami(t, w.browser(t), tokens.ID); who != "alice" {
		t.Fatalf("alice is %q: %d", who, status)
	}
	is("research", "vision")
}

// TestGroupOfAnotherProvider: what one provider calls as another one's groups are called is no group.
func TestGroupOfAnotherProvider(t *testing.T) {
	w := newWorld(t, nil)
	two := *w.config
	andAnother(t, w, &two, "vis")
	w.serve(t, listen(t), &two)
	w.user(t, alice)
	w.mustSignIn(t, alice)
	if groups := read(t, "alice").Status.Groups; !slices.Equal(groups, []string{"research"}) {
		t.Errorf("alice is in %v", groups)
	}
}
