package kubeproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/gateway/ticket"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/fuzzing"
	"github.com/soma-platform/soma/internal/testing/records"
)

// patience is how long a test waits for what comes at once.
const patience = 20 * time.Second

var server *apiserver.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if fuzzing.Alone() {
		return m.Run()
	}
	var err error
	if server, err = apiserver.Start(apiserver.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, "start the API server for the tests:", err)
		return 1
	}
	defer func() { _ = server.Stop() }()
	return m.Run()
}

// signIn plays sign-in: a bearer token, or the value of a cookie, is the name of a user.
type signIn struct {
	mu     sync.Mutex
	ended  map[string]bool
	scopes map[string][]v1alpha1.Permission
	until  map[string]time.Time
	lasts  map[string]time.Time
}

func (s *signIn) Authenticate(r *http.Request) (caller.Caller, error) {
	name, via := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), caller.ViaToken
	if cookie, err := r.Cookie("session"); name == "" && err == nil {
		name, via = cookie.Value, caller.ViaCookie
	}
	if name == "" {
		return caller.Caller{}, caller.ErrNone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended[name] || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-:") != "" {
		return caller.Caller{}, caller.ErrRefused
	}
	user, token, _ := strings.Cut(name, ":")
	return caller.Caller{User: user, Session: name, TokenID: token, Via: via, Scope: s.scopes[name], ExpiresAt: s.until[name], LastsUntil: s.lasts[name]}, nil
}

func (s *signIn) StillValid(c caller.Caller) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended[c.Session]
}

func (s *signIn) end(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[session] = true
}

// world is a proxy before the API server of the tests. Every test has its own projects and users, by the prefix of their names.
type world struct {
	t         *testing.T
	prefix    string
	proxy     *Proxy
	authority *authority.Authority
	signIn    *signIn
	audit     *records.Log
	front     *httptest.Server
	marks     int
}

func newWorld(t *testing.T, prefix string, change ...func(*Options)) *world {
	t.Helper()
	w := &world{
		t: t, prefix: prefix, audit: &records.Log{},
		signIn: &signIn{ended: map[string]bool{}, scopes: map[string][]v1alpha1.Permission{}, until: map[string]time.Time{}, lasts: map[string]time.Time{}},
	}
	config := w.gateway()
	w.authority = authority.New(clock.RealClock{})
	objects, err := cache.New(config, cache.Options{Scheme: server.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Prefix: "/kube", Config: config, Authenticator: w.signIn, Authority: w.authority, Audit: w.audit,
		Origins: []string{"https://soma.example"}, Limits: DefaultLimits(), Clock: clock.RealClock{}, Log: logr.Discard(),
		Registry: prometheus.NewRegistry(),
	}
	keys := &session.Keys{}
	if err := keys.Set([]byte(session.NewKey())); err != nil {
		t.Fatal(err)
	}
	o.Tickets = ticket.New(keys, clock.RealClock{})
	o.Limits.PerSecond, o.Limits.Burst = 10_000, 10_000
	for _, f := range change {
		f(&o)
	}
	if w.proxy, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	synced, err := w.authority.Follow(ctx, objects)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = objects.Start(ctx) })
	running.Go(func() { _ = w.authority.Start(ctx, synced) })
	running.Go(func() { _ = w.proxy.Run(ctx) })
	w.front = httptest.NewUnstartedServer(w.proxy)
	w.front.EnableHTTP2 = true
	w.front.StartTLS()
	t.Cleanup(func() {
		stop()
		w.front.CloseClientConnections()
		w.front.Close()
		running.Wait()
	})
	w.eventually("the authority knows everything", w.authority.Synced)
	return w
}

// gateway is how the gateway reaches the API server: as its own service account, with the rights that are installed.
func (w *world) gateway() *rest.Config {
	w.t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "gateway", "rbac.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	documents := bytes.Split(file, []byte("\n---\n"))
	role, binding := &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}
	if err := yaml.UnmarshalStrict(documents[0], role); err != nil {
		w.t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(documents[1], binding); err != nil {
		w.t.Fatal(err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "soma-system", Name: "soma-gateway"}}
	w.make(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "soma-system"}}, role, binding, account)
	for _, role := range access.ClusterRoles() {
		w.make(&role)
	}
	token := &authenticationv1.TokenRequest{}
	if err := server.Client.SubResource("token").Create(w.t.Context(), account, token); err != nil {
		w.t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(server.Config)
	config.BearerToken = token.Status.Token
	config.QPS = -1
	return config
}

