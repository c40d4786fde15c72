package gateway_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/gateway"
	"github.com/soma-platform/soma/internal/gateway/config"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/gateway/signin"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/dex"
	"github.com/soma-platform/soma/internal/testing/records"
)

const (
	namespace    = "soma-system"
	clientID     = "soma"
	cliClientID  = "soma-cli"
	clientSecret = "development"
	patience     = 20 * time.Second
)

// The people of the identity provider. Those of the first names are users, stranger is not.
var (
	alice    = dex.Person{ID: "alice", Email: "alice@example.org", Name: "Alice", Username: "alice", Password: "alice-secret", Groups: []string{"vision", "research"}}
	bob      = dex.Person{ID: "bob", Email: "bob@example.org", Name: "Bob", Username: "bob", Password: "bob-secret"}
	stranger = dex.Person{ID: "stranger", Email: "stranger@example.org", Name: "<b>Stranger</b>", Username: "bob", Password: "stranger-secret"}
)

// api is the API server of all tests of this package.
var (
	api     *apiserver.Server
	follows *authority.Authority
)

func TestMain(m *testing.M) {
	code, err := withServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withServer(m *testing.M) (code int, err error) {
	if api, err = apiserver.Start(apiserver.Options{}); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, api.Stop()) }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: signin.FirstSecret}},
	}
	for _, object := range objects {
		if err := api.Client.Create(ctx, object); err != nil {
			return 0, err
		}
	}
	known, err := cache.New(api.Config, cache.Options{Scheme: api.Scheme()})
	if err != nil {
		return 0, err
	}
	follows = authority.New(clock.RealClock{})
	synced, err := follows.Follow(ctx, known)
	if err != nil {
		return 0, err
	}
	go func() { _ = known.Start(ctx) }()
	go func() { _ = follows.Start(ctx, synced) }()
	return m.Run(), nil
}

// later is a clock that can be put forward.
type later struct{ by atomic.Int64 }

func (l *later) Now() time.Time                  { return time.Now().Add(time.Duration(l.by.Load())) }
func (l *later) Since(t time.Time) time.Duration { return l.Now().Sub(t) }
func (l *later) put(forward time.Duration)       { l.by.Add(int64(forward)) }
func newKeys(t *testing.T, keys ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "keys")
	writeKeys(t, file, keys...)
	return file
}

