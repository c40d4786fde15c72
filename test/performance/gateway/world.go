package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/dex"
	"github.com/soma-platform/soma/internal/testing/freeport"
	"github.com/soma-platform/soma/internal/testing/manager"
	"github.com/soma-platform/soma/internal/testing/postgres"
	"github.com/soma-platform/soma/internal/token"
)

const (
	project = "vision"
	job     = "train"
	// pagesDomain is below where the pages of jobs are: nobody looks the name up.
	pagesDomain  = "jobs.example.org"
	clientID     = "soma"
	clientSecret = "measured"
	// programs are how many service accounts ask: each may ask so often only.
	programs = 20
	poll     = 5 * time.Millisecond
)

// alice looks at the page.
var alice = dex.Person{ID: "alice", Email: "alice@example.org", Name: "Alice", Username: "alice", Password: "alice"}

// world is all that the gateway needs around it.
type world struct {
	folder   string
	server   *apiserver.Server
	database *postgres.Server
	identity *dex.Provider
	audit    string

	gatewayPort, pagesPort, oauth2Port int
	proxyToken                         string
	tokens                             []string // of the service accounts
	kubeconfig                         string   // the gateway's

	ended func() error
}

func (w *world) externalURL() string { return fmt.Sprintf("https://127.0.0.1:%d", w.gatewayPort) }
func (w *world) oauth2URL() string   { return fmt.Sprintf("https://127.0.0.1:%d", w.oauth2Port) }

func programName(i int) string { return fmt.Sprintf("program-%d", i) }

func newWorld(ctx context.Context, b *bench) (w *world, err error) {
	w = &world{proxyToken: rand.Text() + rand.Text()}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.folder, err = os.MkdirTemp("", "soma-bench-gateway-"); err != nil {
		return w, err
	}
	for _, port := range []*int{&w.gatewayPort, &w.pagesPort, &w.oauth2Port} {
		if *port, err = freeport.Find(); err != nil {
			return w, err
		}
	}
	if w.database, err = postgres.Start(ctx); err != nil {
		return w, err
	}
	if w.audit, err = w.database.Database(ctx, "audit"); err != nil {
		return w, err
	}
	w.identity, err = dex.Launch(w.folder, dex.Options{
		Clients: []dex.Client{
			{ID: clientID, Name: "Soma", Secret: clientSecret, RedirectURIs: []string{w.externalURL() + "/signin/callback"}},
			{ID: oauth2Proxy, Name: "oauth2-proxy", Secret: clientSecret, RedirectURIs: []string{w.oauth2URL() + "/oauth2/callback"}},
		},
		People: []dex.Person{alice}, TokenLifetime: 24 * time.Hour,
	})
	if err != nil {
		return w, err
	}
	if w.server, err = apiserver.Start(apiserver.Options{}); err != nil {
		return w, err
	}
	if err := w.install(ctx); err != nil {
		return w, fmt.Errorf("make what is measured with: %w", err)
	}
	return w, w.startControllers(ctx, b)
}

// install makes what is installed, a project with jobs, who looks at a page and the programs that ask.
func (w *world) install(ctx context.Context) error {
	if err := manager.InstallAccess(ctx, w.server); err != nil {
		return err
	}
	if err := w.server.Install(ctx, "gateway/rbac.yaml", "gateway/first_admin.yaml"); err != nil {
		return err
	}
	account, err := w.server.User("system:serviceaccount:"+manager.SystemNamespace+":soma-gateway", "system:serviceaccounts")
	if err != nil {
		return err
	}
	text, err := account.KubeConfig()
	if err != nil {
		return err
	}
	w.kubeconfig = filepath.Join(w.folder, "kubeconfig")
	if err := os.WriteFile(w.kubeconfig, text, 0o600); err != nil {
		return err
	}
	if err := manager.MakeProject(ctx, w.server.Client, &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: project}}); err != nil {
		return err
	}
	user := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: alice.ID}, Spec: v1alpha1.UserSpec{
		Type: v1alpha1.UserPerson, Identities: []v1alpha1.Identity{{Issuer: w.identity.Issuer, Subject: w.identity.Subject(alice)}},
	}}
	if err := w.server.Client.Create(ctx, user); err != nil {
		return err
	}
	if err := w.server.Client.Create(ctx, newGrant(alice.ID)); err != nil {
		return err
	}
	for i := range programs {
		if err := w.makeProgram(ctx, i); err != nil {
			return err
		}
	}
	return w.makeJob(ctx, job)
}

