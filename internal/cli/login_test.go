package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/soma-platform/soma/internal/signin"
)

// What is kept of a sign-in is what kubectl gets, until it is forgotten.
func TestTokenOfASignIn(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", folder)
	t.Setenv("HOME", folder)
	kubeconfig := filepath.Join(folder, "new", "kubeconfig")
	const gateway = "https://127.0.0.1:1"
	soma := func(args ...string) (int, string, string) {
		var out, errOut bytes.Buffer
		code := Main(append([]string{"soma", "--kubeconfig", kubeconfig}, args...), strings.NewReader(""), &out, &errOut)
		return code, out.String(), errOut.String()
	}
	a := &app{program: "soma", out: os.Stdout, err: os.Stderr, now: time.Now, kube: kubeFlags{kubeconfig: kubeconfig}}
	found := &signin.Discovery{Gateway: gateway, Kubernetes: gateway + "/kubernetes"}
	if err := os.MkdirAll(filepath.Dir(kubeconfig), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := a.addContext(contextName(gateway), found); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil || config.CurrentContext != "127.0.0.1:1" || gatewayOf(config, config.CurrentContext) != gateway {
		t.Fatalf("got %+v, %v", config, err)
	}
	if gatewayOf(config, "another") != "" {
		t.Error("a context that does not exist has a gateway")
	}
	if code, out, said := soma("auth", "token"); code != exitFailure || out != "" || !strings.Contains(said, `"soma login https://127.0.0.1:1"`) {
		t.Errorf("got %d: %s%s", code, out, said)
	}

	cache, err := signin.OpenCache("")
	if err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(time.Hour)
	if err := cache.Save(&signin.Saved{Discovery: *found, Tokens: signin.Tokens{ID: "the-token", Expires: until}}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"auth", "token"}, {"auth", "token", "--gateway", gateway}} {
		code, out, said := soma(args...)
		var credential clientauthentication.ExecCredential
		if err := json.Unmarshal([]byte(out), &credential); code != exitOK || err != nil || credential.Status.Token != "the-token" ||
			!credential.Status.ExpirationTimestamp.After(time.Now()) {
			t.Errorf("%v: got %d: %s%s, %v", args, code, out, said, err)
		}
	}
	// What cannot be told to the gateway does not keep anybody from signing out here.
	if code, _, said := soma("logout"); code != exitOK || !strings.Contains(said, "signed out at "+gateway) || !strings.Contains(said, "gateway could not be told") {
		t.Errorf("got %d: %s", code, said)
	}
	if code, _, said := soma("logout"); code != exitOK || !strings.Contains(said, "not signed in") {
		t.Errorf("got %d: %s", code, said)
	}
	if code, _, _ := soma("auth", "token"); code != exitFailure {
		t.Error("there is a token after the sign-out")
	}
	if code, _, said := soma("logout", "http://soma.example.com"); code == exitOK || !strings.Contains(said, "is no address of a gateway") {
		t.Errorf("got %d: %s", code, said)
	}
}
