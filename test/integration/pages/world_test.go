package pages_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/gateway"
	"github.com/soma-platform/soma/internal/gateway/config"
	"github.com/soma-platform/soma/internal/gateway/jobpages"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/gateway/signin"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/dex"
	"github.com/soma-platform/soma/internal/testing/records"
	"github.com/soma-platform/soma/internal/token"
)

const (
	namespace  = "soma-system"
	issuer     = "https://id.example.org"
	gatewayURL = "https://soma.example.com"
	domain     = "jobs.example.org"
	proxyToken = "0123456789abcdef0123456789abcdef"
	project    = "vision"
	patience   = 20 * time.Second

	// train is the page that alice may see and eve may not, notes one that eve may see, board one that all may, and none is none.
	train, notes, board, none = "train", "notes", "board", "nope0"
)

// host is that of the page of a job.
func host(job string) string { return job + "--" + project + "." + domain }

var api *apiserver.Server

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	code, err := func() (code int, err error) {
		if api, err = apiserver.Start(apiserver.Options{}); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, api.Stop()) }()
		// Nothing takes namespaces away here.
		if err := api.Client.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: project}}); err != nil {
			return 0, err
		}
		return m.Run(), nil
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// world is the gateway with its pages, their jobs, and who visits them.
type world struct {
	dex.Certificates
	t         *testing.T
	authority *authority.Authority
	keys      *session.Keys
	// gateway is where it listens, and asked where the proxy asks.
	gateway, asked string
	upstreams      map[string]*upstream
	// assertions is the key by which jobs know assertions.
	assertions ed25519.PublicKey
	// tokens are those of the service accounts of alice and eve, cookies the gateway's of them both.
	tokens, cookies map[string]string
	sessions        map[string]session.Session
	// resumed makes many short connections cheaper.
	resumed tls.ClientSessionCache
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		Certificates: dex.MakeCertificates(t), t: t, upstreams: map[string]*upstream{}, tokens: map[string]string{}, cookies: map[string]string{},
		sessions: map[string]session.Session{}, resumed: tls.NewLRUClientSessionCache(64),
	}
	for _, job := range []string{train, notes, board} {
		w.upstreams[job] = newUpstream(t)
	}
	w.serve()
	w.make(
		&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: project}},
		&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: project}, Spec: v1alpha1.ProjectSpec{Quota: project, PublicPages: new(true)}},
	)
	for _, job := range []string{train, notes, board} {
		w.run(job)
	}
	for _, user := range []string{"alice", "eve"} {
		w.user(user)
	}
	for user, job := range map[string]string{"alice": train, "eve": notes} {
		w.grant(user, job)
		w.grant(user+"-robot", job)
	}
	w.eventually("rights are known", func() bool {
		return w.may("alice-robot", train) && w.may("eve-robot", notes) && w.may("alice", train) && w.may("eve", notes)
	})
	w.eventually("jobs are known", func() bool {
		return w.ask(train, w.tokens["alice"]) == http.StatusOK && w.ask(notes, w.tokens["eve"]) == http.StatusOK && w.ask(board, "") == http.StatusOK
	})
	return w
}

func (w *world) make(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		if err := api.Client.Create(w.t.Context(), object); err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = client.IgnoreNotFound(api.Client.Delete(context.WithoutCancel(w.t.Context()), object)) })
	}
}

// run makes a job that serves a page, and has it run.
func (w *world) run(name string) {
	w.t.Helper()
	job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name}, Spec: v1alpha1.JobSpec{
		Image: "soma.dev/busybox:1", HTTP: &v1alpha1.HTTPPort{Port: 8080},
	}}
	if name == board {
		job.Spec.HTTP.Public = new(true)
	}
	w.make(job)
	w.phase(name, v1alpha1.JobRunning)
}

func (w *world) phase(name string, phase v1alpha1.JobPhase) {
	w.t.Helper()
	job := &v1alpha1.Job{}
	if err := api.Client.Get(w.t.Context(), client.ObjectKey{Namespace: project, Name: name}, job); err != nil {
		w.t.Fatal(err)
	}
	before := job.DeepCopy()
	job.Status.Phase = phase
	if err := api.Client.Status().Patch(w.t.Context(), job, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
}

// user makes a person who is signed in, and a service account of theirs with a token.
func (w *world) user(name string) {
	w.t.Helper()
	person := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.UserSpec{
		Type: v1alpha1.UserPerson, Identities: []v1alpha1.Identity{{Issuer: issuer, Subject: name}},
	}}
	var random [token.SecretBytes]byte
	if _, err := rand.Read(random[:]); err != nil {
		w.t.Fatal(err)
	}
	text, err := token.New(name+"-robot", "test", random)
	if err != nil {
		w.t.Fatal(err)
	}
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	w.make(person, &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name + "-robot"}, Spec: v1alpha1.UserSpec{
		Type: v1alpha1.UserServiceAccount, Owner: name,
		Tokens: []v1alpha1.Token{{ID: "test", Hash: token.Hash(text), ExpiresAt: metav1.NewTime(ends)}},
	}})
	w.tokens[name] = text
	now := time.Now()
	kept := session.Session{
		ID: session.NewID(ends), User: name, UID: string(person.UID), Issuer: issuer, Subject: name, SignedIn: now, Ends: ends, Sealed: now, Asked: now,
	}
	answer := httptest.NewRecorder()
	if err := w.keys.Put(answer, kept); err != nil {
		w.t.Fatal(err)
	}
	w.sessions[name], w.cookies[name] = kept, answer.Result().Cookies()[0].Value
}

func (w *world) grant(user, job string) {
	w.t.Helper()
	w.make(&v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: user + "-" + job}, Spec: v1alpha1.GrantSpec{
		To: v1alpha1.Grantee{User: user}, URI: v1alpha1.Address("job:" + job), Action: v1alpha1.ActionRead,
	}})
}

