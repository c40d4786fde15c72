package browser

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = 60 * time.Second
	// revoked is within what time a right that was taken back counts no more, wherever it was used.
	revoked = 30 * time.Second
	image   = "soma.dev/busybox:1"
)

// world is the development cluster, with a project of its own for a test.
type world struct {
	t                                *testing.T
	project, gateway, domain, caFile string
	client                           *http.Client
}

// newWorld makes the project: alice manages it, and it has room for one job of the size of the tests and not for two.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, project: "pages-" + strings.ToLower(rand.Text()[:5]),
		gateway: os.Getenv("SOMA_GATEWAY_URL"), domain: os.Getenv("SOMA_PAGES_DOMAIN"), caFile: os.Getenv("SOMA_CA_FILE"),
	}
	missing := ""
	if w.domain == "" || w.gateway == "" || w.caFile == "" {
		missing = "no development cluster with a node for containers: run `make up` as root, and `make test-browser`"
	}
	for _, program := range []string{"chromium", "certutil"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = "no " + program + " on this machine: hack/test-packages installs it"
		}
	}
	switch {
	case missing != "" && os.Getenv("SOMA_E2E_ALL") == "1":
		t.Fatalf("there is %s, and SOMA_E2E_ALL=1 asks for all tests", missing)
	case missing != "":
		t.Skipf("there is %s", missing)
	}
	ca, err := os.ReadFile(filepath.Clean(w.caFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	w.client = &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, DialContext: dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	run(t, nil, fmt.Sprintf(`
apiVersion: platform.soma.dev/v1alpha1
kind: Quota
metadata: {name: %[1]s}
spec: {nominal: {cpu: 150m, memory: 1Gi}}
---
apiVersion: platform.soma.dev/v1alpha1
kind: Project
metadata: {name: %[1]s}
spec: {quota: %[1]s}
`, w.project), "kubectl", "apply", "-f", "-")
	t.Cleanup(func() {
		run(t, nil, "", "kubectl", "delete", "project.platform.soma.dev", w.project, "--timeout=120s")
		run(t, nil, "", "kubectl", "delete", "quota.platform.soma.dev", w.project)
	})
	run(t, nil, "", "kubectl", "wait", "--for=condition=Ready", "--timeout=60s", "project.platform.soma.dev/"+w.project)
	run(t, nil, "", "soma", "acl", "grant", "alice", "project-manager", "-P", w.project)
	return w
}

// dial connects to this machine, as browsers do for all that ends in localhost.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

// page is the address of a path on the page of a job.
func (w *world) page(job, path string) string {
	return "https://" + job + "--" + w.project + "." + w.domain + path
}

// answer is what a program is told.
type answer struct {
	status         int
	location, text string
}

// get asks as a program does, with a token if there is one.
func (w *world) get(address, token string) answer {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := w.client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header.Get("Location"), string(body)}
}

// person is somebody at a browser and a command line.
type person struct {
	*browser
	world       *world
	name        string
	environment []string
}

// newPerson is a person who is signed in nowhere yet.
func (w *world) newPerson(name string) *person {
	w.t.Helper()
	home := w.t.TempDir()
	// The command line opens no browser of the machine.
	opener := filepath.Join(home, "xdg-open")
	if err := os.WriteFile(opener, []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // a program
		w.t.Fatal(err)
	}
	return &person{
		browser: openBrowser(w.t, w.caFile), world: w, name: name,
		environment: append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "KUBECONFIG="+filepath.Join(home, "kubeconfig"), "PATH="+home+":"+os.Getenv("PATH")),
	}
}

// logIn signs the command line in, by the person's browser.
func (p *person) logIn() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	login := exec.CommandContext(ctx, "soma", "login", p.world.gateway, "--ca-file", p.world.caFile) //nolint:gosec // our own program
	login.Env = p.environment
	says, err := login.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := login.Start(); err != nil {
		p.t.Fatal(err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(says); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if address := strings.TrimSpace(lines.Text()); strings.HasPrefix(address, "https://") {
			p.visit(address)
			p.enter(p.name)
		}
	}
	if err := login.Wait(); err != nil {
		p.t.Fatalf("soma login: %v\n%s", err, said.String())
	}
}

// soma runs the command line in the project.
func (p *person) soma(args ...string) string {
	p.t.Helper()
	return run(p.t, p.environment, "", "soma", append([]string{"-P", p.world.project}, args...)...)
}

// token is one for programs.
func (p *person) token() string {
	p.t.Helper()
	var credential struct{ Status struct{ Token string } }
	if err := json.Unmarshal([]byte(p.soma("auth", "token", "--gateway", p.world.gateway)), &credential); err != nil || credential.Status.Token == "" {
		p.t.Fatalf("no token: %v", err)
	}
	return credential.Status.Token
}

// serve submits a job that answers every request with what it received, as mirror says.
func (p *person) serve(name string, flags ...string) {
	p.t.Helper()
	args := append([]string{"run", "--detach", "--quiet", "--name", name, "--http-port", "8080", "--cpu", "100m", "--memory", "64Mi"}, flags...)
	p.soma(append(args, image, "--", "sh", "-c", `printf %s "$0" >/tmp/mirror; chmod +x /tmp/mirror; exec nc -ll -p 8080 -e /tmp/mirror`, mirror)...)
}

// mirror answers one request: with the request itself, or, at /events, /endless and /socket, with what does not end.
const mirror = `#!/bin/sh
cr=$(printf '\r')
read -r method path version
head="$method $path"
while read -r line; do
  line=${line%"$cr"}
  [ -n "$line" ] || break
  head="$head
$line"
  case $line in [Ss]ec-[Ww]eb[Ss]ocket-[Kk]ey:*) key=${line#*: } ;; esac
done
case $path in
/events)
  printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n'
  while printf 'data: tick\n\n'; do sleep 1; done ;;
/endless)
  printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n'
  while printf 'tick\n'; do sleep 1; done ;;
/socket)
  accept=$(printf %s258EAFA5-E914-47DA-95CA-C5AB0DC85B11 "$key" | sha1sum | cut -d' ' -f1 | xxd -r -p | base64)
  printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n' "$accept"
  while printf '\201\004tick'; do sleep 1; done ;;
*)
  printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: own=1; Secure\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "${#head}" "$head" ;;
esac
`

// try runs a program to its end.
func try(environment []string, input, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	command.Env, command.Stdin = environment, strings.NewReader(input)
	var errors strings.Builder
	command.Stderr = &errors
	out, err := command.Output()
	if err != nil {
		return string(out) + errors.String(), err
	}
	return string(out), nil
}
