package job

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/workload"
)

const (
	// keptAttempts is how many attempts status shows; the history has them all.
	keptAttempts = 8
	// maxMessage bounds status.message.
	maxMessage = 2048
)

// close releases the reservation of an attempt all of whose pods have ended, and says what follows.
func (d *decider) close(seen workload.Observation, reason platformv1.JobReason, message string) {
	if known := d.status.Reservation.StartTime; known != nil {
		seen.Started = known.Time // its pods may be gone
	}
	ran := !seen.Started.IsZero()
	finished := d.endOf(seen, reason)
	if ran && d.status.Phase != platformv1.JobRunning {
		d.markRunning(seen) // it ran so briefly that it was never seen running
	}
	d.account(seen, reason, ran, finished)
	reservation := d.status.Reservation
	d.status.Reservation = nil

	if givesWay(reason, reservation) {
		d.giveWay(reservation, reason, message)
		return
	}
	switch reason {
	case platformv1.JobReasonCompleted:
		if d.restartPolicy() == platformv1.RestartAlways && d.timeToRun() {
			d.followAfterPause(platformv1.JobReasonRestarting, "the job is always restarted")
			return
		}
		d.finish(platformv1.JobSucceeded, reason, "", seen.ExitCode)
	case platformv1.JobReasonSuspended:
		d.suspend(message)
	case platformv1.JobReasonUserRequested, platformv1.JobReasonProjectDeleted, platformv1.JobReasonLifeSpanEnded,
		platformv1.JobReasonQuotaExhausted:
		d.finish(platformv1.JobCancelled, reason, message, nil)
	case platformv1.JobReasonScheduleTimeout:
		d.finish(platformv1.JobFailed, reason, message, nil)
	default:
		d.failed(seen, reservation, reason, message, ran)
	}
}

// endOf is when an attempt ended: now, where no pod is left that tells. On a node that was given up it is when it was: nobody knows of
// anything that ran there since.
func (d *decider) endOf(seen workload.Observation, reason platformv1.JobReason) time.Time {
	switch {
	case !seen.Finished.IsZero() && !seen.Finished.Before(seen.Started):
		return seen.Finished
	case reason == platformv1.JobReasonNodeLost && d.status.Reservation.Ending != "" && !seen.Started.IsZero():
		if since := workload.EndingSince(&d.status); since.After(seen.Started) {
			return since
		}
		return seen.Started
	}
	return d.now
}

// givesWay reports whether the scheduler ended the attempt for what lies outside of the job: another one that needed its place,
// or that it must not run for now.
func givesWay(reason platformv1.JobReason, reservation *platformv1.Reservation) bool {
	switch reason {
	case platformv1.JobReasonPreempted:
		return reservation.DisplacedFor != ""
	case platformv1.JobReasonBudgetExhausted, platformv1.JobReasonEnergyWindow:
		return true
	default:
		return false
	}
}

// giveWay puts a job that had to give way back to its place in the queue. It costs nothing of its retries. One that gave way
// before, and did not run since, has waited since then. Nothing is owed to one whose turn was over: it waits anew since it was told so.
func (d *decider) giveWay(reservation *platformv1.Reservation, reason platformv1.JobReason, message string) {
	displaced := metav1.NewTime(d.now)
	if known := d.status.Queue; known != nil && known.Displaced != nil {
		displaced = *known.Displaced
	}
	d.status.Queue = &platformv1.QueueStatus{Since: reservation.QueuedSince}
	if !turnWasOver(reservation) {
		d.status.Queue.Displaced = &displaced
	}
	d.requeue(displaced, reason, message)
}

// turnWasOver reports whether the job waits since its attempt was told to end, and not since before that began.
func turnWasOver(reservation *platformv1.Reservation) bool {
	since := reservation.QueuedSince
	return since != nil && since.After(reservation.Time.Time)
}

// failed decides whether a failed attempt is followed by another. An attempt that never ran for reasons that are not its
// own costs nothing: the job goes back to its place in the queue. So does one that is tried again after its node took its place.
func (d *decider) failed(seen workload.Observation, reservation *platformv1.Reservation, reason platformv1.JobReason, message string, ran bool) {
	if !ran && notItsOwn(reason) {
		why := platformv1.JobReasonQueued
		if reason == platformv1.JobReasonSecretMissing {
			why = reason
		}
		d.followAfterPause(why, message)
		return
	}
	if d.restartPolicy() == platformv1.RestartNever {
		d.finish(platformv1.JobFailed, reason, message, seen.ExitCode)
		return
	}
	f := failureOf(reason, seen.ExitCode)
	d.status.Failures = count(d.status.Failures, f)
	next := follow(d.job.Spec.Restart, f, d.status.Failures, d.status.Retries)
	if next.again && !d.timeToRun() {
		next = sequel{why: "not tried again: the job ran for its whole life span"}
	}
	message = next.why + ": " + message
	if !next.again {
		d.finish(platformv1.JobFailed, reason, message, seen.ExitCode)
		return
	}
	d.status.Queue = nil // a retry waits anew
	if !next.free {
		d.status.Retries++
	} else if workload.NotItsDoing(f.category) {
		due := metav1.NewTime(d.now.Add(next.pause))
		d.status.Queue = &platformv1.QueueStatus{Since: reservation.QueuedSince, Displaced: &due}
	}
	d.followAfter(next.pause, platformv1.JobReasonBackOff, message)
}

