package gateway_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/soma-platform/soma/internal/cli"
)

// device is a machine without a browser, on which the command line runs.
type device struct {
	t          *testing.T
	kubeconfig string
}

func newDevice(t *testing.T) *device {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", folder)
	t.Setenv("HOME", folder)
	return &device{t, filepath.Join(folder, "kubeconfig")}
}

func (d *device) soma(said io.Writer, args ...string) (code int, out string) {
	var written bytes.Buffer
	code = cli.Main(append([]string{"soma", "--kubeconfig", d.kubeconfig}, args...), strings.NewReader(""), &written, said)
	return code, written.String()
}

// login begins to sign in, and tells where which code is to be entered, and then, by the function, how it ended.
func (d *device) login(w *world) (address, code string, end func() (exit int, said string)) {
	d.t.Helper()
	reader, writer := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		status, _ := d.soma(writer, "login", w.external, "--device", "--ca-file", w.CAFile)
		_ = writer.Close()
		exit <- status
	}()
	lines := bufio.NewScanner(reader)
	var told strings.Builder
	shown := regexp.MustCompile(`(https://\S+)\s+and enter the code ([A-Z0-9-]+)`)
	for lines.Scan() {
		told.WriteString(lines.Text() + "\n")
		if found := shown.FindStringSubmatch(told.String()); found != nil {
			address, code = found[1], found[2]
			break
		}
	}
	if code == "" {
		d.t.Fatalf("no code is shown: %s", told.String())
	}
	return address, code, func() (int, string) {
		rest, err := io.ReadAll(reader)
		if err != nil {
			d.t.Error(err)
		}
		return <-exit, string(rest)
	}
}

// Somebody signs in on a machine without a browser: the code that it shows is entered in a browser elsewhere.
func TestSignInByAnotherDevice(t *testing.T) {
	w := newWorld(t, nil)
	w.user(t, alice)
	machine := newDevice(t)
	address, code, end := machine.login(w)
	// What somebody guesses lets nobody in.
	if _, err := w.EnterCode(w.browser(t), address, "AAAA-AAAA", alice); err == nil {
		t.Error("another code is taken")
	}
	page, err := w.EnterCode(w.browser(t), address, code, alice)
	if err != nil {
		t.Fatal(err)
	}
	if text := body(t, page); !strings.Contains(text, "Login Successful") {
		t.Errorf("the browser ends at %s: %.300s", page.Request.URL, text)
	}
	if exit, said := end(); exit != 0 || !strings.Contains(said, "You are alice at "+w.external) {
		t.Fatalf("soma login ends with %d: %s", exit, said)
	}
	exit, out := machine.soma(io.Discard, "auth", "token")
	var credential clientauthentication.ExecCredential
	if err := json.Unmarshal([]byte(out), &credential); err != nil || exit != 0 {
		t.Fatalf("the token: %d %v", exit, err)
	}
	if who, status := w.whoami(t, w.browser(t), credential.Status.Token); who != "alice" {
		t.Errorf("the token is of %q: %d", who, status)
	}
}

// Whom the gateway does not know is not signed in by another device either.
func TestSignInByAnotherDeviceOfNobody(t *testing.T) {
	w := newWorld(t, nil)
	machine := newDevice(t)
	address, code, end := machine.login(w)
	page, err := w.EnterCode(w.browser(t), address, code, stranger)
	if err != nil {
		t.Fatal(err)
	}
	_ = page.Body.Close()
	if exit, said := end(); exit == 0 || strings.Contains(said, "You are") {
		t.Errorf("soma login ends with %d: %s", exit, said)
	}
	if exit, out := machine.soma(io.Discard, "auth", "token"); exit == 0 || out != "" {
		t.Errorf("there is a token: %s", out)
	}
}
