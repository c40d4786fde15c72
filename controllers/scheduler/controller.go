// Package scheduler is the single writer of reservations: it looks at the whole world, asks the engine, and commits what
// the engine decided. One round runs at a time, in the leader.
package scheduler

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/workload"
)

const (
	// writers is how many decisions are written at the same time.
	writers = 16
	// pause is the least time between the beginnings of two rounds: changes that come together are looked at together.
	pause = 25 * time.Millisecond
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
)

func init() {
	metrics.Registry.MustRegister(waitingJobs, roundSeconds, reservations)
}

// Reconciler runs the rounds.
type Reconciler struct {
	// Client reads from the cache, which contains what it wrote itself, and writes to the API server.
	Client client.Client
	// Clock tells the time.
	Clock clock.PassiveClock

	last     time.Time
	refusals refusals
	aside    aside
}

// +kubebuilder:rbac:groups="",resources=nodes;pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=list;watch

// round is the one request of the queue: whatever changes, the whole world is looked at.
var round = reconcile.Request{NamespacedName: client.ObjectKey{Name: "round"}}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Client == nil || r.Clock == nil {
		return errors.New("the scheduler needs a client and a clock")
	}
	r.refusals.written, r.aside = map[string]time.Time{}, aside{}
	wake := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{round}
	})
	secrets := &metav1.PartialObjectMetadata{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return ctrl.NewControllerManagedBy(mgr).
		Named("scheduler").
		Watches(&platformv1.Job{}, wake, builder.WithPredicates(jobChanges())).
		Watches(&platformv1.Project{}, wake).
		Watches(&platformv1.Quota{}, wake, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&platformv1.Cluster{}, wake).
		Watches(&corev1.Node{}, wake, builder.WithPredicates(nodeChanges())).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.wakeForPod), builder.WithPredicates(podChanges())).
		Watches(secrets, wake, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Complete(r)
}

// jobChanges passes on what may start a job or frees what it held. What the scheduler itself did is no news to it.
func jobChanges() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, okBefore := e.ObjectOld.(*platformv1.Job)
			after, okAfter := e.ObjectNew.(*platformv1.Job)
			return !okBefore || !okAfter || before.Generation != after.Generation || (waits(after) && !waits(before)) ||
				(before.Status.Reservation != nil && after.Status.Reservation == nil) ||
				before.Status.Journal.Recorded != after.Status.Journal.Recorded
		},
		DeleteFunc: func(e event.DeleteEvent) bool {
			job, ok := e.Object.(*platformv1.Job)
			return !ok || !job.Status.Phase.Finished()
		},
	}
}

func nodeChanges() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, okBefore := e.ObjectOld.(*corev1.Node)
		after, okAfter := e.ObjectNew.(*corev1.Node)
		return !okBefore || !okAfter || !equality.Semantic.DeepEqual(before.Spec, after.Spec) ||
			!equality.Semantic.DeepEqual(before.Labels, after.Labels) ||
			!equality.Semantic.DeepEqual(before.Status.Allocatable, after.Status.Allocatable) ||
			workload.Schedulable(before, nil) != workload.Schedulable(after, nil)
	}}
}

// podChanges passes on pods that take or free room.
func podChanges() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return e.Object.GetLabels()[platformv1.LabelJobUID] == "" },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, okBefore := e.ObjectOld.(*corev1.Pod)
			after, okAfter := e.ObjectNew.(*corev1.Pod)
			return !okBefore || !okAfter || workload.Ended(before) != workload.Ended(after) ||
				(after.Labels[platformv1.LabelJobUID] == "" && before.Spec.NodeName != after.Spec.NodeName)
		},
		DeleteFunc: func(e event.DeleteEvent) bool {
			pod, ok := e.Object.(*corev1.Pod)
			return !ok || !workload.Ended(pod)
		},
	}
}

// wakeForPod asks for a round, but not for a pod of a job that holds a reservation: that counts until the job gives it back.
func (r *Reconciler) wakeForPod(ctx context.Context, o client.Object) []reconcile.Request {
	if owner := metav1.GetControllerOf(o); owner != nil && o.GetLabels()[platformv1.LabelJobUID] == string(owner.UID) {
		job := &platformv1.Job{}
		err := r.Client.Get(ctx, client.ObjectKey{Namespace: o.GetNamespace(), Name: owner.Name}, job,
			client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
		if err == nil && job.UID == owner.UID && job.Status.Reservation != nil {
			return nil
		}
	}
	return []reconcile.Request{round}
}

// Reconcile is one round: look, decide, write.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	if left := pause - r.Clock.Since(r.last); left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	start := r.Clock.Now()
	r.last = start
	defer func() { roundSeconds.Observe(r.Clock.Since(start).Seconds()) }()
	world, err := r.look(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	state := world.state(start)
	r.aside.apply(&state, start)
	decisions := scheduling.Decide(state.waiting, state.nodes)
	again := r.commit(ctx, state, decisions)
	return ctrl.Result{RequeueAfter: sooner(again, state.again)}, nil
}

// commit writes the decisions, reservations before refusals: a job that can start is not kept waiting by the bookkeeping of
// those that cannot. It returns how soon the scheduler should look again though nothing happened.
func (r *Reconciler) commit(ctx context.Context, state state, decisions []scheduling.Decision) time.Duration {
	now := r.Clock.Now()
	var starts []scheduling.Decision
	for _, decision := range decisions {
		if decision.Placement != nil {
			starts = append(starts, decision)
		}
	}
	failed, again := r.writeAll(ctx, starts, now, unwritable, func(decision scheduling.Decision) error {
		c := state.candidates[decision.Key]
		status, err := reserve(c, decision.Placement, now)
		if err != nil {
			return err
		}
		return r.write(ctx, c.job, status)
	})
	started := len(starts) - failed
	reservations.Add(float64(started))
	waitingJobs.Set(float64(len(decisions) - started))
	if started > 0 {
		r.refusals.lastStart = now
	}
	return sooner(again, r.refuse(ctx, state, decisions, now))
}

// writeAll writes decisions, several at the same time. A job whose decision cannot be written is put aside, with what why
// makes of the error. It returns how many these are, and how soon the scheduler should look at them again.
func (r *Reconciler) writeAll(ctx context.Context, decisions []scheduling.Decision, now time.Time,
	why func(error) *scheduling.Refusal, write func(scheduling.Decision) error,
) (failed int, again time.Duration) {
	errs := make([]error, len(decisions))
	writes := new(errgroup.Group)
	writes.SetLimit(writers)
	for i, decision := range decisions {
		writes.Go(func() error {
			errs[i] = write(decision)
			return nil
		})
	}
	_ = writes.Wait() // every error is kept with its job
	for i, err := range errs {
		if err == nil {
			continue
		}
		failed++
		again = sooner(again, r.aside.put(decisions[i].Key, why(err), now))
		ctrl.LoggerFrom(ctx).Error(err, "a job is put aside, as what was decided on it cannot be written")
	}
	return failed, again
}