func notItsOwn(reason platformv1.JobReason) bool {
	switch reason {
	case platformv1.JobReasonScheduling, platformv1.JobReasonPreempted, platformv1.JobReasonEvicted, platformv1.JobReasonNodeLost,
		platformv1.JobReasonGPULost, platformv1.JobReasonNotFound, platformv1.JobReasonCollected, platformv1.JobReasonSecretMissing,
		platformv1.JobReasonDiskUnavailable, platformv1.JobReasonContainerCreating:
		return true
	default:
		return false
	}
}

// account adds the attempt to what the job used.
func (d *decider) account(seen workload.Observation, reason platformv1.JobReason, ran bool, finished time.Time) {
	reservation := d.status.Reservation
	end := metav1.NewTime(finished)
	attempt := platformv1.Attempt{
		Number: reservation.Attempt, FinishTime: &end, Reason: reason, ExitCode: seen.ExitCode, Node: seen.Node,
		// Kept beyond the reservation: the history may look only after the job's end.
		Cluster: reservation.Cluster, Pool: reservation.Pool, Replica: reservation.Replica.DeepCopy(),
		PricePerHour: reservation.PricePerHour, Currency: reservation.Currency, Quota: reservation.Quota, Energy: reservation.Energy.DeepCopy(),
	}
	if reservation.EndingNode != "" {
		attempt.Node = reservation.EndingNode
	}
	if attempt.Node == "" && len(reservation.Nodes) > 0 {
		attempt.Node = reservation.Nodes[0].Node
	}
	if ran {
		start := metav1.NewTime(seen.Started)
		attempt.StartTime = &start
		// Times of containers are whole seconds. A program that ends within one used some of its life span all the same: a job
		// that is always restarted ends by that.
		length := max(finished.Sub(seen.Started), time.Second)
		d.status.RunSeconds += int64(length.Seconds())
		d.status.Cost = accounting.Add(d.status.Cost, reservation.PricePerHour, reservation.Currency, length)
		d.status.Energy = accounting.AddEnergy(d.status.Energy, reservation.Energy, length)
	}
	d.status.Attempts = append(d.status.Attempts, attempt)
	d.ended = &attempt
	if extra := len(d.status.Attempts) - keptAttempts; extra > 0 {
		d.forget(d.status.Attempts[:extra])
		d.status.Attempts = append([]platformv1.Attempt(nil), d.status.Attempts[extra:]...)
	}
}

// forget keeps of attempts that are not shown any more what they used: budgets count it.
func (d *decider) forget(attempts []platformv1.Attempt) {
	for i := range attempts {
		d.status.Earlier = accounting.Forget(d.status.Earlier, &attempts[i], d.job.Spec.ReplicaCount(), d.now)
	}
}

// finish is the job's last transition.
func (d *decider) finish(phase platformv1.JobPhase, reason platformv1.JobReason, message string, exit *int32) {
	finish := metav1.NewTime(d.now)
	d.status.FinishTime, d.status.ExitCode = &finish, exit
	d.status.Queue, d.status.RetryTime = nil, nil
	d.enter(phase, reason, message, d.now, exit)
}

func (d *decider) suspend(message string) {
	d.status.Queue = nil
	if d.status.Phase != platformv1.JobSuspended {
		d.enter(platformv1.JobSuspended, platformv1.JobReasonSuspended, message, d.now, nil)
	}
}

// requeue puts the job back among those that wait: in the place that it had, if it did not run since, or as one that waits
// from then on.
func (d *decider) requeue(since metav1.Time, reason platformv1.JobReason, message string) {
	queue := &platformv1.QueueStatus{Since: &since}
	if known := d.status.Queue; known != nil {
		queue.Displaced = known.Displaced
		if known.Since != nil {
			queue.Since = known.Since
		}
	}
	d.status.Queue = queue
	d.enter(platformv1.JobPending, reason, message, d.now, nil)
}

