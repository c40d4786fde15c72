package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// managerFigures are what the manager says of itself.
type managerFigures struct {
	writes, cpu, memory, recorded float64
}

// managerMetrics reads the leader's metrics the way a scraper does: by TLS, with a token that the cluster knows.
func (b *bench) managerMetrics(ctx context.Context) (managerFigures, error) {
	var figures managerFigures
	pods := &corev1.PodList{}
	err := b.List(ctx, pods, client.InNamespace("soma-system"), client.MatchingLabels{"app.kubernetes.io/component": "manager"})
	if err != nil || len(pods.Items) == 0 {
		return figures, fmt.Errorf("find the manager's pod: %w (%d found)", err, len(pods.Items))
	}
	set, err := kubernetes.NewForConfig(b.config)
	if err != nil {
		return figures, err
	}
	if err := b.letRead(ctx); err != nil {
		return figures, err
	}
	token, err := set.CoreV1().ServiceAccounts(b.namespace).CreateToken(ctx, reader, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return figures, fmt.Errorf("get a token to read metrics with: %w", err)
	}
	for i := range pods.Items {
		if pods.Items[i].Status.Phase != corev1.PodRunning {
			continue
		}
		if err := b.scrape(ctx, set, &pods.Items[i], token.Status.Token, &figures); err != nil {
			return figures, fmt.Errorf("read the metrics of %s: %w", pods.Items[i].Name, err)
		}
	}
	return figures, nil
}

// reader is the service account, and the binding of its role, by which metrics are read.
const reader = "soma-performance"

// letRead makes the service account and lets it read metrics; clean takes both away.
func (b *bench) letRead(ctx context.Context) error {
	for _, object := range b.readerObjects() {
		if err := b.Create(ctx, object); client.IgnoreAlreadyExists(err) != nil {
			return fmt.Errorf("let the bench read metrics: %w", err)
		}
	}
	return nil
}

func (b *bench) readerObjects() []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: reader, Namespace: b.namespace}},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: reader},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "soma-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: reader, Namespace: b.namespace}},
		},
	}
}

func (b *bench) scrape(ctx context.Context, set kubernetes.Interface, pod *corev1.Pod, token string, figures *managerFigures) error {
	url := set.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(b.config)
	if err != nil {
		return err
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	defer close(stop)
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	forward, err := portforward.New(dialer, []string{"0:8443"}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- forward.ForwardPorts() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-ready:
	}
	ports, err := forward.GetPorts()
	if err != nil {
		return err
	}
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/metrics", ports[0].Local), nil)
	if err != nil {
		return err
	}
	get.Header.Set("Authorization", "Bearer "+token)
	// The certificate of the metrics is the manager's own; the way there is the API server's tunnel.
	local := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // see above
	answer, err := local.Do(get)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the manager answered %s", answer.Status)
	}
	return figures.add(io.LimitReader(answer.Body, 16<<20))
}

// add reads metrics in the text format.
func (f *managerFigures) add(text io.Reader) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return fmt.Errorf("read the metrics: %w", err)
	}
	for name, family := range families {
		for _, metric := range family.Metric {
			switch name {
			case "rest_client_requests_total":
				for _, l := range metric.Label {
					if l.GetName() == "method" && !strings.EqualFold(l.GetValue(), "GET") {
						f.writes += metric.GetCounter().GetValue()
					}
				}
			case "process_cpu_seconds_total":
				f.cpu += metric.GetCounter().GetValue()
			case "process_resident_memory_bytes":
				f.memory += metric.GetGauge().GetValue()
			case "soma_history_recorded_transitions_total":
				f.recorded += metric.GetCounter().GetValue()
			}
		}
	}
	return nil
}
