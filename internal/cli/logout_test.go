package cli

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/soma-platform/soma/internal/signin"
)

// Who signs out tells the gateway and the identity provider, and says what it could not.
func TestLogout(t *testing.T) {
	tests := map[string]struct {
		ends    time.Duration
		offers  bool
		refuses int
		want    []string
		says    string
	}{
		"both":                      {time.Hour, true, 0, []string{"/signout Bearer the-token", "/revoke refresh the-refresh soma-cli"}, ""},
		"a token that is over":      {-time.Hour, true, 0, []string{"/revoke refresh the-refresh soma-cli"}, ""},
		"a provider without it":     {time.Hour, false, 0, []string{"/signout Bearer the-token"}, "\nThe identity provider takes nothing back before it ends: with a copy of what was kept here one could go on.\n"},
		"neither":                   {time.Hour, true, http.StatusInternalServerError, []string{"/signout Bearer the-token", "/revoke refresh the-refresh soma-cli"}, "\nwarning: the identity provider could not be told: with a copy of what was kept here one could go on: it answers 500 Internal Server Error: not now\n"},
		"a token that is not taken": {time.Hour, false, http.StatusUnauthorized, []string{"/signout Bearer the-token"}, "\nThe gateway does not take the token anyway: not now\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			t.Setenv("XDG_CONFIG_HOME", folder)
			t.Setenv("HOME", folder)
			var told []string
			var server *httptest.Server
			server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.Method + r.URL.Path {
				case "GET/.well-known/openid-configuration":
					document := map[string]string{"issuer": server.URL}
					if test.offers {
						document["revocation_endpoint"] = server.URL + "/revoke"
					}
					_ = json.NewEncoder(w).Encode(document)
					return
				case "POST/signout":
					told = append(told, "/signout "+r.Header.Get("Authorization"))
				case "POST/revoke":
					told = append(told, "/revoke "+strings.TrimSuffix(r.FormValue("token_type_hint"), "_token")+" "+r.FormValue("token")+" "+r.FormValue("client_id"))
				}
				if test.refuses != 0 {
					http.Error(w, "not now", test.refuses)
				}
			}))
			defer server.Close()
			ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
			cache, err := signin.OpenCache("")
			if err != nil {
				t.Fatal(err)
			}
			err = cache.Save(&signin.Saved{
				Discovery: signin.Discovery{Gateway: server.URL, CA: ca, Issuers: []signin.Issuer{{Name: "id", URL: server.URL, ClientID: "soma-cli", CA: ca}}},
				Issuer:    "id", Tokens: signin.Tokens{ID: "the-token", Refresh: "the-refresh", Expires: time.Now().Add(test.ends)},
			})
			if err != nil {
				t.Fatal(err)
			}
			var out, said bytes.Buffer
			code := Main([]string{"soma", "--kubeconfig", filepath.Join(folder, "kubeconfig"), "logout", server.URL}, strings.NewReader(""), &out, &said)
			if code != exitOK || !strings.Contains(said.String(), "signed out at "+server.URL) || !strings.Contains(said.String(), test.says) {
				t.Errorf("got %d: %s", code, said.String())
			}
			if test.says == "" && strings.Count(said.String(), "\n") != 1 {
				t.Errorf("all is well, and it says %s", said.String())
			}
			if strings.Join(told, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("told %q, want %q", told, test.want)
			}
			if _, err := cache.Load(signin.At{Gateway: server.URL}); err == nil {
				t.Error("the sign-in is kept")
			}
		})
	}
}