// make makes objects that may be there already.
func (w *world) make(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		if err := server.Client.Create(w.t.Context(), object); err != nil && !apierrors.IsAlreadyExists(err) {
			w.t.Fatalf("make %T %s: %v", object, object.GetName(), err)
		}
	}
}

func (w *world) remove(object client.Object) {
	w.t.Helper()
	if err := server.Client.Delete(w.t.Context(), object); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) name(short string) string { return w.prefix + "-" + short }

// user makes a user, and tells their name.
func (w *world) user(short string) string {
	w.t.Helper()
	user := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: w.name(short)}, Spec: v1alpha1.UserSpec{
		Type: v1alpha1.UserPerson, Identities: []v1alpha1.Identity{{Issuer: "https://id.example", Subject: w.name(short)}},
	}}
	w.make(user)
	return user.Name
}

// project makes a project with its namespace, and tells its name.
func (w *world) project(short string) string {
	w.t.Helper()
	name := w.name(short)
	w.make(&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}},
		&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ProjectSpec{Quota: name}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	return name
}

func (w *world) job(project, name string) *v1alpha1.Job {
	w.t.Helper()
	job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name}, Spec: v1alpha1.JobSpec{Image: "soma.dev/busybox:1"}}
	w.make(job)
	return job
}

// grant gives a user an action on an address in a project.
func (w *world) grant(project, user, uri string, action v1alpha1.Action) *v1alpha1.Grant {
	w.t.Helper()
	grant := &v1alpha1.Grant{
		ObjectMeta: metav1.ObjectMeta{Namespace: project, GenerateName: "g-"},
		Spec:       v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: user}, URI: v1alpha1.Address(uri), Action: action},
	}
	w.make(grant)
	return grant
}

// writer gives a user all that works in a project.
func (w *world) writer(project, user string) []*v1alpha1.Grant {
	w.t.Helper()
	return []*v1alpha1.Grant{
		w.grant(project, user, "job:", v1alpha1.ActionWrite), w.grant(project, user, "secret:", v1alpha1.ActionWrite),
		w.grant(project, user, "project:", v1alpha1.ActionRead),
	}
}

// compile waits until the authority has it so, and makes RBAC of what it knows: all that the manager does of it.
func (w *world) compile(known func(tree func(user string) *access.Tree) bool) {
	w.t.Helper()
	w.eventually("the authority has it so", func() bool { return known(w.authority.Tree) })
	bind := func(role access.CompiledRole, namespace string) {
		var subjects []rbacv1.Subject
		for _, user := range role.Users {
			subjects = append(subjects, rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: access.UserPrefix + user})
		}
		if role.Everyone {
			subjects = append(subjects, rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: access.UsersGroup})
		}
		meta := metav1.ObjectMeta{Namespace: namespace, Name: role.Name}
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}
		switch {
		case namespace == "":
			w.put(&rbacv1.ClusterRole{ObjectMeta: meta, Rules: role.Rules}, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
		case role.Rules == nil:
			w.put(&rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
		default:
			ref.Kind = "Role"
			w.put(&rbacv1.Role{ObjectMeta: meta, Rules: role.Rules}, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
		}
	}
	wanted := map[string]bool{}
	var namespaces []string
	w.authority.View(func(d *access.Directory, m *access.Membership, _ time.Time) {
		for _, role := range m.CompilePlatform() {
			bind(role, "")
		}
		for _, project := range d.Projects() {
			if !strings.HasPrefix(project, w.prefix) {
				continue
			}
			namespaces = append(namespaces, project)
			compiled := m.CompileProject(project, func(job string) []string { return []string{job + "-pod"} })
			for _, role := range compiled.Cluster {
				bind(role, "")
			}
			for _, role := range compiled.Namespaced {
				bind(role, project)
				wanted[project+"/"+role.Name] = true
			}
		}
	})
	for _, namespace := range namespaces {
		there := &rbacv1.RoleBindingList{}
		if err := server.Client.List(w.t.Context(), there, client.InNamespace(namespace)); err != nil {
			w.t.Fatal(err)
		}
		for i := range there.Items {
			if !wanted[namespace+"/"+there.Items[i].Name] {
				w.remove(&there.Items[i])
			}
		}
	}
	w.counts(namespaces[0])
}

// counts waits until the API server knows of all roles and bindings that were made before: it learns of each kind in order.
func (w *world) counts(namespace string) {
	w.t.Helper()
	w.marks++
	name := w.name(fmt.Sprint("mark-", w.marks))
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{name}, Verbs: []string{"get"}}}
	for kind, namespace := range map[string]string{"ClusterRole": "", "Role": namespace} {
		meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
		subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name + kind}}
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
		if namespace == "" {
			w.put(&rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
		} else {
			w.put(&rbacv1.Role{ObjectMeta: meta, Rules: rules}, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
		}
		w.eventually("RBAC counts", func() bool {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: name + kind, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: name, Namespace: namespace},
			}}
			return server.Client.Create(w.t.Context(), review) == nil && review.Status.Allowed
		})
	}
}

