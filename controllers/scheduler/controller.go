// Package scheduler is the single writer of reservations: it tells the engine what changed in the world, asks it, and commits
// what it decided. One round runs at a time, in the leader.
package scheduler

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/cached"
	"github.com/soma-platform/soma/internal/scheduling"
)

const (
	// writers is how many decisions are written at the same time.
	writers = 16
	// pause is the least time between the beginnings of two rounds: changes that come together are looked at together.
	pause = 25 * time.Millisecond
	// startsPerRound bounds how long a round takes: what changed meanwhile is not seen before its end.
	startsPerRound = 8 * writers
	// tellPause is the least time between two rounds in which all that wait are looked at for what they should be told, once
	// there is nothing left over to tell: that takes time by their number, and others start meanwhile.
	tellPause = 200 * time.Millisecond
	// toldHolders is how many quotas a waiting job is told that hold what it waits for.
	toldHolders = 3
)

var (
	waitingJobs = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "soma_scheduler_waiting_jobs", Help: "Jobs that wait for a reservation.",
	})
	roundSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "soma_scheduler_round_seconds", Help: "Time that one round of decisions and their writes takes.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
	})
	reservations = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "soma_scheduler_reservations_total", Help: "Reservations that were committed.",
	})
	displacementsTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "soma_scheduler_displacements_total", Help: "Running jobs that were made to give way to others.",
	})
	withdrawalsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "soma_scheduler_withdrawals_total", Help: "Running jobs that were ended though no other needed their place, by reason.",
	}, []string{"reason"})
)

func init() {
	metrics.Registry.MustRegister(waitingJobs, roundSeconds, reservations, displacementsTotal, withdrawalsTotal)
}

// Reconciler runs the rounds.
type Reconciler struct {
	// Client reads from the cache, which contains what it wrote itself, and writes to the API server.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Clock tells the time.
	Clock clock.PassiveClock
	// Namespace is where Soma itself runs: it is recorded there which decisions are about to be written.
	Namespace string
	// Urgency is how long a job waits before others give way to it, where they may; zero for a few seconds.
	Urgency time.Duration

	fence   fence
	engine  *scheduling.Engine
	view    *view
	changes changes
	last    time.Time
	// foresight is when jobs start at the latest.
	foresight foresight
	// told is when there was nothing left over to tell to who waits.
	told     time.Time
	refusals refusals
	aside    aside
	past     keptPast
}

// +kubebuilder:rbac:groups="",resources=nodes;pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=list;watch

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Client == nil || r.Live == nil || r.Clock == nil || r.Namespace == "" {
		return errors.New("the scheduler needs clients, a clock and a namespace")
	}
	r.fence = newFence(mgr, r)
	options := scheduling.Defaults()
	options.Urgency = cmp.Or(r.Urgency, options.Urgency)
	r.engine = scheduling.New(options)
	r.engine.TakeOver() // it may not be the first
	kept := func(ctx context.Context) (toolscache.Store, error) {
		return cached.Store(ctx, mgr.GetCache(), &platformv1.Job{})
	}
	r.view, r.changes.batch = newView(r.Client, kept, r.engine), newBatch()
	r.refusals, r.aside = newRefusals(), aside{}
	secrets := &metav1.PartialObjectMetadata{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	always := predicate.Funcs{}
	return ctrl.NewControllerManagedBy(mgr).
		Named("scheduler").
		Watches(&platformv1.Job{}, marks(r.changes.markJob, jobChanges())).
		Watches(&platformv1.Project{}, marks(r.changes.markAround, always)).
		Watches(&platformv1.Quota{}, marks(r.changes.markAround, always), builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: budgetsChanged}))).
		Watches(&platformv1.Cluster{}, marks(r.changes.markAround, always)).
		Watches(&corev1.Node{}, marks(r.changes.markNode, nodeChanges())).
		Watches(&corev1.Pod{}, marks(r.changes.markPod, r.podChanges())).
		Watches(secrets, marks(r.changes.markAround, always), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Complete(r)
}

