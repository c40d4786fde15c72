// Package gateway tests the gateway as the program that it is: what becomes of people and of records when one of several ends.
package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/dex"
	"github.com/soma-platform/soma/internal/testing/freeport"
	"github.com/soma-platform/soma/internal/testing/manager"
	"github.com/soma-platform/soma/internal/testing/postgres"
	"github.com/soma-platform/soma/internal/testing/process"
	"github.com/soma-platform/soma/internal/token"
)

const (
	project  = "vision"
	robot    = "robot"
	patience = time.Minute
)

var alice = dex.Person{ID: "alice", Email: "alice@example.org", Name: "Alice", Username: "alice", Password: "alice"}

// world is what several gateways have around them.
type world struct {
	t        *testing.T
	folder   string
	program  string // that `make build` made
	server   *apiserver.Server
	database *postgres.Server
	identity *dex.Provider
	// audit is the address of the database, config and kubeconfig files of all gateways.
	audit, config, kubeconfig string
	addresses                 []string
	token                     string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	w := &world{t: t, folder: t.TempDir(), program: os.Getenv("SOMA_GATEWAY")}
	if w.program == "" {
		w.program = filepath.Join("..", "..", "..", "bin", "gateway")
	}
	if _, err := os.Stat(w.program); err != nil {
		t.Fatalf("the gateway's program is needed: run `make build`, or set SOMA_GATEWAY: %v", err)
	}
	for range 2 {
		port, err := freeport.Find()
		w.must(err)
		w.addresses = append(w.addresses, fmt.Sprintf("127.0.0.1:%d", port))
	}
	var err error
	w.database, err = postgres.Start(t.Context())
	w.must(err)
	t.Cleanup(func() { _ = w.database.Close() })
	w.audit, err = w.database.Database(t.Context(), "audit")
	w.must(err)
	w.identity = dex.Start(t, dex.Options{
		Clients: []dex.Client{{ID: "soma", Name: "Soma", Secret: "secret", RedirectURIs: []string{"https://" + w.addresses[0] + "/signin/callback"}}},
		People:  []dex.Person{alice},
	})
	w.server, err = apiserver.Start(apiserver.Options{})
	w.must(err)
	t.Cleanup(func() { _ = w.server.Stop() })
	w.install()
	w.configure()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// install makes a project, somebody and a program who may write in it, and runs the controllers of access.
func (w *world) install() {
	w.t.Helper()
	ctx := w.t.Context()
	w.must(manager.InstallAccess(ctx, w.server))
	w.must(w.server.Install(ctx, "gateway/rbac.yaml", "gateway/first_admin.yaml"))
	w.must(manager.MakeProject(ctx, w.server.Client, &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: project}}))
	var random [token.SecretBytes]byte
	_, _ = rand.Read(random[:])
	var err error
	w.token, err = token.New(robot, "test", random)
	w.must(err)
	for _, user := range []*v1alpha1.User{
		{ObjectMeta: metav1.ObjectMeta{Name: alice.ID}, Spec: v1alpha1.UserSpec{
			Type: v1alpha1.UserPerson, Identities: []v1alpha1.Identity{{Issuer: w.identity.Issuer, Subject: w.identity.Subject(alice)}},
		}},
		{ObjectMeta: metav1.ObjectMeta{Name: robot}, Spec: v1alpha1.UserSpec{
			Type: v1alpha1.UserServiceAccount, Owner: alice.ID,
			Tokens: []v1alpha1.Token{{ID: "test", Hash: token.Hash(w.token), ExpiresAt: metav1.NewTime(time.Now().Add(time.Hour))}},
		}},
	} {
		w.must(w.server.Client.Create(ctx, user))
		w.must(w.server.Client.Create(ctx, &v1alpha1.Grant{
			ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: user.Name},
			Spec:       v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: user.Name}, Role: "project-writer"},
		}))
	}
	mgr, _, err := manager.Access(ctx, w.server)
	w.must(err)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
}

// configure writes what all gateways are started with.
func (w *world) configure() {
	w.t.Helper()
	account, err := w.server.User("system:serviceaccount:"+manager.SystemNamespace+":soma-gateway", "system:serviceaccounts")
	w.must(err)
	kubeconfig, err := account.KubeConfig()
	w.must(err)
	w.config, w.kubeconfig = filepath.Join(w.folder, "gateway.yaml"), filepath.Join(w.folder, "kubeconfig")
	keys, secret := filepath.Join(w.folder, "keys"), filepath.Join(w.folder, "secret")
	text := fmt.Sprintf(`
externalURL: https://%s
caFile: %s
keysFile: %s
issuers:
- {name: dex, url: %s, clientID: soma, clientSecretFile: %s, caFile: %[2]s}
`, w.addresses[0], w.identity.CAFile, keys, w.identity.Issuer, secret)
	for file, content := range map[string]string{w.config: text, w.kubeconfig: string(kubeconfig), keys: session.NewKey(), secret: "secret"} {
		w.must(os.WriteFile(file, []byte(content), 0o600))
	}
}

// start starts a gateway at one of the addresses.
func (w *world) start(address string) *process.Process {
	w.t.Helper()
	p, err := process.Start(w.t.Context(), patience, "https://"+address+"/readyz", []string{"KUBECONFIG=" + w.kubeconfig, "SOMA_DATABASE_URL=" + w.audit},
		w.program, "--config="+w.config, "--bind-address="+address, "--metrics-bind-address=0", "--namespace="+manager.SystemNamespace,
		"--tls-cert-file="+w.identity.CertificateFile, "--tls-private-key-file="+w.identity.KeyFile)
	w.must(err)
	w.t.Cleanup(func() { _ = p.Kill() })
	return p
}

// browser has cookies, which go to all gateways: they differ by their ports alone.
func (w *world) browser() *http.Client {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: process.Unverified(), ExpectContinueTimeout: patience}}
}

// request makes a request of a gateway; with the robot's token where there is no browser's cookie to be.
func (w *world) request(method, address, path string, byToken bool) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "https://"+address+path, nil)
	w.must(err)
	if byToken {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	return r
}

func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(w.t.Context(), 10*time.Millisecond, patience, true, func(context.Context) (bool, error) { return holds(), nil })
	if err != nil {
		w.t.Fatal(errors.Join(fmt.Errorf("not within %s: %s", patience, what), err))
	}
}