// enter makes a transition and its entry in the journal, both or neither.
func (d *decider) enter(phase platformv1.JobPhase, reason platformv1.JobReason, message string, at time.Time, exit *int32) {
	if d.backlog {
		return
	}
	transition := platformv1.Transition{
		Time: metav1.NewMicroTime(at), Phase: string(phase), Reason: string(reason), Message: truncate(message, 512),
		Attempt: d.status.Attempt, ExitCode: exit,
	}
	if d.ended != nil {
		// What follows hides how the attempt ended, and status forgets it: the history must not.
		transition.AttemptReason, transition.ExitCode = d.ended.Reason, d.ended.ExitCode
	}
	if !d.status.Journal.Append(transition) {
		d.backlog = true
		return
	}
	d.status.Phase, d.status.Reason, d.status.Message = phase, reason, bounded(message)
}

// endRequest is why the job should not go on, whatever its pods tell.
func (d *decider) endRequest() (platformv1.JobReason, string) {
	spec := &d.job.Spec
	switch {
	case spec.CancelRequested():
		who := spec.CancelledBy
		if who == "" {
			who = "somebody"
		}
		return platformv1.JobReasonUserRequested, "cancelled by " + who
	case d.projectEnding:
		return platformv1.JobReasonProjectDeleted, "the project was deleted"
	case d.job.DeletionTimestamp != nil:
		return platformv1.JobReasonUserRequested, "the job was deleted"
	case !d.timeToRun():
		return platformv1.JobReasonLifeSpanEnded, "the job ran for its whole life span"
	case spec.SuspendRequested():
		return platformv1.JobReasonSuspended, "suspended on request"
	}
	return "", ""
}

// scheduleTimeLeft is how much longer the job may wait for its start, and whether that is limited.
func (d *decider) scheduleTimeLeft() (time.Duration, bool) {
	if d.job.Spec.ScheduleTimeoutSeconds == nil {
		return 0, false
	}
	since := d.job.CreationTimestamp.Time
	switch queue := d.status.Queue; {
	case queue == nil:
	case queue.Displaced != nil:
		since = queue.Displaced.Time
	case queue.Since != nil:
		since = queue.Since.Time
	}
	return since.Add(time.Duration(*d.job.Spec.ScheduleTimeoutSeconds) * time.Second).Sub(d.now), true
}

func (d *decider) timeoutMessage() string {
	message := "the job did not start within its schedule timeout"
	if d.status.Message != "" {
		message += "; last: " + d.status.Message
	}
	return message
}

// lifeLeft is how much longer the job may run, and whether that is limited.
func (d *decider) lifeLeft(seen workload.Observation) (time.Duration, bool) {
	if d.job.Spec.LifeSpanSeconds == nil {
		return 0, false
	}
	used := time.Duration(d.status.RunSeconds) * time.Second
	return time.Duration(*d.job.Spec.LifeSpanSeconds)*time.Second - used - d.now.Sub(seen.Started), true
}

// timeToRun reports whether ended attempts left some of the life span.
func (d *decider) timeToRun() bool {
	return d.job.Spec.LifeSpanSeconds == nil || d.status.RunSeconds < *d.job.Spec.LifeSpanSeconds
}

func (d *decider) restartPolicy() platformv1.RestartPolicy {
	if d.job.Spec.Restart == nil || d.job.Spec.Restart.Policy == "" {
		return platformv1.RestartNever
	}
	return d.job.Spec.Restart.Policy
}

// ranks are the pods of an attempt by rank.
func ranks(job *platformv1.Job, all []*corev1.Pod, attempt int32) []*corev1.Pod {
	pods := make([]*corev1.Pod, job.Spec.ReplicaCount())
	for rank := range pods {
		name := workload.PodName(job, attempt, int32(rank))
		for _, p := range all {
			if p.Name == name {
				pods[rank] = p
			}
		}
	}
	return pods
}

// killStrays ends pods of attempts other than the given one.
func (d *decider) killStrays(attempt int32) {
	keep := map[string]bool{}
	if attempt > 0 {
		for rank := range d.job.Spec.ReplicaCount() {
			keep[workload.PodName(d.job, attempt, rank)] = true
		}
	}
	for _, p := range d.pods {
		if !keep[p.Name] && !workload.Ended(p) {
			d.kill = append(d.kill, p)
		}
	}
}

func (d *decider) alive() bool {
	for _, p := range d.pods {
		if !workload.Ended(p) {
			return true
		}
	}
	return false
}

func bounded(message string) string { return truncate(message, maxMessage) }

// truncate cuts at a whole character: the API server refuses broken ones.
func truncate(message string, bytes int) string {
	if len(message) <= bytes {
		return message
	}
	return strings.ToValidUTF8(message[:bytes-len("…")], "") + "…"
}
