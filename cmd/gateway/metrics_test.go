package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/freeport"
	"github.com/soma-platform/soma/internal/testing/postgres"
)

// running is a gateway as it runs in a cluster.
type running struct {
	*testing.T
	server         *apiserver.Server
	door, accounts string
	ended          chan error
}

// start starts one with the flags that the installation gives it.
func start(t *testing.T) *running {
	t.Helper()
	server, err := apiserver.Start(apiserver.Options{Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	database, err := postgres.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name string, text []byte) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("KUBECONFIG", write("kubeconfig", server.Kubeconfig))
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{T: t, server: server, ended: make(chan error, 1)}
	o := options{certFile: write("tls.crt", certificate), keyFile: write("tls.key", key), namespace: "soma-system"}
	o.address, o.metrics = freeAddress(t), freeAddress(t)
	r.door, r.accounts = "https://"+o.address, "https://"+o.metrics+"/metrics"
	if o.databaseURL, err = database.Database(t.Context(), "gateway"); err != nil {
		t.Fatal(err)
	}
	keys := write("keys", []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	o.configFile = write("config.yaml", fmt.Appendf(nil, `
externalURL: https://soma.example.org
keysFile: %s
issuers: [{name: company, url: "https://id.example.org", clientID: soma, clientSecretFile: %s}]
`, keys, write("secret", []byte("secret"))))
	ctx, stop := context.WithCancel(context.Background())
	go func() { r.ended <- run(ctx, o) }()
	t.Cleanup(func() {
		stop()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
		for _, end := range []func() error{database.Close, server.Stop} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
	})
	r.eventually("the gateway is ready", func(ctx context.Context) bool {
		code, _ := r.get(ctx, r.door+"/readyz", "")
		return code == http.StatusOK
	})
	return r
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// anybody does not ask who serves.
var anybody = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

func (r *running) get(ctx context.Context, url, token string) (code int, body string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		r.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := anybody.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close() //nolint:errcheck // it was only read from
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

func (r *running) eventually(what string, holds func(context.Context) bool) {
	r.Helper()
	if err := wait.PollUntilContextTimeout(r.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-r.ended:
			r.ended <- nil
			return false, fmt.Errorf("the gateway ended: %w", err)
		default:
		}
		return holds(ctx), nil
	}); err != nil {
		r.Fatalf("%s: %v", what, err)
	}
}

// token is that of a service account, which may read metrics or not.
func (r *running) token(name string, reads bool) string {
	r.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	objects := []client.Object{account}
	if reads {
		objects = append(objects, &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
		}, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: name}},
		})
	}
	for _, object := range objects {
		if err := r.server.Client.Create(r.Context(), object); err != nil {
			r.Fatal(err)
		}
	}
	// The gateway remembers for a while that one may not.
	r.eventually("the right to read metrics", func(ctx context.Context) bool {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:default:" + name, NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"},
		}}
		return r.server.Client.Create(ctx, review) == nil && review.Status.Allowed == reads
	})
	request := &authenticationv1.TokenRequest{}
	if err := r.server.Client.SubResource("token").Create(r.Context(), account, request); err != nil {
		r.Fatal(err)
	}
	return request.Status.Token
}

// Metrics are told to those who may read them, and among them is what alerts name.
func TestMetrics(t *testing.T) {
	r := start(t)
	r.eventually("metrics are served", func(ctx context.Context) bool {
		code, _ := r.get(ctx, r.accounts, "")
		return code != 0
	})
	if code, body := r.get(t.Context(), r.accounts, ""); code != http.StatusUnauthorized || strings.Contains(body, "soma_") {
		t.Errorf("nobody is answered %d", code)
	}
	if code, body := r.get(t.Context(), r.accounts, r.token("stranger", false)); code != http.StatusForbidden || strings.Contains(body, "soma_") {
		t.Errorf("somebody without the right is answered %d", code)
	}
	if code, body := r.get(t.Context(), r.door+"/metrics", ""); code != http.StatusNotFound {
		t.Errorf("where people come in metrics are told: %d %.80s", code, body)
	}
	rules, err := os.ReadFile("../../config/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`(soma_gateway_[a-z_]*)\{`).FindAllSubmatch(rules, -1)
	if len(named) < 3 {
		t.Fatalf("the alerts name %d metrics of the gateway", len(named))
	}
	// Some are there once somebody came.
	if code, _ := r.get(t.Context(), r.door+"/kubernetes/api", ""); code != http.StatusUnauthorized {
		t.Errorf("nobody is answered %d", code)
	}
	token := r.token("prometheus", true)
	var body string
	r.eventually("metrics are told", func(ctx context.Context) bool {
		var code int
		code, body = r.get(ctx, r.accounts, token)
		return code == http.StatusOK
	})
	for _, match := range named {
		if name := string(match[1]); !strings.Contains(body, "\n"+name+"{") && !strings.Contains(body, "\n"+name+" ") {
			t.Errorf("an alert names %s, which is not exported", name)
		}
	}
}
