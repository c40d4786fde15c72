package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// apiServer reads what the API server says of itself. Nil reads nothing.
type apiServer struct{ rest rest.Interface }

// serverFigures are counters of the API server: its seconds of CPU, and its writes by what they are.
type serverFigures struct {
	cpu    float64
	writes counts
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
	figures := serverFigures{writes: counts{}}
	if s == nil {
		return figures, nil
	}
	body, err := s.rest.Get().AbsPath("/metrics").SetHeader("Accept", "text/plain").Timeout(lookTime).Stream(ctx)
	if err != nil {
		return figures, fmt.Errorf("read the metrics of the API server: %w", err)
	}
	defer func() { _ = body.Close() }()
	points, err := parse(body, "process_cpu_seconds_total", "apiserver_request_total")
	if err != nil {
		return figures, err
	}
	for _, p := range points {
		if p.metric == "process_cpu_seconds_total" {
			figures.cpu += p.value
		} else if request := writeOf(p.labels); request != "" {
			figures.writes[request] += p.value
		}
	}
	return figures, nil
}

// verbs are the requests that change something, by the names that the API server counts them under.
var verbs = map[string]string{
	"POST": "create", "PUT": "update", "PATCH": "patch", "APPLY": "apply", "DELETE": "delete", "DELETECOLLECTION": "delete",
}

// writeOf names a write by what it does to what; nothing for a request that only reads, for a heart-beat, which comes
// whether there are jobs or not, and for a question of who may do what, which is written nowhere.
func writeOf(labels map[string]string) string {
	verb, group, resource := verbs[labels["verb"]], labels["group"], labels["resource"]
	switch {
	case verb == "" || resource == "" || labels["dry_run"] != "":
		return ""
	case resource == "leases" || (resource == "nodes" && group == ""):
		return ""
	case group == "authentication.k8s.io" || group == "authorization.k8s.io" || labels["subresource"] == "token":
		return ""
	}
	if group != "" && group != "events.k8s.io" { // events of both groups are the same objects
		resource += "." + group
	}
	if labels["subresource"] != "" {
		resource += "/" + labels["subresource"]
	}
	return verb + " " + resource
}

// counts are numbers of requests by what they are.
type counts map[string]float64

func (c counts) plus(other counts) counts { return c.combine(other, 1) }

func (c counts) minus(other counts) counts { return c.combine(other, -1) }

func (c counts) combine(other counts, sign float64) counts {
	all := maps.Clone(c)
	for request, n := range other {
		all[request] += sign * n
	}
	return all
}

// each is the counts for each of n.
func (c counts) each(n float64) counts {
	all := counts{}
	for request, total := range c {
		all[request] = total / n
	}
	return all
}

func (c counts) sum() float64 {
	total := 0.0
	for _, n := range c {
		total += n
	}
	return total
}

// frequent are the requests that there are at least so many of, by what they are made to.
func (c counts) frequent(least float64) []string {
	var requests []string
	for request, n := range c {
		if n >= least {
			requests = append(requests, request)
		}
	}
	slices.SortFunc(requests, func(a, b string) int { return cmp.Or(cmp.Compare(object(a), object(b)), cmp.Compare(a, b)) })
	return requests
}

func object(request string) string {
	_, object, _ := strings.Cut(request, " ")
	return object
}