func writeKeys(t *testing.T, file string, keys ...string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(strings.Join(keys, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// world is an identity provider and gateways that people sign in to by it.
type world struct {
	*dex.Provider
	external string
	config   *config.Config
	clock    *later
	audit    *records.Log
	// writes counts those of statuses, which fail while unwritable.
	writes     atomic.Int64
	unwritable atomic.Bool

	mu sync.Mutex
	// active is where the address of the gateway leads to.
	active string
}

// newWorld starts a provider and a gateway.
func newWorld(t *testing.T, change func(*config.Config)) *world {
	t.Helper()
	return newWorldWith(t, dex.Options{}, change)
}

// newWorldWith is newWorld with a provider that has more to it.
func newWorldWith(t *testing.T, options dex.Options, change func(*config.Config)) *world {
	t.Helper()
	listener := listen(t)
	w := &world{external: "https://" + listener.Addr().String(), clock: &later{}, audit: &records.Log{}}
	options.Clients = []dex.Client{
		{ID: clientID, Name: "Soma", Secret: clientSecret, RedirectURIs: []string{w.external + "/signin/callback"}},
		{ID: cliClientID, Name: "Soma's command line"},
	}
	options.People = []dex.Person{alice, bob, stranger}
	// Clocks are put forward, its own is not.
	options.TokenLifetime = cmp.Or(options.TokenLifetime, 24*time.Hour)
	w.Provider = dex.Start(t, options)
	secret := filepath.Join(t.TempDir(), "secret")
	writeKeys(t, secret, clientSecret)
	text := fmt.Sprintf(`
externalURL: %s
caFile: %s
keysFile: %s
issuers:
- {name: dex, displayName: Example, url: %s, clientID: %s, clientSecretFile: %s, cliClientID: %s, caFile: %s}
`, w.external, w.CAFile, newKeys(t, session.NewKey()), w.Issuer, clientID, secret, cliClientID, w.CAFile)
	var err error
	if w.config, err = config.Parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(w.config)
	}
	w.serve(t, listener, w.config)
	return w
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// serve starts a gateway and makes it the one that is behind the address.
func (w *world) serve(t *testing.T, listener net.Listener, c *config.Config) *gateway.Gateway {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(w.CertificateFile, w.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	direct, err := client.NewWithWatch(api.Config, client.Options{Scheme: api.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	direct = interceptor.NewClient(direct, interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, options ...client.SubResourcePatchOption) error {
			if w.unwritable.Load() {
				return errors.New("the test lets nobody write")
			}
			w.writes.Add(1)
			return c.SubResource(sub).Patch(ctx, o, p, options...)
		},
	})
	g, err := gateway.New(gateway.Options{
		Config: c, Authority: follows, Client: direct, Namespace: namespace, Audit: w.audit, Clock: w.clock,
		Log: testr.NewWithOptions(t, testr.Options{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- g.Serve(ctx, listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	// Before it is ready nobody is known to it.
	eventually(t, "users are known", follows.Synced)
	w.choose(listener.Addr().String())
	return g
}

// choose makes another gateway the one behind the address.
func (w *world) choose(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active = address
}

// browser is a client with cookies, which goes to the gateway that is chosen.
func (w *world) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: w.Pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if "https://"+address == w.external {
				w.mu.Lock()
				address = w.active
				w.mu.Unlock()
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	return &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}
}

// user makes a User for a person, which the gateway knows when it returns.
func (w *world) user(t *testing.T, p dex.Person) *v1alpha1.User {
	t.Helper()
	user := &v1alpha1.User{
		ObjectMeta: metav1.ObjectMeta{Name: p.ID},
		Spec:       v1alpha1.UserSpec{DisplayName: p.Name, Identities: []v1alpha1.Identity{w.identity(p)}},
	}
	make1(t, user)
	return user
}

func (w *world) identity(p dex.Person) v1alpha1.Identity {
	return v1alpha1.Identity{Issuer: w.Issuer, Subject: w.Subject(p)}
}

// make1 makes a User and waits until it is known; it goes with the test.
func make1(t *testing.T, user *v1alpha1.User) {
	t.Helper()
	if err := api.Client.Create(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, user.Name) })
	eventually(t, "the user is known", func() bool { return known(user.Name, func(u *v1alpha1.User) bool { return u.UID == user.UID }) })
}

func remove(t *testing.T, name string) {
	user := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := client.IgnoreNotFound(api.Client.Delete(context.Background(), user)); err != nil {
		t.Error(err)
	}
	eventually(t, "the user is gone", func() bool { return !known(name, func(*v1alpha1.User) bool { return true }) })
}

// known reports whether what is known of a user fulfils a condition.
func known(name string, condition func(*v1alpha1.User) bool) (found bool) {
	follows.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		user := d.User(name)
		found = user != nil && condition(user)
	})
	return found
}

// change changes a user and waits until that is known.
func change(t *testing.T, name string, to func(*v1alpha1.User)) {
	t.Helper()
	var user v1alpha1.User
	if err := api.Client.Get(t.Context(), client.ObjectKey{Name: name}, &user); err != nil {
		t.Fatal(err)
	}
	to(&user)
	if err := api.Client.Update(t.Context(), &user); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the change is known", func() bool {
		return known(name, func(u *v1alpha1.User) bool {
			return u.ResourceVersion == user.ResourceVersion || u.Generation >= user.Generation
		})
	})
}

func read(t *testing.T, name string) *v1alpha1.User {
	t.Helper()
	var user v1alpha1.User
	if err := api.Client.Get(t.Context(), client.ObjectKey{Name: name}, &user); err != nil {
		t.Fatal(err)
	}
	return &user
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// signIn signs a person in with a browser and returns the page on which it ends.
func (w *world) signIn(t *testing.T, browser *http.Client, p dex.Person, query string) (*http.Response, string) {
	t.Helper()
	response, err := w.SignIn(browser, w.external+"/signin/start?issuer=dex"+query, p)
	if err != nil {
		t.Fatal(err)
	}
	return response, body(t, response)
}

// mustSignIn is a browser in which a person is signed in.
func (w *world) mustSignIn(t *testing.T, p dex.Person) *http.Client {
	t.Helper()
	browser := w.browser(t)
	if response, page := w.signIn(t, browser, p, ""); response.StatusCode != http.StatusOK || !strings.Contains(page, "You are signed in") {
		t.Fatalf("%s does not get in: %s %s", p.ID, response.Status, page)
	}
	return browser
}

// whoami is whom the gateway takes a client for, or an empty name and the status.
func (w *world) whoami(t *testing.T, browser *http.Client, token string) (string, int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.external+"/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text := body(t, response)
	if response.StatusCode != http.StatusOK {
		return "", response.StatusCode
	}
	var me struct{ User string }
	if err := json.Unmarshal([]byte(text), &me); err != nil {
		t.Fatal(err)
	}
	return me.User, response.StatusCode
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
