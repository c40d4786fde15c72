package main

import (
	"context"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/soma-platform/soma/test/performance/scrape"
)

// apiServer reads what the API server says of itself. Nil reads nothing.
type apiServer struct{ rest rest.Interface }

// serverFigures are counters of the API server: its seconds of CPU, and its writes by what they are.
type serverFigures struct {
	cpu    float64
	writes scrape.Counts
}

// openServer fails where the metrics of one API server are not those of all: its figures would tell a part.
func (b *bench) openServer(ctx context.Context) (*apiServer, error) {
	list, err := b.set.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=kubernetes",
	})
	if err != nil {
		return nil, fmt.Errorf("count the API servers: %w", err)
	}
	addresses := map[string]bool{}
	for i := range list.Items {
		for _, endpoint := range list.Items[i].Endpoints {
			for _, address := range endpoint.Addresses {
				addresses[address] = true
			}
		}
	}
	if len(addresses) > 1 {
		return nil, fmt.Errorf("there are %d of them", len(addresses))
	}
	s := &apiServer{rest: b.set.Discovery().RESTClient()}
	if _, err := s.read(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *apiServer) read(ctx context.Context) (serverFigures, error) {
	figures := serverFigures{writes: scrape.Counts{}}
	if s == nil {
		return figures, nil
	}
	body, err := s.rest.Get().AbsPath("/metrics").SetHeader("Accept", "text/plain").Timeout(lookTime).Stream(ctx)
	if err != nil {
		return figures, fmt.Errorf("read the metrics of the API server: %w", err)
	}
	defer func() { _ = body.Close() }()
	points, err := scrape.Parse(body, "process_cpu_seconds_total", "apiserver_request_total")
	if err != nil {
		return figures, err
	}
	for _, p := range points {
		if p.Metric == "process_cpu_seconds_total" {
			figures.cpu += p.Value
		} else if request := scrape.WriteOf(p.Labels); request != "" {
			figures.writes[request] += p.Value
		}
	}
	return figures, nil
}
