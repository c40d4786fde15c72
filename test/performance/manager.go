package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/test/performance/scrape"
)

const (
	// sampleEvery is how often the manager is looked at: often enough to see a peak, seldom enough to cost it little.
	sampleEvery = 500 * time.Millisecond
	// lookTime bounds one look, and the opening of a way to the manager.
	lookTime = 30 * time.Second
	// metricsPort is where a manager serves its metrics.
	metricsPort = 8443
)

// manager reads the metrics of the manager's pods the way a scraper does: by TLS, with a token that the cluster knows.
type manager struct {
	http    *http.Client
	token   string
	tunnels []tunnel
}

// tunnel is an open way to one pod.
type tunnel struct {
	pod, url string
	stop     chan struct{}
}

func (b *bench) openManager(ctx context.Context) (*manager, error) {
	if err := b.letRead(ctx); err != nil {
		return nil, err
	}
	request := &authenticationv1.TokenRequest{}
	token, err := b.set.CoreV1().ServiceAccounts(place).CreateToken(ctx, place, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("get a token to read metrics with: %w", err)
	}
	m := &manager{
		token: token.Status.Token,
		// The certificate of the metrics is the manager's own; the way there is the API server's tunnel.
		http: &http.Client{Timeout: lookTime, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}, //nolint:gosec // see above
	}
	pods := &corev1.PodList{}
	if err := b.List(ctx, pods, client.InNamespace("soma-system"), client.MatchingLabels{"app.kubernetes.io/component": "manager"}); err != nil {
		return nil, fmt.Errorf("find the manager's pods: %w", err)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil {
			continue
		}
		t, err := b.openTunnel(ctx, pod)
		if err != nil {
			m.close()
			return nil, fmt.Errorf("open a way to the metrics of %s: %w", pod.Name, err)
		}
		m.tunnels = append(m.tunnels, t)
	}
	if len(m.tunnels) == 0 {
		return nil, errors.New("no pod of the manager runs in soma-system; install Soma first")
	}
	return m, nil
}

// letRead makes a service account that may read metrics; clean takes it away.
func (b *bench) letRead(ctx context.Context) error {
	for _, object := range []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: place, Namespace: place}},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: place, Labels: map[string]string{mark: "true"}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "soma-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: place, Namespace: place}},
		},
	} {
		if err := b.Create(ctx, object); err != nil {
			return fmt.Errorf("let the bench read metrics: %w", err)
		}
	}
	return nil
}

// openTunnel opens a way to the metrics of a pod that stays open until it is closed.
func (b *bench) openTunnel(ctx context.Context, pod *corev1.Pod) (tunnel, error) {
	url := b.set.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(b.config)
	if err != nil {
		return tunnel{}, err
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	stop, ready := make(chan struct{}), make(chan struct{})
	forward, err := portforward.New(dialer, []string{fmt.Sprintf("0:%d", metricsPort)}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return tunnel{}, err
	}
	failed := make(chan error, 1)
	go func() { failed <- forward.ForwardPorts() }()
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	select {
	case err := <-failed:
		return tunnel{}, err
	case <-ctx.Done():
		close(stop)
		return tunnel{}, ctx.Err()
	case <-ready:
	}
	ports, err := forward.GetPorts()
	if err != nil {
		close(stop)
		return tunnel{}, err
	}
	return tunnel{pod: pod.Name, url: fmt.Sprintf("https://127.0.0.1:%d/metrics", ports[0].Local), stop: stop}, nil
}

func (m *manager) close() {
	for _, t := range m.tunnels {
		close(t.stop)
	}
}

// sample looks at all meters now.
func (m *manager) sample(ctx context.Context) (sample, error) {
	s := sample{at: time.Now()}
	for _, t := range m.tunnels {
		points, err := m.look(ctx, t)
		if err != nil {
			return s, fmt.Errorf("read the metrics of %s: %w", t.pod, err)
		}
		s.add(points)
	}
	return s, nil
}

func (m *manager) look(ctx context.Context, t tunnel) ([]scrape.Point, error) {
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, nil)
	if err != nil {
		return nil, err
	}
	get.Header.Set("Authorization", "Bearer "+m.token)
	answer, err := m.http.Do(get)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the manager answered %s", answer.Status)
	}
	return scrape.Parse(answer.Body, slices.Collect(maps.Keys(meterOf))...)
}

// during looks at the manager again and again while an action runs, and right before and after it. A manager that does not
// answer any more ends the action.
func (m *manager) during(ctx context.Context, action func(context.Context) error) (window, error) {
	first, err := m.sample(ctx)
	if err != nil {
		return nil, err
	}
	seen := window{first}
	group, running := errgroup.WithContext(ctx)
	done := make(chan struct{})
	group.Go(func() error {
		defer close(done)
		return action(running)
	})
	group.Go(func() error {
		ticker := time.NewTicker(sampleEvery)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return nil
			case <-ticker.C:
			}
			s, err := m.sample(running)
			if err != nil {
				return err
			}
			seen = append(seen, s)
		}
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	last, err := m.sample(ctx)
	return append(seen, last), err
}
