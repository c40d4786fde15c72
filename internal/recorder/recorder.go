// Package recorder copies what happened to jobs, projects, quotas and clusters from their journals to the history, in order
// and exactly once, and lets an object go only when its last transition is there.
package recorder

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
)

const (
	// maxBatch is how many objects are written in one transaction.
	maxBatch = 500
	// linger is how long a batch that is not full waits for more: one commit serves what happens at about the same time.
	linger = 100 * time.Millisecond
	// attemptTimeout bounds one write to the database.
	attemptTimeout = 60 * time.Second
	// unbounded is the bound of what takes as long as it takes: it ends with the recorder.
	unbounded = 0
	// firstRetry and lastRetry bound the pause between tries while the database is away.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// kinds are what is recorded.
var kinds = []struct {
	name  string
	empty func() history.Journaled
	list  func() client.ObjectList
}{
	{history.KindJob, func() history.Journaled { return &platform.Job{} }, func() client.ObjectList { return &platform.JobList{} }},
	{"Project", func() history.Journaled { return &platform.Project{} }, func() client.ObjectList { return &platform.ProjectList{} }},
	{"Quota", func() history.Journaled { return &platform.Quota{} }, func() client.ObjectList { return &platform.QuotaList{} }},
	{"Cluster", func() history.Journaled { return &platform.Cluster{} }, func() client.ObjectList { return &platform.ClusterList{} }},
}

// Store is where the recorder writes to.
type Store interface {
	Migrate(ctx context.Context) error
	Record(ctx context.Context, entries []history.Entry) (written int, err error)
	Delete(ctx context.Context, deletions []history.Deletion) (written int, err error)
	Present(ctx context.Context, each func(history.Identity) error) error
	Probe(ctx context.Context) error
	Outage() (since time.Time, cause error, away bool)
}

// Recorder is a runnable of the manager. Only the leader records.
type Recorder struct {
	client client.Client
	live   client.Reader
	cache  cache.Cache
	store  Store
	clock  clock.WithTicker
	log    logr.Logger

	queue   workqueue.TypedRateLimitingInterface[history.Identity]
	backlog backlog
	meters  *meters
	// unsettled wait for their quotas.
	unsettled unsettled

	// migrating is since when the database is being brought up to date, if it is.
	migrating atomic.Pointer[time.Time]
	// busy tells that something is asked of the database or tried again.
	busy atomic.Bool
	// told is when clusters were last told of an outage.
	told time.Time
}

// New makes a recorder that reads objects from the cache, live where the cache may be behind, and writes finalizers and
// journals with the client.
func New(c client.Client, live client.Reader, objects cache.Cache, store Store, clk clock.WithTicker, log logr.Logger) *Recorder {
	r := &Recorder{
		client: c, live: live, cache: objects, store: store, clock: clk, log: log,
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[history.Identity](firstRetry, 5*time.Minute),
			workqueue.TypedRateLimitingQueueConfig[history.Identity]{Clock: clk}),
	}
	r.backlog.clock = clk
	r.meters = newMeters(r)
	return r
}

// SetupWithManager adds the recorder to a manager, and its figures to the manager's metrics.
func (r *Recorder) SetupWithManager(mgr ctrl.Manager) error {
	if err := r.meters.register(metrics.Registry); err != nil {
		return fmt.Errorf("register the recorder's metrics: %w", err)
	}
	if err := mgr.Add(r); err != nil {
		return fmt.Errorf("add the recorder to the manager: %w", err)
	}
	return nil
}

// NeedLeaderElection tells the manager to run one recorder at a time. Two at once would do no harm but twice the work.
func (r *Recorder) NeedLeaderElection() bool { return true }

// Start records until the context ends. A database that is away is waited for; what happens meanwhile is remembered by
// name alone, since the objects keep their own journals.
func (r *Recorder) Start(ctx context.Context) error {
	stop := context.AfterFunc(ctx, r.queue.ShutDown)
	defer stop()
	defer r.queue.ShutDown()
	if err := r.watch(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	r.busy.Store(true) // a database that was never prepared is none that was lost
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() { r.follow(ctx) })
	if !r.prepare(ctx) || !r.insist(ctx, "find objects that are gone", attemptTimeout, r.closeVanished) {
		return nil
	}
	for {
		batch := r.next(ctx)
		if len(batch) == 0 {
			return nil
		}
		if !r.insist(ctx, "record", attemptTimeout, func(attempt context.Context) error {
			err := r.process(attempt, batch)
			if history.IsLost(err) {
				// What comes back may be an old copy: that takes longer than an attempt.
				return errors.Join(err, r.projectAgain(ctx))
			}
			return err
		}) {
			return nil
		}
		for _, key := range batch {
			r.queue.Done(key)
		}
	}
}

// prepare brings the database up to date, however long that takes. It reports false when the context ended first.
func (r *Recorder) prepare(ctx context.Context) bool {
	return r.insist(ctx, "prepare the history", unbounded, r.migrate)
}

func (r *Recorder) migrate(ctx context.Context) error {
	now := r.clock.Now()
	r.migrating.Store(&now)
	defer r.migrating.Store(nil)
	return r.store.Migrate(logr.NewContext(ctx, r.log))
}

// insist repeats an action, with growing pauses, for as long as the database is away. A try may take as long as the limit
// allows. It reports false when the context ended first. Any other error is the action's to deal with and is only told here.
func (r *Recorder) insist(ctx context.Context, what string, limit time.Duration, action func(context.Context) error) bool {
	r.busy.Store(true)
	defer r.busy.Store(false)
	pause := firstRetry
	for tries := 1; ; tries++ {
		err := within(ctx, limit, action)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			if tries > 1 {
				r.log.Info("The history is back", "action", what, "tries", tries)
			}
			return true
		}
		if tries == 1 {
			r.log.Error(err, "The history does not take up what happens; trying until it does", "action", what)
		}
		select {
		case <-ctx.Done():
			return false
		case <-r.clock.After(pause):
		}
		pause = min(2*pause, lastRetry)
	}
}

func within(ctx context.Context, limit time.Duration, action func(context.Context) error) error {
	if limit == unbounded {
		return action(ctx)
	}
	attempt, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return action(attempt)
}

// next waits for something to record and returns it with whatever else waits, up to a full batch.
func (r *Recorder) next(ctx context.Context) []history.Identity {
	key, shutdown := r.queue.Get()
	if shutdown {
		return nil
	}
	batch := []history.Identity{key}
	if r.queue.Len() < maxBatch-1 {
		select {
		case <-ctx.Done():
			return nil
		case <-r.clock.After(linger):
		}
	}
	for len(batch) < maxBatch && r.queue.Len() > 0 {
		key, shutdown := r.queue.Get()
		if shutdown {
			break
		}
		batch = append(batch, key)
	}
	r.backlog.take(batch)
	return batch
}

// enqueue asks for an object to be looked at.
func (r *Recorder) enqueue(key history.Identity) {
	r.backlog.add(key)
	r.queue.Add(key)
}

// retry asks for an object to be looked at again after a pause that grows with every failure.
func (r *Recorder) retry(key history.Identity, err error) {
	r.log.Error(err, "Cannot record an object; trying again", "kind", key.Kind, "namespace", key.Namespace, "name", key.Name, "uid", key.UID)
	r.backlog.add(key)
	r.queue.AddRateLimited(key)
}

func away(err error) bool {
	var unavailable *history.Unavailable
	return errors.As(err, &unavailable)
}
