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
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

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
	if err := a.addContext(clientcmdapi.NewConfig(), contextName(gateway), found, "mine"); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil || config.CurrentContext != "127.0.0.1:1" || signedIn(config, config.CurrentContext).Gateway != gateway {
		t.Fatalf("got %+v, %v", config, err)
	}
	if signedIn(config, "another").Gateway != "" {
		t.Error("a context that does not exist has a gateway")
	}
	if code, out, said := soma("auth", "token"); code != exitFailure || out != "" || !strings.Contains(said, `"soma login https://127.0.0.1:1"`) {
		t.Errorf("got %d: %s%s", code, out, said)
	}

	until := time.Now().Add(time.Hour)
	if err := a.keep(contextName(gateway), &signin.Saved{Discovery: *found, Tokens: signin.Tokens{ID: "the-token", Expires: until}}); err != nil {
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

// Each context of each kubeconfig keeps who signed in there: one person's is not another's, whoever signed in last.
func TestSignInsDoNotMix(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", folder)
	t.Setenv("HOME", folder)
	found := signin.Discovery{Gateway: "https://127.0.0.1:1", Kubernetes: "https://127.0.0.1:1/kubernetes"}
	places := []struct{ file, context, token string }{
		{"one", "alice", "before"}, {"one", "alice", "alice"}, {"one", "bob", "bob"}, {"two", "alice", "carol"},
	}
	for _, p := range places {
		a := &app{program: "soma", now: time.Now, kube: kubeFlags{kubeconfig: filepath.Join(folder, p.file)}}
		err := a.keep(p.context, &signin.Saved{Discovery: found, Tokens: signin.Tokens{ID: p.token, Expires: time.Now().Add(time.Hour)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	soma := func(file, context string, args ...string) string {
		var out, said bytes.Buffer
		Main(append([]string{"soma", "--kubeconfig", filepath.Join(folder, file), "--context", context}, args...), strings.NewReader(""), &out, &said)
		return out.String() + said.String()
	}
	for _, p := range places[1:] {
		if said := soma(p.file, p.context, "auth", "token"); !strings.Contains(said, `"token":"`+p.token+`"`) {
			t.Errorf("%s is not who signed in as %s of %s: %s", p.token, p.context, p.file, said)
		}
	}
	soma("one", "alice", "logout")
	if said := soma("one", "alice", "auth", "token"); !strings.Contains(said, "not signed in") {
		t.Errorf("after signing out: %s", said)
	}
	if said := soma("one", "bob", "auth", "token"); !strings.Contains(said, `"token":"bob"`) {
		t.Errorf("another signed out: %s", said)
	}
	// As kubectl asks.
	config, err := clientcmd.LoadFromFile(filepath.Join(folder, "two"))
	if err != nil {
		t.Fatal(err)
	}
	if said := soma("one", "bob", config.AuthInfos["alice"].Exec.Args...); !strings.Contains(said, `"token":"carol"`) {
		t.Errorf("kubectl gets %s", said)
	}
}