// put makes objects, in place of those of their names.
func (w *world) put(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		err := server.Client.Create(w.t.Context(), object)
		if apierrors.IsAlreadyExists(err) {
			err = server.Client.Update(w.t.Context(), object)
		}
		if err != nil {
			w.t.Fatalf("put %T %s: %v", object, object.GetName(), err)
		}
	}
}

func allows(target access.Target, level access.Level, users ...string) func(func(string) *access.Tree) bool {
	return func(tree func(string) *access.Tree) bool {
		return !slices.ContainsFunc(users, func(user string) bool { return !tree(user).Allows(target, level) })
	}
}

// writes is what writer gives, of users: all of it, as each grant is known by itself.
func writes(project string, users ...string) func(func(string) *access.Tree) bool {
	return func(tree func(string) *access.Tree) bool {
		for scheme, level := range map[access.Scheme]access.Level{access.Job: access.Write, access.Secret: access.Write, access.Project: access.Read} {
			if !allows(access.In(scheme, access.Home, "", project), level, users...)(tree) {
				return false
			}
		}
		return true
	}
}

func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}

// client is an HTTP client of the gateway.
func (w *world) client() *http.Client { return w.front.Client() }

// request makes a request for a user; none where the name is empty.
func (w *world) request(method, user, path string, body io.Reader) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.front.URL+"/kube"+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+user)
	}
	return r
}

// do makes a request and returns the code and what came.
func (w *world) do(r *http.Request) (int, []byte) {
	w.t.Helper()
	response, err := w.client().Do(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatalf("%s %s: read: %v", r.Method, r.URL, err)
	}
	return response.StatusCode, body
}

func (w *world) get(user, path string) (int, []byte) {
	w.t.Helper()
	return w.do(w.request(http.MethodGet, user, path, nil))
}

// names are those of the items of a list.
func names(t *testing.T, body []byte) []string {
	t.Helper()
	var list struct {
		Items []struct {
			Metadata metav1.ObjectMeta `json:"metadata"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	found := []string{}
	for i := range list.Items {
		found = append(found, list.Items[i].Metadata.Name)
	}
	slices.Sort(found)
	return found
}

// kubectl prepares a call of kubectl by a user through the gateway.
func (w *world) kubectl(user string, args ...string) *exec.Cmd {
	w.t.Helper()
	folder := w.t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.front.Certificate().Raw})
	ca := filepath.Join(folder, "ca.pem")
	config := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: gateway, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: caller, user: {token: %q}}]
contexts: [{name: gateway, context: {cluster: gateway, user: caller}}]
current-context: gateway
`, w.front.URL+"/kube", ca, user)
	file := filepath.Join(folder, "kubeconfig")
	for name, content := range map[string][]byte{ca: certificate, file: []byte(config)} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join("..", "..", "..", ".soma", "bin")
	}
	command := exec.CommandContext(w.t.Context(), filepath.Join(assets, "kubectl"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+file, "HOME="+folder)
	return command
}

func init() { ctrllog.SetLogger(logr.Discard()) }