func (w *world) may(user, job string) bool {
	return w.authority.Tree(user).Allows(access.In(access.Job, access.Home, "default", project, job), access.Read)
}

func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// serve starts the gateway, made of the parts that cmd/gateway makes it of.
func (w *world) serve() {
	w.t.Helper()
	file := func(name, text string) string {
		path := filepath.Join(w.t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
		return path
	}
	c, err := config.Parse([]byte(fmt.Sprintf(`
externalURL: %s
keysFile: %s
issuers:
- {name: nobody, url: %s, clientID: soma, caFile: %s}
`, gatewayURL, file("keys", session.NewKey()), issuer, w.CAFile)))
	if err != nil {
		w.t.Fatal(err)
	}
	objects, err := cache.New(api.Config, cache.Options{
		Scheme: api.Scheme(), ByObject: map[client.Object]cache.ByObject{&v1alpha1.Job{}: {Transform: jobpages.Slim}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	w.authority = authority.New(clock.RealClock{})
	synced, err := w.authority.Follow(ctx, objects)
	if err != nil {
		w.t.Fatal(err)
	}
	door, err := gateway.New(gateway.Options{
		Config: c, Authority: w.authority, Client: api.Client, Namespace: namespace, Audit: &records.Log{}, Clock: clock.RealClock{}, Log: logr.Discard(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.keys = door.Keys()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.assertions = public
	signer, err := jobpages.NewSigner(gatewayURL, private)
	if err != nil {
		w.t.Fatal(err)
	}
	index, err := jobpages.NewIndex(ctx, objects, logr.Discard())
	if err != nil {
		w.t.Fatal(err)
	}
	pages, err := jobpages.New(jobpages.Options{
		Domain: domain, Gateway: gatewayURL, SignInPath: signin.SignInPath, ProxyToken: proxyToken, Authenticator: door.Authenticator(),
		Rights: w.authority, Pages: index, Keys: door.Keys(), Signer: signer, ClusterDomain: "cluster.local", Dial: w.dial,
		Audit: &records.Log{}, Clock: clock.RealClock{}, Log: logr.Discard(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	pages.Routes(door)
	door.MountPages(pages)

	certificate, err := tls.LoadX509KeyPair(w.CertificateFile, w.KeyFile)
	if err != nil {
		w.t.Fatal(err)
	}
	secure := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	front, asked := w.listen(), w.listen()
	w.gateway, w.asked = front.Addr().String(), asked.Addr().String()
	parts := []func() error{
		func() error { return objects.Start(ctx) },
		func() error { return w.authority.Start(ctx, synced) },
		func() error { return pages.Run(ctx) },
		func() error { return door.Serve(ctx, front, secure) },
		func() error { return gateway.ServeUntil(ctx, asked, secure, pages.Auth()) },
	}
	ended := make(chan error, len(parts))
	for _, part := range parts {
		go func() { ended <- part() }()
	}
	w.t.Cleanup(func() {
		cancel()
		for range parts {
			if err := <-ended; err != nil {
				w.t.Error(err)
			}
		}
	})
	w.eventually("users are known", w.authority.Synced)
}

func (w *world) listen() net.Listener {
	w.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	return listener
}

// dial leads the name of a job's Service to the job, as the cluster's DNS does.
func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	job, rest, _ := strings.Cut(address, ".")
	if u := w.upstreams[job]; u != nil && rest == project+".svc.cluster.local.:8080" {
		return (&net.Dialer{}).DialContext(ctx, network, u.address)
	}
	return nil, fmt.Errorf("no such host: %s", address)
}

// ask asks as the proxy does, and tells the status.
func (w *world) ask(job, token string) int {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "https://"+w.asked+jobpages.AuthPath+proxyToken, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header = http.Header{"X-Forwarded-Host": {host(job)}, "X-Forwarded-Method": {http.MethodGet}}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := w.client(w.asked).Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// client is one that goes to an address, whatever host it asks for.
func (w *world) client(address string) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			},
			TLSClientConfig: w.tls(), DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// tls trusts the one certificate of all servers here, by whatever host they are asked for.
func (w *world) tls() *tls.Config {
	return &tls.Config{RootCAs: w.Pool, MinVersion: tls.VersionTLS12, ServerName: "localhost", ClientSessionCache: w.resumed}
}

// visit signs somebody in on a page by way of a proxy, as a browser does, and gives the page's cookie.
func (w *world) visit(proxy *proxy, user, job string) string {
	w.t.Helper()
	cookies := map[string]string{}
	get := func(address, via string, extra string) string {
		w.t.Helper()
		r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, address, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Site", "none")
		if extra != "" {
			r.Header.Set("Cookie", extra)
		}
		answer, err := w.client(via).Do(r)
		if err != nil {
			w.t.Fatal(err)
		}
		defer answer.Body.Close()
		for _, cookie := range answer.Cookies() {
			cookies[cookie.Name] = cookie.Value
		}
		location, err := answer.Location()
		if err != nil {
			w.t.Fatalf("%s is answered %s: %v", address, answer.Status, err)
		}
		return location.String()
	}
	enter := get("https://"+host(job)+"/", proxy.address, "")
	u, err := url.Parse(enter)
	if err != nil {
		w.t.Fatal(err)
	}
	code := get("https://localhost"+u.RequestURI(), w.gateway, "__Host-soma="+w.cookies[user])
	get(code, proxy.address, "__Host-soma-page-sign-in="+cookies["__Host-soma-page-sign-in"])
	if cookies["__Host-soma-page"] == "" {
		w.t.Fatal("there is no cookie of the page")
	}
	return cookies["__Host-soma-page"]
}
