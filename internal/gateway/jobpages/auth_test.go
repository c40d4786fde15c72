package jobpages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/session"
)

// Whatever a client says of itself, spelled in whatever way, nobody is let in by it.
func TestNothingSaidOfOneselfCounts(t *testing.T) {
	w := newWorld(t)
	names := []string{
		"X-Forwarded-User", "X-Soma-Assertion", "X-Soma-User", "X-Remote-User", "Remote-User", "X-Auth-Request-User", "Impersonate-User",
		"X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Original-Url",
		"X-Rewrite-Url", "X-Original-Uri", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Access-Token", "User-Agent", "Referer",
		"Proxy-Authorization", "Connection", "Host",
	}
	values := []string{"bob", "soma:bob", "127.0.0.1", host, "/healthz", "/.soma/enter", "/oauth2/", "GoogleHC/1.0", "X-Forwarded-Host, close", "__Host-soma-page=x"}
	uris := []string{"/", "/.soma/enter", "/%2e%2e/.soma/", "/..;/", "/a/../.soma/enter?code=1", "/#", "//", "/\\", "/healthz", "/favicon.ico", "/robots.txt"}
	count := 0
	for _, name := range names {
		for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), name + " "} {
			for i, value := range values {
				header := http.Header{spelled: {value}, "Accept": {"*/*"}}
				answer := w.ask(host, http.MethodGet, uris[(count+i)%len(uris)], header)
				if answer.StatusCode != http.StatusUnauthorized {
					t.Errorf("%q: %q lets in: %d", spelled, value, answer.StatusCode)
				}
				count++
			}
		}
	}
	if count < 500 {
		t.Errorf("only %d were tried", count)
	}
}

func TestTheProxyAlone(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{AuthPath, AuthPath + "wrong", AuthPath + proxyToken + "/", AuthPath + proxyToken[1:], "/"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set(forwardedHost, host)
		r.Header.Set(forwardedMethod, http.MethodGet)
		r.Header.Set("Authorization", "Bearer bob")
		answer := httptest.NewRecorder()
		w.Auth().ServeHTTP(answer, r)
		if answer.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
	// Where no proxy is to ask, nobody does by having no token.
	o := w.Options
	o.ProxyToken = ""
	closed, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{AuthPath, AuthPath + proxyToken} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header = http.Header{forwardedHost: {host}, forwardedMethod: {http.MethodGet}, "Authorization": {"Bearer bob"}}
		answer := httptest.NewRecorder()
		if closed.Auth().ServeHTTP(answer, r); answer.Code != http.StatusForbidden {
			t.Errorf("%s where none may ask: %d", path, answer.Code)
		}
	}
	for name, header := range map[string]http.Header{
		"two hosts":   {forwardedHost: {host, "evil"}, forwardedMethod: {http.MethodGet}},
		"no host":     {forwardedMethod: {http.MethodGet}},
		"no method":   {forwardedHost: {host}},
		"two methods": {forwardedHost: {host}, forwardedMethod: {http.MethodGet, http.MethodPost}},
	} {
		r := httptest.NewRequest(http.MethodGet, AuthPath+proxyToken, nil)
		r.Header = header
		r.Header.Set("Authorization", "Bearer bob")
		answer := httptest.NewRecorder()
		w.Auth().ServeHTTP(answer, r)
		if answer.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, answer.Code)
		}
	}
}

func BenchmarkAuth(b *testing.B) {
	w := newWorld(b)
	visit := visitOf(caller.Caller{User: "bob", UID: "uid-of-bob", Session: "s", Via: caller.ViaCookie, IssuedAt: noon, ExpiresAt: noon.Add(time.Hour)})
	visit.Host, visit.JobUID, visit.Until = host, "uid-1", noon.Add(time.Hour)
	sealed, err := visit.seal(w.keys, session.ForPage)
	if err != nil {
		b.Fatal(err)
	}
	header := with(nil, &http.Cookie{Name: pageCookie, Value: sealed})
	b.ResetTimer()
	for b.Loop() {
		if answer := w.ask(host, http.MethodGet, "/", header); answer.StatusCode != http.StatusOK {
			b.Fatal(fmt.Sprint(answer.StatusCode))
		}
	}
}