// Reconcile is one round: look, decide, write.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	start := r.Clock.Now().Truncate(time.Microsecond) // as reservations have it
	switch passed := start.Sub(r.last); {
	case passed < 0:
		r.clockWasSetBack()
	case passed < pause:
		return ctrl.Result{RequeueAfter: pause - passed}, nil
	}
	r.last = start
	if ready, err := r.fence.Ready(ctx); err != nil || !ready {
		return ctrl.Result{RequeueAfter: pause}, err
	}
	defer func() { roundSeconds.Observe(r.Clock.Since(start).Seconds()) }()
	changed := r.changes.take()
	if err := r.view.look(ctx, changed, start); err != nil {
		r.changes.put(changed)
		return ctrl.Result{}, err
	}
	if err := r.recall(ctx); err != nil {
		return ctrl.Result{}, err
	}
	state := r.view.state(start)
	r.aside.apply(&state, start)
	asked := r.view.ask(state)
	endings, more := r.withdraw(ctx, start)
	state.again = sooner(state.again, more)
	decided := r.engine.DecideSome(start, state.enough())
	for i := range decided.Starts {
		r.view.doubt(decided.Starts[i].Key, &r.changes)
	}
	for i := range decided.Displaced {
		r.view.doubt(decided.Displaced[i].Key, &r.changes)
	}
	if !decided.Again.IsZero() {
		state.again = sooner(state.again, max(decided.Again.Sub(start), pause))
	}
	state.again = sooner(state.again, r.foresight.look(r.engine, asked, start))
	endings = append(endings, r.displacements(ctx, state, decided.Displaced, start)...)
	decisions := state.started(decided)
	if left := tellPause - start.Sub(r.told); left > 0 && len(state.waiting) > len(decisions) {
		state.again = sooner(state.again, left)
	} else {
		r.told = start
		decisions = append(decisions, r.waits(state, decisions, start)...)
	}
	again, err := r.commit(ctx, state, decisions, endings, start)
	r.remember(ctx, start)
	return ctrl.Result{RequeueAfter: sooner(sooner(again, state.again), wholeLook)}, err
}

// clockWasSetBack forgets what was done when: all that is done again after a while would not be done until that time has come once more.
func (r *Reconciler) clockWasSetBack() {
	r.refusals, r.aside = newRefusals(), aside{}
	r.view.unknown = nil
	r.told, r.view.whole, r.foresight.begun, r.past.written = time.Time{}, time.Time{}, time.Time{}, time.Time{}
}

// decision is what becomes of a waiting job: a placement, or a refusal and the place in the queue.
type decision struct {
	key       string
	placement *scheduling.Placement
	reason    platformv1.JobReason
	// words tell a person of the reason. They are made only where they are needed.
	words    func() string
	position int32
	// since is when the job began to wait.
	since time.Time
	// quota is whose queue that is.
	quota string
	// expected is when the job starts at the latest; zero where that cannot be told.
	expected time.Time
	// holders are who holds what the job waits for; nil where it waits for nobody.
	holders func() []scheduling.Holder
}

// enough says of what starts whether it is as much as one round writes: the rest is decided in the next one. Those that are held are not
// written.
func (s *state) enough() func(scheduling.Start) bool {
	starts := 0
	return func(start scheduling.Start) bool {
		if c := s.candidates[start.Key]; !c.held {
			starts++
		}
		return starts == startsPerRound
	}
}

// started are the jobs that start. Of those that are held the engine is told again: who was started and waits again is the first.
func (s *state) started(decided scheduling.Decisions) []decision {
	all := make([]decision, 0, len(decided.Starts))
	for i := range decided.Starts {
		if start := &decided.Starts[i]; !s.candidates[start.Key].held {
			all = append(all, decision{key: start.Key, placement: &start.Placement})
		}
	}
	return all
}

// waits is what becomes of every waiting job that does not start, and can be told.
func (r *Reconciler) waits(state state, starts []decision, now time.Time) []decision {
	all := make([]decision, 0, len(state.waiting))
	starting := make(map[string]bool, len(starts))
	for i := range starts {
		starting[starts[i].key] = true
	}
	for _, c := range state.waiting {
		if r.aside.untellable(c.key(), now) {
			continue
		}
		d := decision{key: c.key(), since: since(c.job)}
		if refusal := c.why(); refusal != nil {
			d.reason, d.words = refusal.Reason, func() string { return refusal.Message }
		} else if !starting[d.key] {
			d.reason, d.position = r.engine.Reason(d.key)
			d.quota = c.quota
			d.words = func() string { return r.engine.Message(d.key) }
			d.holders = func() []scheduling.Holder { return r.engine.Holders(d.key, toldHolders) }
			if !d.reason.Impossible() { // a forecast is some seconds old
				d.expected = r.foresight.of(c.job)
			}
		}
		if d.reason != "" {
			all = append(all, d)
		}
	}
	closeRanks(all)
	return all
}

// closeRanks takes out of the queues what cannot start: it has no position, and is in nobody's way.
func closeRanks(all []decision) {
	stuck := map[string][]int32{}
	for i := range all {
		if d := &all[i]; d.position > 0 && !d.reason.Busy() {
			stuck[d.quota] = append(stuck[d.quota], d.position)
			d.position = 0
		}
	}
	for _, positions := range stuck {
		slices.Sort(positions)
	}
	for i := range all {
		d := &all[i]
		before, _ := slices.BinarySearch(stuck[d.quota], d.position)
		d.position -= int32(before) //nolint:gosec // there are not so many jobs
	}
}
