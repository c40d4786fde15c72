package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-logr/logr"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/gateway"
	"github.com/soma-platform/soma/internal/gateway/config"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/signin"
	"github.com/soma-platform/soma/internal/testing/records"
)

// A gateway that does not know anybody yet takes nobody for somebody whose session is over.
func TestNobodyIsKnownYet(t *testing.T) {
	rights := authority.New(clock.RealClock{})
	g, err := gateway.New(gateway.Options{
		Config: &config.Config{ExternalURL: "https://soma.example.org", KeysFile: newKeys(t, session.NewKey())}, Authority: rights,
		Client: api.Client, Namespace: namespace, Audit: &records.Log{}, Clock: clock.RealClock{}, Log: logr.Discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://soma.example.org"+path, nil)
		r.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		g.Handler().ServeHTTP(w, r)
		return w.Result()
	}
	for path, want := range map[string]int{
		"/whoami": http.StatusServiceUnavailable, "/kubernetes/api": http.StatusServiceUnavailable, "/readyz": http.StatusServiceUnavailable,
		"/livez": http.StatusOK, signin.WellKnownPath: http.StatusOK,
	} {
		answer := ask(path)
		if answer.StatusCode != want || want != http.StatusOK && path != "/readyz" && answer.Header.Get("Retry-After") == "" {
			t.Errorf("%s is answered %d, come again after %q; want %d", path, answer.StatusCode, answer.Header.Get("Retry-After"), want)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- rights.Start(ctx, []toolscache.InformerSynced{func() bool { return true }}) }()
	eventually(t, "users are known", rights.Synced)
	for path, want := range map[string]int{"/whoami": http.StatusUnauthorized, "/readyz": http.StatusOK} {
		if answer := ask(path); answer.StatusCode != want {
			t.Errorf("%s is answered %d, want %d", path, answer.StatusCode, want)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
