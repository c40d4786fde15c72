package kubeproxy

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// meters are what is measured of the proxy.
type meters struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refusals *prometheus.CounterVec
	cut      *prometheus.CounterVec
	open     prometheus.GaugeFunc
}

func newMeters(p *Proxy) *meters {
	return &meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "soma_gateway_api_requests_total",
			Help: "Requests to the Kubernetes API, by verb and code of the answer.",
		}, []string{"verb", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "soma_gateway_api_request_seconds",
			Help:    "How long requests to the Kubernetes API took that are no streams, by verb.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"verb"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "soma_gateway_api_refusals_total",
			Help: "Requests to the Kubernetes API that were refused, by reason.",
		}, []string{"reason"}),
		cut: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "soma_gateway_streams_cut_total",
			Help: "Streams that were ended because they were no longer allowed, by reason.",
		}, []string{"reason"}),
		open: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "soma_gateway_open_streams",
			Help: "Watches, logs and connections that are open.",
		}, func() float64 { return float64(p.streams.Count()) }),
	}
}

func (m *meters) register(registry prometheus.Registerer) error {
	for _, collector := range []prometheus.Collector{m.requests, m.seconds, m.refusals, m.cut, m.open} {
		if err := registry.Register(collector); err != nil {
			return err
		}
	}
	return nil
}

// verbs that metrics tell apart. A client can send any, and must not make a series of each.
var verbs = map[string]string{
	"get": "get", "list": "list", "watch": "watch", "create": "create", "update": "update", "patch": "patch", "delete": "delete",
	"deletecollection": "deletecollection", "post": "post", "put": "put", "head": "head",
}

func verbOf(x *exchange) string {
	if verb := verbs[x.attributes.Verb]; verb != "" {
		return verb
	}
	return "other"
}

func (m *meters) answered(x *exchange, code int) {
	m.requests.WithLabelValues(verbOf(x), strconv.Itoa(code)).Inc()
	if x.reason != "" {
		m.refusals.WithLabelValues(string(x.reason)).Inc()
	}
}

func (m *meters) ended(x *exchange) {
	if !x.attributes.long {
		m.seconds.WithLabelValues(verbOf(x)).Observe(x.proxy.since(x.began))
	}
}
