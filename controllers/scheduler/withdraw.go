package scheduler

import (
	"cmp"
	"context"
	"slices"
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/scheduling"
)

const (
	// withdrawalsPerRound bounds what one round records and writes; the next one goes on.
	withdrawalsPerRound = startsPerRound
	// maxEndingMessage bounds a reservation's endingMessage.
	maxEndingMessage = 1024
)

// rule says why a running job must not go on; nil where it may. It is pure, and cheap: it is asked of every running job in
// every round.
type rule func(w *world, job *platformv1.Job, now time.Time) *scheduling.Refusal

// rules are all that ends running jobs for the sake of no other job. What is unknown ends nothing.
var rules = []rule{overBudget, windowOver}

// withdrawal is a running job that must not go on, and why. Its reason is that of the attempt's end; whether the job goes back
// to its place in the queue or is over follows from it: see the controller of jobs.
type withdrawal struct {
	job *platformv1.Job
	scheduling.Refusal
}

// withdrawals are the running jobs that must not go on, by the first rule that says so, in the order of their UIDs.
func withdrawals(running map[string]*platformv1.Job, w *world, now time.Time) []withdrawal {
	var all []withdrawal
	for _, job := range running {
		if job.Status.Reservation == nil || job.Status.Reservation.Ending != "" {
			continue
		}
		for _, says := range rules {
			if why := says(w, job, now); why != nil {
				all = append(all, withdrawal{job, *why})
				break
			}
		}
	}
	slices.SortFunc(all, func(a, b withdrawal) int { return cmp.Compare(a.job.UID, b.job.UID) })
	return all
}

// withdraw has the engine count on the ends of the running jobs that must not go on, and returns what becomes of their statuses,
// and how soon there is more to withdraw; zero for not now.
func (r *Reconciler) withdraw(ctx context.Context, now time.Time) (endings []update, again time.Duration) {
	over := withdrawals(r.view.running, r.view.world, now)
	if len(over) > withdrawalsPerRound {
		over, again = over[:withdrawalsPerRound], pause
	}
	for _, o := range over {
		job := r.view.holder(ctx, string(o.job.UID))
		if job == nil {
			continue
		}
		e := update{job, withdrawn(job, o.Refusal, now)}
		endings = append(endings, e)
		counted := *job
		counted.Status = e.status
		r.engine.SetRunning(r.view.world.holding(&counted))
		r.view.doubt(string(job.UID), &r.changes)
	}
	return endings, again
}

// withdrawn is the status of a running job that must not go on. Its controller ends its pods.
func withdrawn(job *platformv1.Job, why scheduling.Refusal, now time.Time) platformv1.JobStatus {
	status := *job.Status.DeepCopy()
	end(&status, why.Reason, why.Message)
	finishStatus(&status, job.Generation, now)
	return status
}

// end says in the status of a running job why it is being ended.
func end(status *platformv1.JobStatus, reason platformv1.JobReason, message string) {
	status.Reservation.Ending, status.Reservation.EndingMessage = reason, conditions.Cut(message, maxEndingMessage)
	status.Reason, status.Message = platformv1.JobReasonTerminating, status.Reservation.EndingMessage
}
