package gateway_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/signin"
	"github.com/soma-platform/soma/internal/testing/dex"
)

func (w *world) link(t *testing.T, name string) (*url.URL, error) {
	t.Helper()
	direct, err := client.New(api.Config, client.Options{Scheme: api.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	text, err := signin.First{Client: direct, Namespace: namespace, Now: w.clock.Now}.Issue(t.Context(), w.external, name)
	if err != nil {
		return nil, err
	}
	link, err := url.Parse(text)
	if err != nil || !strings.HasPrefix(text, w.external+"/first-admin?token=") {
		t.Fatalf("the link is %s: %v", text, err)
	}
	return link, nil
}

func TestFirstAdministrator(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	old, err := w.link(t, "admin")
	if err != nil {
		t.Fatal(err)
	}
	link, err := w.link(t, "admin")
	if err != nil {
		t.Fatal(err)
	}
	page := func(t *testing.T, address string) (*http.Response, string) {
		response, err := w.browser(t).Get(address)
		if err != nil {
			t.Fatal(err)
		}
		return response, body(t, response)
	}
	if response, text := page(t, link.String()); response.StatusCode != http.StatusOK || !strings.Contains(text, "first administrator") {
		t.Fatalf("the link leads to %s: %s", response.Status, text)
	}
	if response, text := page(t, old.String()); response.StatusCode != http.StatusForbidden {
		t.Errorf("the link before leads to %s: %s", response.Status, text)
	}
	with := "&token=" + url.QueryEscape(link.Query().Get("token"))
	if response, text := w.signIn(t, w.browser(t), alice, with); response.StatusCode != http.StatusForbidden || !strings.Contains(text, "already") {
		t.Errorf("who is a User gets %s: %s", response.Status, text)
	}
	if response, text := w.signIn(t, w.browser(t), stranger, "&token=x"); response.StatusCode != http.StatusForbidden {
		t.Errorf("another link gets %s: %s", response.Status, text)
	}

	// Of two who come at once one is the first.
	var both sync.WaitGroup
	results := make([]int, 2)
	for i, p := range []dex.Person{stranger, bob} {
		both.Go(func() {
			response, err := w.SignIn(w.browser(t), w.external+"/signin/start?issuer=dex"+with, p)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
			results[i] = response.StatusCode
		})
	}
	both.Wait()
	t.Cleanup(func() { remove(t, "admin") })
	if results[0]+results[1] != http.StatusOK+http.StatusForbidden {
		t.Fatalf("two who come at once get %v", results)
	}
	user := read(t, "admin")
	if len(user.Spec.Roles) != 1 || user.Spec.Roles[0].Role != "cluster-admin" || user.Spec.Roles[0].Organization != "" {
		t.Errorf("the administrator is %+v", user.Spec)
	}
	if response, _ := page(t, link.String()); response.StatusCode != http.StatusForbidden {
		t.Errorf("the link that was used leads to %s", response.Status)
	}
	if _, err := w.link(t, ""); err == nil {
		t.Error("there is another link while there is an administrator")
	}
	change(t, "admin", func(u *v1alpha1.User) { u.Spec.Disabled = new(true) })
	if _, err := w.link(t, "another"); err != nil {
		t.Errorf("the only administrator is disabled: %v", err)
	}
}
