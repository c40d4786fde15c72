package recorder

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/history"
)

// Health is how far the history is behind.
type Health struct {
	// Away tells that the database does not answer, Since since when, and Cause why.
	Away  bool
	Since time.Time
	Cause error
	// Migrating is since when the database is being brought up to date; zero where it is not.
	Migrating time.Time
	// Backlog is the number of objects that wait to be recorded.
	Backlog int
	// Lag is for how long the one that waits longest has.
	Lag time.Duration
}

// Health tells how far the history is behind.
func (r *Recorder) Health() Health {
	var health Health
	health.Since, health.Cause, health.Away = r.store.Outage()
	if since := r.migrating.Load(); since != nil {
		health.Migrating = *since
	}
	health.Backlog, health.Lag = r.backlog.measure()
	return health
}

// backlog remembers since when objects wait: the names alone, each once.
type backlog struct {
	mutex   sync.Mutex
	clock   clock.PassiveClock
	waiting map[history.Identity]time.Time
	written map[history.Identity]time.Time
}

func (b *backlog) add(key history.Identity) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.waiting == nil {
		b.waiting = map[history.Identity]time.Time{}
	}
	if _, ok := b.waiting[key]; !ok {
		b.waiting[key] = b.clock.Now()
	}
}

// take moves keys to those that are being written: what is added to them from now on waits anew.
func (b *backlog) take(keys []history.Identity) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.written == nil {
		b.written = make(map[history.Identity]time.Time, len(keys))
	}
	for _, key := range keys {
		if since, ok := b.waiting[key]; ok {
			b.written[key] = since
			delete(b.waiting, key)
		}
	}
}

func (b *backlog) done(keys []history.Identity) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, key := range keys {
		delete(b.written, key)
	}
}

func (b *backlog) measure() (objects int, lag time.Duration) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	now := b.clock.Now()
	objects = len(b.waiting)
	for _, since := range b.waiting {
		lag = max(lag, now.Sub(since))
	}
	for key, since := range b.written {
		if _, again := b.waiting[key]; !again {
			objects++
		}
		lag = max(lag, now.Sub(since))
	}
	return objects, lag
}

type meters struct {
	recorded prometheus.Counter
	all      []prometheus.Collector
}

func newMeters(r *Recorder) *meters {
	recorded := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "soma_history_recorded_transitions_total",
		Help: "Transitions that were written to the history.",
	})
	return &meters{recorded: recorded, all: []prometheus.Collector{
		recorded,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "soma_history_lag_seconds",
			Help: "For how long the object that waits longest to be recorded has waited.",
		}, func() float64 { _, lag := r.backlog.measure(); return lag.Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "soma_history_backlog_objects",
			Help: "Objects that wait to be recorded.",
		}, func() float64 { objects, _ := r.backlog.measure(); return float64(objects) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "soma_history_up",
			Help: "Whether the newest call to the history's database was answered.",
		}, func() float64 {
			if _, _, away := r.store.Outage(); away {
				return 0
			}
			return 1
		}),
	}}
}

func (m *meters) register(registry prometheus.Registerer) error {
	for _, collector := range m.all {
		if err := registry.Register(collector); err != nil {
			return err
		}
	}
	return nil
}