func newGrant(user string) *v1alpha1.Grant {
	return &v1alpha1.Grant{
		ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: user},
		Spec:       v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: user}, Role: "project-reader"},
	}
}

func (w *world) makeProgram(ctx context.Context, i int) error {
	var random [token.SecretBytes]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	text, err := token.New(programName(i), "bench", random)
	if err != nil {
		return err
	}
	w.tokens = append(w.tokens, text)
	user := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: programName(i)}, Spec: v1alpha1.UserSpec{
		Type: v1alpha1.UserServiceAccount, Owner: alice.ID,
		Tokens: []v1alpha1.Token{{ID: "bench", Hash: token.Hash(text), ExpiresAt: metav1.NewTime(time.Now().Add(24 * time.Hour))}},
	}}
	if err := w.server.Client.Create(ctx, user); err != nil {
		return err
	}
	return w.server.Client.Create(ctx, newGrant(user.Name))
}

// makeJob makes a job with a page, and says, as its controller would, that it runs.
func (w *world) makeJob(ctx context.Context, name string) error {
	object := &v1alpha1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name},
		Spec:       v1alpha1.JobSpec{Image: "soma.dev/busybox:1", Command: []string{"httpd", "-f"}, HTTP: &v1alpha1.HTTPPort{Port: 8080}},
	}
	if err := w.server.Client.Create(ctx, object); err != nil {
		return err
	}
	object.Status.Phase = v1alpha1.JobRunning
	return w.server.Client.Status().Update(ctx, object)
}

// startControllers starts the controllers of access and waits until the API server knows what everybody may do.
func (w *world) startControllers(ctx context.Context, b *bench) error {
	mgr, _, err := manager.Access(ctx, w.server)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	w.ended = func() error { stop(); return <-ended }
	for i := range programs {
		direct, err := w.direct(i)
		if err != nil {
			return err
		}
		err = b.until(ctx, func(ctx context.Context) bool {
			_, err := get(ctx, direct, jobPath(job))
			return err == nil
		})
		if err != nil {
			return fmt.Errorf("wait until %s may look at the job: %w", programName(i), err)
		}
	}
	return nil
}

// until waits for a condition.
func (b *bench) until(ctx context.Context, holds func(context.Context) bool) error {
	return wait.PollUntilContextTimeout(ctx, poll, b.timeout, true, func(ctx context.Context) (bool, error) { return holds(ctx), nil })
}

// direct is the way of a program to the API server without the gateway.
func (w *world) direct(i int) (*rest.Config, error) {
	user, err := w.server.User(access.UserPrefix+programName(i), access.UsersGroup)
	if err != nil {
		return nil, err
	}
	return unbounded(user.Config()), nil
}

func unbounded(c *rest.Config) *rest.Config {
	c = rest.CopyConfig(c)
	c.QPS = -1
	return c
}

// writeGatewayConfig writes the gateway's configuration and returns its file.
func (w *world) writeGatewayConfig() (string, error) {
	pages := fmt.Sprintf("jobPages: {domain: %s, bindAddress: '127.0.0.1:%d', proxyTokenFile: %s, assertionKeyFile: %s}\n",
		pagesDomain, w.pagesPort, filepath.Join(w.folder, "proxy-token"), filepath.Join(w.folder, "assertion-key"))
	text := fmt.Sprintf(`
externalURL: %s
caFile: %s
keysFile: %s
issuers:
- {name: dex, url: %s, clientID: %s, clientSecretFile: %s, caFile: %[2]s}
`, w.externalURL(), w.identity.CAFile, filepath.Join(w.folder, "keys"), w.identity.Issuer, clientID, filepath.Join(w.folder, "secret")) + pages
	files := map[string]string{
		"proxy-token": w.proxyToken, "assertion-key": session.NewKey(), "keys": session.NewKey(), "secret": clientSecret, "gateway.yaml": text,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(w.folder, name), []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(w.folder, "gateway.yaml"), nil
}

func (w *world) close() error {
	var all []error
	if w.ended != nil {
		all = append(all, w.ended())
	}
	if w.server != nil {
		all = append(all, w.server.Stop())
	}
	if w.identity != nil {
		all = append(all, w.identity.Close())
	}
	if w.database != nil {
		all = append(all, w.database.Close())
	}
	return errors.Join(append(all, os.RemoveAll(w.folder))...)
}
