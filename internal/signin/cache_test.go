package signin

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const gateway = "https://soma.example"

// here is where the tests sign in.
var here = At{Gateway: gateway, Session: "mine"}

func saved(expires time.Time) *Saved {
	return &Saved{
		Discovery: Discovery{Gateway: gateway, Kubernetes: gateway + "/kubernetes", Issuers: []Issuer{{Name: "id", URL: "https://127.0.0.1:1", ClientID: "soma-cli"}}},
		Session:   "mine", Issuer: "id", Tokens: Tokens{ID: "token", Refresh: "refresh", Expires: expires},
	}
}

func TestCache(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "soma")
	c, err := OpenCache(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(here); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("before: %v", err)
	}
	now := time.Now()
	if err := c.Save(saved(now.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if info, err := files[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder's mode is %v, %v", info.Mode(), err)
	}
	if tokens, err := c.Token(t.Context(), here, time.Now); err != nil || tokens.ID != "token" {
		t.Errorf("%+v, %v", tokens, err)
	}
	if _, err := c.Load(At{"https://other.example", "mine"}); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("at another gateway: %v", err)
	}
	if _, err := c.Load(At{gateway, "another's"}); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("as another: %v", err)
	}
	if err := os.WriteFile(c.path(here), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(here); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("damaged: %v", err)
	}
	if err := errors.Join(c.Remove(here), c.Remove(here)); err != nil {
		t.Error(err)
	}
}

// TestTokenWithoutProvider: a token that counts for a moment yet is used where it cannot be renewed, and then no more.
func TestTokenWithoutProvider(t *testing.T) {
	c, err := OpenCache(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Save(saved(time.Now().Add(30 * time.Second))); err != nil {
		t.Fatal(err)
	}
	if tokens, err := c.Token(t.Context(), here, time.Now); err != nil || tokens.ID != "token" {
		t.Errorf("%+v, %v", tokens, err)
	}
	if tokens, err := c.Token(t.Context(), here, func() time.Time { return time.Now().Add(time.Minute) }); err == nil {
		t.Errorf("when it has ended: %+v", tokens)
	}
	without := saved(time.Now())
	without.Tokens.Refresh = ""
	if err := c.Save(without); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Token(t.Context(), here, time.Now); !errors.Is(err, ErrSignInAgain) {
		t.Errorf("without what renews it: %v", err)
	}
}

func TestCredential(t *testing.T) {
	var out bytes.Buffer
	at := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	if err := WriteCredential(&out, &Tokens{ID: "token", Refresh: "refresh", Expires: at}); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	status, _ := got["status"].(map[string]any)
	if got["kind"] != "ExecCredential" || status["token"] != "token" || status["expirationTimestamp"] != "2026-12-01T09:59:30Z" || bytes.Contains(out.Bytes(), []byte("refresh")) {
		t.Errorf("%s", out.String())
	}
}

func TestEntry(t *testing.T) {
	config := clientcmdapi.NewConfig()
	d := saved(time.Now()).Discovery
	Entry(config, "soma", &d, "soma", []string{"login", "token"})
	config.Contexts["soma"].Namespace = "vision"
	Entry(config, "soma", &d, "soma", []string{"login", "token"})
	if config.Clusters["soma"].Server != gateway+"/kubernetes" || config.Contexts["soma"].Namespace != "vision" || config.AuthInfos["soma"].Exec.Command != "soma" {
		t.Errorf("%+v", config)
	}
}

func TestAddress(t *testing.T) {
	for given, want := range map[string]string{
		"soma.example": gateway, "https://Soma.Example/": gateway, "https://soma.example:8443": gateway + ":8443",
		"http://soma.example": "", "https://soma.example/x": "", "https://a@soma.example": "", "": "", "https://soma.example?x": "",
	} {
		if got, err := Address(given); got != want || (err == nil) != (want != "") {
			t.Errorf("Address(%q) = %q, %v", given, got, err)
		}
	}
}
