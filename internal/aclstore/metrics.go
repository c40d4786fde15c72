package aclstore

import (
	"github.com/prometheus/client_golang/prometheus"
)

// How an entry fared.
const (
	wasWritten = "written"
	wasLater   = "later"
	wasFailed  = "failed"
)

// Metrics count what a Writer does.
type Metrics struct {
	up      prometheus.Gauge
	entries prometheus.Gauge
	writes  *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "soma_access_redis_up", Help: "1 where this process keeps in Redis what users may do, and Redis takes it.",
		}),
		entries: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "soma_access_entries", Help: "Users who were asked about lately, and whose rights are kept in Redis.",
		}),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "soma_access_entry_writes_total", Help: "Entries that were written to Redis, left as a later one was there, or not taken.",
		}, []string{"result"}),
	}
	for _, result := range []string{wasWritten, wasLater, wasFailed} {
		m.writes.WithLabelValues(result)
	}
	for _, one := range []prometheus.Collector{m.up, m.entries, m.writes} {
		if err := registry.Register(one); err != nil {
			return nil, err
		}
	}
	return m, nil
}
