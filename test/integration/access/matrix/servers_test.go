package matrix

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/utils/clock"

	accessv1 "github.com/soma-platform/soma/api/access/v1alpha1"
	historyv1 "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/internal/accessapi"
	"github.com/soma-platform/soma/internal/gateway/config"
	"github.com/soma-platform/soma/internal/gateway/kubeproxy"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/gateway/signin"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/historyapi"
	"github.com/soma-platform/soma/internal/platform/aggregated"
	"github.com/soma-platform/soma/internal/testing/freeport"
	"github.com/soma-platform/soma/internal/testing/records"
	"github.com/soma-platform/soma/test/integration/harness"
)

// issuer is the identity provider of all people. Nobody asks it: their sessions are sealed here.
const issuer = "https://id.example"

var (
	// keys seal the sessions of people.
	keys *session.Keys
	// front is the gateway, as far as the Kubernetes API goes.
	front *httptest.Server
)

// aggregate serves the API groups beside the cluster's own.
func aggregate() {
	GinkgoHelper()
	serve(accessv1.GroupVersion, func(ctx context.Context, o aggregated.Options) error { return accessapi.Run(ctx, o, rights) })
	serve(historyv1.GroupVersion, func(ctx context.Context, o aggregated.Options) error {
		return historyapi.Run(ctx, o, past{}, clock.RealClock{})
	})
}

func serve(version schema.GroupVersion, part func(context.Context, aggregated.Options) error) {
	GinkgoHelper()
	options := aggregated.Options{BindAddress: net.IPv4(127, 0, 0, 1)}
	var err error
	options.Port, err = freeport.Find()
	Expect(err).NotTo(HaveOccurred())
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{options.BindAddress}, nil)
	Expect(err).NotTo(HaveOccurred())
	options.CertFile, options.KeyFile = file("crt", certificate), file("key", key)
	options.Kubeconfig = file("kubeconfig", harness.Server.Kubeconfig)
	run(func(ctx context.Context) error { return part(ctx, options) })
	Expect(harness.Server.Aggregate(harness.Ctx, version, options.Port)).To(Succeed())
}

// file is a file with a content.
func file(name string, content []byte) string {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.WriteFile(path, content, 0o600)).To(Succeed())
	return path
}

// startGateway runs the gateway's proxy of the Kubernetes API with its sign-in, with the rights that it has.
func startGateway() {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: harness.SystemNamespace, Name: "soma-gateway"}}
	token := &authenticationv1.TokenRequest{}
	Expect(harness.K8s.SubResource("token").Create(harness.Ctx, account, token)).To(Succeed())
	api := rest.AnonymousClientConfig(harness.Server.Config)
	api.BearerToken, api.QPS = token.Status.Token, -1

	keysFile := file("keys", []byte(session.NewKey()))
	settings, err := config.Parse(fmt.Appendf(nil, `
externalURL: https://soma.example
keysFile: %s
issuers:
- {name: id, displayName: Example, url: %s, clientID: soma, clientSecretFile: %s}
`, keysFile, issuer, file("secret", []byte("secret"))))
	Expect(err).NotTo(HaveOccurred())
	keys, err = session.ReadKeys(keysFile)
	Expect(err).NotTo(HaveOccurred())
	people, err := signin.New(signin.Options{
		Config: settings, Keys: keys, Authority: rights, Client: harness.K8s, Namespace: harness.SystemNamespace, Audit: &records.Log{}, Clock: clock.RealClock{},
		Log: logr.Discard(),
	})
	Expect(err).NotTo(HaveOccurred())
	limits := kubeproxy.DefaultLimits()
	limits.PerSecond, limits.Burst = 100_000, 100_000
	proxy, err := kubeproxy.New(kubeproxy.Options{
		Config: api, Authenticator: people, Authority: rights, Audit: &records.Log{}, Limits: limits, Clock: clock.RealClock{}, Log: logr.Discard(),
		Registry: prometheus.NewRegistry(),
	})
	Expect(err).NotTo(HaveOccurred())
	run(proxy.Run)
	front = httptest.NewUnstartedServer(proxy)
	front.EnableHTTP2 = true
	front.StartTLS()
	DeferCleanup(front.Close)
}

// past is a history of one job in each project.
type past struct{}

// pastUID is the UID of the job of the past.
var pastUID = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("past"))

// List returns the jobs that a query names.
func (past) List(_ context.Context, q history.Query) (jobs []history.Job, _ *history.Position, _ error) {
	for _, project := range []string{vision, robots} {
		job := history.Job{
			SubmittedAt: time.Unix(1, 0), Uid: pastUID, Namespace: project, Name: pastJob, Labels: []byte(`{"mark":"` + mark(project) + `"}`), Spec: []byte("{}"),
			Phase: "Succeeded", Sequence: 1,
		}
		columns := map[history.Column]string{history.ColumnNamespace: project, history.ColumnName: pastJob}
		if !slices.ContainsFunc(q.Equal, func(m history.Match) bool { return (columns[m.Column] == m.Value) == m.Not }) {
			jobs = append(jobs, job)
		}
	}
	return jobs, nil, nil
}

// Transitions are none.
func (past) Transitions(context.Context, *history.Job, int32) ([]history.Transition, error) {
	return nil, nil
}
