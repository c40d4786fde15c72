package scheduler

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/uuid"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/fencing"
	"github.com/soma-platform/soma/internal/platform/horizon"
	"github.com/soma-platform/soma/internal/platform/refusal"
	"github.com/soma-platform/soma/internal/scheduling"
)

const (
	// recordName is the ConfigMap in which the scheduler records what it is about to write.
	recordName = "soma-scheduler"
	// endingsPerRecord bounds how many endings it names at once: of names of full length so many are a fifth of what an object may hold.
	// For few large jobs thousands of small ones may give way.
	endingsPerRecord = 512
)

// fence keeps schedulers apart of which one was superseded and does not know it yet.
type fence interface {
	Ready(context.Context) (bool, error)
	Begin(context.Context, []fencing.Write) error
	Wrote(version string)
	Doubt(fencing.Write)
}

func newFence(mgr ctrl.Manager, r *Reconciler) fence {
	return &fencing.Fence{
		Client: r.Client, Live: r.Live, Record: client.ObjectKey{Namespace: r.Namespace, Name: recordName}, Writer: string(uuid.NewUUID()),
		Mark: platformv1.AnnotationFenced,
		New:  func() client.Object { return &platformv1.Job{} },
		Seen: func(ctx context.Context) (string, error) { return horizon.Of(ctx, mgr.GetCache(), &platformv1.Job{}) },
	}
}

// update is a job, and what its status becomes.
type update struct {
	job    *platformv1.Job
	status platformv1.JobStatus
}

// displacements are the running jobs that give way now.
func (r *Reconciler) displacements(ctx context.Context, state state, displaced []scheduling.Displacement, now time.Time) []update {
	var all []update
	for _, d := range displaced {
		job, other := r.view.holder(ctx, d.Key), state.candidates[d.For]
		if job != nil && other != nil && !other.held {
			all = append(all, update{job, displace(job, d, other.job, now)})
		}
	}
	return all
}

// commit writes the decisions, reservations before refusals: a job that can start is not kept waiting by the bookkeeping of
// those that cannot. Endings that one record cannot name follow in records of their own: a plan of which a part is carried out is one that
// the next round, or a successor, goes on with. It returns how soon the scheduler should look again though nothing happened.
func (r *Reconciler) commit(ctx context.Context, state state, decisions []decision, endings []update, now time.Time) (again time.Duration, err error) {
	var starts []decision
	for _, d := range decisions {
		if d.placement != nil {
			starts = append(starts, d)
		}
	}
	first := endings[:min(len(endings), endingsPerRecord)]
	if err := r.record(ctx, state, starts, first); err != nil {
		return again, err
	}
	started := r.start(ctx, state, starts, now, &again)
	reservations.Add(float64(started))
	waitingJobs.Set(float64(len(state.waiting) - started))
	if started > 0 {
		r.refusals.began(started, now)
	}
	r.endAll(ctx, first, &again)
	for part := range slices.Chunk(endings[len(first):], endingsPerRecord) {
		if err := r.record(ctx, state, nil, part); err != nil {
			return again, err // who was not told is decided on anew
		}
		r.endAll(ctx, part, &again)
	}
	return sooner(again, r.refuse(ctx, state, decisions, now)), nil
}

// record tells which jobs are about to be given a reservation, or to lose theirs, so that a successor knows what may be under
// way. A job that is merely told why it waits takes nothing from anybody.
func (r *Reconciler) record(ctx context.Context, state state, starts []decision, endings []update) error {
	var writes []fencing.Write
	for _, d := range starts {
		writes = append(writes, fencing.Of(state.candidates[d.key].job))
	}
	for _, e := range endings {
		writes = append(writes, fencing.Of(e.job))
	}
	if len(writes) == 0 {
		return nil
	}
	return r.fence.Begin(ctx, writes)
}

// start writes reservations, and returns how many.
func (r *Reconciler) start(ctx context.Context, state state, starts []decision, now time.Time, again *time.Duration) (started int) {
	outcomes := atOnce(starts, func(d decision) outcome {
		c := state.candidates[d.key]
		status, err := reserve(c, d.placement, now)
		if err != nil {
			return outcome{err: err}
		}
		return r.write(ctx, c.job, status)
	})
	for i, o := range outcomes {
		r.settle(state.candidates[starts[i].key].job, o)
		switch {
		case o.version != "":
			started++
			continue
		case o.err == nil:
			*again = sooner(*again, pause) // it changed meanwhile
			continue
		}
		*again = sooner(*again, r.aside.put(starts[i].key, starting, unwritable(o.err), now))
		ctrl.LoggerFrom(ctx).Error(o.err, "a job is put aside, as its reservation cannot be written")
	}
	return started
}

// endAll writes which running jobs are being ended.
func (r *Reconciler) endAll(ctx context.Context, endings []update, again *time.Duration) {
	outcomes := r.writeAll(ctx, endings)
	for i, e := range endings {
		o := outcomes[i]
		r.settle(e.job, o)
		switch reason := e.status.Reservation.Ending; {
		case o.err != nil:
			ctrl.LoggerFrom(ctx).Error(o.err, "a job that should be ended goes on")
			*again = sooner(*again, shortestAside)
		case o.version == "":
			*again = sooner(*again, pause) // it changed meanwhile
		case reason == platformv1.JobReasonPreempted:
			displacementsTotal.Inc()
		default:
			withdrawalsTotal.WithLabelValues(string(reason)).Inc()
		}
	}
}

// writeAll writes updates that wait for nothing but the API server.
func (r *Reconciler) writeAll(ctx context.Context, updates []update) []outcome {
	return atOnce(updates, func(u update) outcome { return r.write(ctx, u.job, u.status) })
}

// settle tells the fence what became of a write of the batch.
func (r *Reconciler) settle(job *platformv1.Job, o outcome) {
	switch {
	case o.version != "":
		r.fence.Wrote(o.version)
	case o.sent && o.err != nil && !refusal.Certain(o.err):
		r.fence.Doubt(fencing.Of(job))
	}
}

// atOnce writes several at the same time.
func atOnce[T any](all []T, write func(T) outcome) []outcome {
	outcomes := make([]outcome, len(all))
	writes := new(errgroup.Group)
	writes.SetLimit(writers)
	for i, one := range all {
		writes.Go(func() error {
			outcomes[i] = write(one)
			return nil
		})
	}
	_ = writes.Wait() // every error is in its outcome
	return outcomes
}
