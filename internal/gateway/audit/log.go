package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
)

const (
	// room is how many records wait at most, and roomForUnknown how many may wait when one more of somebody unknown is taken:
	// whoever is nobody shall not fill the room of all.
	room           = 16_384
	roomForUnknown = room / 2
	// batch is how many are written at once, and flushInterval how long one waits for others: what a program that is killed
	// has not written yet is lost.
	batch         = 512
	flushInterval = 100 * time.Millisecond
	// retryInterval is the time between two tries while the database is away.
	retryInterval = 2 * time.Second
	// writePatience bounds one try, and lastPatience all that is tried when the program ends.
	writePatience = 10 * time.Second
	lastPatience  = 5 * time.Second
)

// Log takes records at once and writes them in batches. It is safe for concurrent use.
type Log struct {
	store  *Store
	clock  clock.Clock
	log    logr.Logger
	meters *meters
	// some says that a record waits, and many that a batch does.
	some, many chan struct{}

	mu      sync.Mutex
	waiting []Record
	// lost are how many had no room since the database went away.
	lost  int
	away  bool
	ended bool
	// warned: it was told that what is written could be changed.
	warned bool
}

type meters struct {
	written, lost prometheus.Counter
	waiting, up   prometheus.GaugeFunc
}

// NewLog makes a log that writes to a store. Run it.
func NewLog(store *Store, clk clock.Clock, log logr.Logger, registry prometheus.Registerer) (*Log, error) {
	l := &Log{store: store, clock: clk, log: log, some: make(chan struct{}, 1), many: make(chan struct{}, 1)}
	l.meters = &meters{
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "soma_gateway_audit_written_total", Help: "Audit records that were written to the database.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "soma_gateway_audit_unwritten_total",
			Help: "Audit records that are in the program's own log alone, as there was no room for them until the database would take them.",
		}),
		waiting: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "soma_gateway_audit_waiting_records", Help: "Audit records that wait to be written.",
		}, func() float64 { return float64(l.Waiting()) }),
		up: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "soma_gateway_audit_up", Help: "Whether the newest audit records were written to the database.",
		}, func() float64 {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.away {
				return 0
			}
			return 1
		}),
	}
	for _, collector := range []prometheus.Collector{l.meters.written, l.meters.lost, l.meters.waiting, l.meters.up} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return l, nil
}

// Record takes a record. It never waits: where there is no room, the record goes to the program's own log.
func (l *Log) Record(r Record) {
	r = r.bounded()
	l.mu.Lock()
	free := room - len(l.waiting)
	if r.User == "" {
		free = roomForUnknown - len(l.waiting)
	}
	if l.ended {
		free = 0 // nobody writes any more
	}
	if free > 0 {
		l.waiting = append(l.waiting, r)
	} else {
		l.lost++
	}
	n := len(l.waiting)
	l.mu.Unlock()
	if free <= 0 {
		l.tell(&r)
		return
	}
	notify(l.some)
	if n >= batch {
		notify(l.many)
	}
}

// notify wakes who waits, or is about to.
func notify(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// tell puts a record that is not written into the program's own log.
func (l *Log) tell(r *Record) {
	l.meters.lost.Inc()
	l.log.Info("Audit record that is not in the database", r.fields()...)
}

// Waiting is how many records wait to be written.
func (l *Log) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// Run writes what comes until the context ends, and then what is left. A database that is away is tried again and again.
func (l *Log) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			l.last(context.WithoutCancel(ctx))
			return nil
		case <-l.some:
		}
		for l.Waiting() > 0 && ctx.Err() == nil {
			l.gather(ctx)
			if err := l.flush(ctx); err == nil {
				continue
			}
			select {
			case <-ctx.Done():
			case <-l.clock.After(retryInterval):
			}
		}
	}
}

// gather waits a moment, or until there is a batch: of many requests not each is written by itself.
func (l *Log) gather(ctx context.Context) {
	if l.Waiting() >= batch {
		return
	}
	select {
	case <-ctx.Done():
	case <-l.many:
	case <-l.clock.After(flushInterval):
	}
}

// last writes what is left when the program ends, and tells of what could not be written.
func (l *Log) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastPatience)
	defer cancel()
	for l.Waiting() > 0 {
		if l.flush(ctx) != nil {
			break
		}
	}
	l.mu.Lock()
	left := l.waiting
	l.waiting, l.ended = nil, true
	l.mu.Unlock()
	if len(left) > 0 {
		l.log.Info("The audit log's database did not take the last records: they are in this log alone", "records", len(left))
	}
	for i := range left {
		l.tell(&left[i])
	}
}

// flush writes one batch. It stays among those that wait until it is written.
func (l *Log) flush(ctx context.Context) error {
	l.mu.Lock()
	records := l.waiting[:min(batch, len(l.waiting)):min(batch, len(l.waiting))]
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	err := l.write(ctx, records)
	l.mu.Lock()
	defer l.mu.Unlock()
	if away := err != nil; away != l.away {
		l.away = away
		if away {
			l.log.Error(err, "The audit log's database does not answer: records wait", "waiting", len(l.waiting))
		} else {
			l.log.Info("The audit log's database answers again", "waiting", len(l.waiting), "inThisLogAlone", l.lost)
			l.lost = 0
		}
	}
	if err != nil {
		return err
	}
	// What was written is let go, and so is the room it took.
	l.waiting = append([]Record(nil), l.waiting[len(records):]...)
	return nil
}

// write writes records. Where the database does not take them for what is in them, each is tried by itself.
func (l *Log) write(ctx context.Context, records []Record) error {
	err := l.store.Write(ctx, records)
	switch {
	case err == nil:
		l.meters.written.Add(float64(len(records)))
		if l.store.owns && !l.warned {
			l.log.Info("The gateway's role owns the audit log: whoever takes the gateway over can change it. Give it the address of the secret " + WriterSecret)
			l.warned = true
		}
		return nil
	case !errors.Is(err, ErrBadData):
		return err
	case len(records) == 1:
		l.tell(&records[0])
		return nil
	}
	for i := range records {
		if err := l.write(ctx, records[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}
