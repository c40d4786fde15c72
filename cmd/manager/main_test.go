package main

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/redis"
)

// fixture is a manager as it runs in a cluster, without PostgreSQL, and the API server that it works on.
type fixture struct {
	t       *testing.T
	server  *apiserver.Server
	options options
	stop    context.CancelFunc
	ended   chan error
}

// A process has one manager, so that all tests of it share one.
func TestManager(t *testing.T) {
	f := start(t)
	t.Run("renews its certificates", f.renewsCertificates)
	t.Run("tells the proxy whom to trust", f.tellsWhomToTrust)
	t.Run("tells its metrics to those who may know", f.guardsMetrics)
	t.Run("keeps in Redis what users may do", f.keepsRights)
	t.Run("exports what alerts name", f.exportsWhatAlertsName)
	t.Run("serves profiles on request alone", f.servesProfilesOnRequest)
	t.Run("ends within its time", f.ends)
}

func start(t *testing.T) *fixture {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	server, err := apiserver.Start(apiserver.Options{Admission: true, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	f := &fixture{t: t, server: server, options: defaults()}
	for _, file := range []string{"manager/namespace.yaml", "manager/serving_certs.yaml", "history/apiservice.yaml"} {
		object := &unstructured.Unstructured{}
		read(t, file, &object.Object)
		if err := server.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, server.Kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	o := &f.options
	o.leaderElect, o.certDir, o.webhookHost = true, t.TempDir(), "127.0.0.1"
	o.metricsAddr, o.probeAddr, o.webhookPort = freeAddress(t), freeAddress(t), freePort(t)
	o.databaseURL = "postgres://soma@127.0.0.1:1/none?connect_timeout=1"
	store, err := redis.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	o.redisURL, o.accessKeys = "redis://"+store.Address, filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(o.accessKeys, []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop, f.ended = stop, make(chan error, 1)
	t.Cleanup(stop)
	go func() { f.ended <- run(ctx, *o) }()
	f.eventually(t, "the manager is ready", func(ctx context.Context) error {
		code, _, err := get(ctx, http.DefaultClient, "http://"+o.probeAddr+"/readyz", "")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("it answers %d", code)
		}
		return err
	})
	return f
}

// defaults are the options of a manager that is started without flags.
func defaults() options {
	o := options{}
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	o.bind(flags)
	o.namespace = "soma-system"
	return o
}

func (f *fixture) servesProfilesOnRequest(t *testing.T) {
	if address := managerOptions(defaults(), &servingCertificate{}).PprofBindAddress; address != "" {
		t.Errorf("without the flag profiles are served at %q", address)
	}
	if code, _, err := get(t.Context(), http.DefaultClient, "http://"+f.options.probeAddr+"/debug/pprof/", ""); err != nil || code != http.StatusNotFound {
		t.Errorf("a manager without the flag answers %d, %v to who asks for profiles", code, err)
	}
	o := defaults()
	o.pprofAddr, o.metricsAddr, o.probeAddr = freeAddress(t), "0", "0"
	mgr, err := ctrl.NewManager(f.server.Config, managerOptions(o, &servingCertificate{}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	f.eventually(t, "profiles are served", func(ctx context.Context) error {
		code, _, err := get(ctx, http.DefaultClient, "http://"+o.pprofAddr+"/debug/pprof/", "")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("the answer is %d", code)
		}
		return err
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// ends is the last test: it ends the manager. The history is away, and a job waits for it: none of that keeps it.
func (f *fixture) ends(t *testing.T) {
	f.stop()
	select {
	case err := <-f.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(shutdownTime):
		t.Fatalf("the manager has not ended after %s", shutdownTime)
	}
	lease := &coordinationv1.Lease{}
	if err := f.server.Client.Get(t.Context(), client.ObjectKey{Namespace: f.options.namespace, Name: "soma-manager"}, lease); err != nil {
		t.Fatal(err)
	}
	if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" {
		t.Errorf("the next manager waits for the lease of %s", *holder)
	}
	deployment := &appsv1.Deployment{}
	read(t, "manager/deployment.yaml", deployment)
	grace := time.Duration(*deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	if bound := managerOptions(f.options, &servingCertificate{}).GracefulShutdownTimeout; bound == nil || *bound <= 0 || *bound >= grace {
		t.Errorf("the manager's own bound on its shutdown must be within the %s that it is given, and is %v", grace, bound)
	}
}

// token is that of a service account of the name, with the cluster roles.
func (f *fixture) token(t *testing.T, name string, roles ...string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: f.options.namespace, Name: name}}
	if err := f.server.Client.Create(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name + "-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: name}},
		}
		if err := f.server.Client.Create(t.Context(), binding); err != nil {
			t.Fatal(err)
		}
	}
	if len(roles) > 0 {
		f.knowsRight(t, "system:serviceaccount:"+account.Namespace+":"+name)
	}
	request := &authenticationv1.TokenRequest{}
	if err := f.server.Client.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// knowsRight waits until the API server knows that a user may read metrics: the manager remembers for a while that one may not.
func (f *fixture) knowsRight(t *testing.T, user string) {
	t.Helper()
	f.eventually(t, "the right to read metrics", func(ctx context.Context) error {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"},
		}}
		if err := f.server.Client.Create(ctx, review); err != nil {
			return err
		}
		if !review.Status.Allowed {
			return fmt.Errorf("%s may not: %s", user, review.Status.Reason)
		}
		return nil
	})
}

func (f *fixture) eventually(t *testing.T, what string, attempt func(context.Context) error) {
	t.Helper()
	last := error(nil)
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-f.ended:
			return false, fmt.Errorf("the manager ended: %w", err)
		default:
		}
		err := attempt(ctx)
		if ctx.Err() == nil {
			last = err // not that time is up, but what was seen before
		}
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: not seen: %v: %v", what, err, last)
	}
}

// read reads a manifest of config.
func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func get(ctx context.Context, c *http.Client, url, token string) (code int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freePort(t))
}
