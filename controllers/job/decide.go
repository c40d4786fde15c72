// Package job makes jobs true: it makes the pods of an attempt that holds a reservation, reads what they tell, and says
// in status what became of the job. Who starts when is decided by the scheduler alone.
package job

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

const (
	// defaultTTL is how long a finished job is kept.
	defaultTTL = 24 * time.Hour
	// backlogRetry is how soon a job whose journal is full is looked at again.
	backlogRetry = 5 * time.Second
)

// facts are all that a decision is made from.
type facts struct {
	job *platformv1.Job
	// pods of the job, of all attempts.
	pods []*corev1.Pod
	// events of the pods that are slow to start, by UID, as far as they are known.
	events map[types.UID][]corev1.Event
	// projectEnding reports that the job's project is being deleted.
	projectEnding bool
	// leads is since when this manager does, at the latest.
	leads time.Time
	// goneNode is a node that does not exist any more, and went with a pod of an attempt that ran; empty where there is none.
	goneNode string
	// pages is where the cluster of the reservation has pages of jobs, if it has.
	pages *platformv1.JobPages
	// ingress is what leads a proxy to the job's page, if there is one.
	ingress *metav1.PartialObjectMetadata
	now     time.Time
}

// plan is what follows from the facts. The status is written first; nothing else is done if that fails.
type plan struct {
	status platformv1.JobStatus
	// create asks for the pods of the reservation that do not exist.
	create bool
	// kill are pods to end, and ended ones that are not kept any longer.
	kill []*corev1.Pod
	// unroute is an Ingress to remove: the gateway carries the page, or there is none.
	unroute *metav1.PartialObjectMetadata
	// remove asks for the job object itself to be deleted: its time is over.
	remove bool
	// again is when to look again though nothing happened; zero for never.
	again time.Duration
	// backlog reports that a transition had to wait because the journal is full.
	backlog bool
}

// decide derives the plan from the facts.
func decide(f facts) plan {
	d := &decider{facts: f, plan: plan{status: *f.job.Status.DeepCopy()}}
	switch {
	case d.status.Phase.Finished():
		d.afterEnd()
	case d.status.Reservation == nil:
		d.waiting()
	default:
		d.attempt()
	}
	d.dropOld()
	if !workload.NeedsIngress(f.job, f.pages) {
		d.unroute = f.ingress
	}
	if d.backlog {
		return plan{status: f.job.Status, kill: d.kill, again: backlogRetry}
	}
	d.status.ObservedGeneration = f.job.Generation
	workload.SetConditions(&d.status, f.job.Generation, f.now)
	return d.plan
}

type decider struct {
	facts
	plan
	// ended is the attempt that this decision closed, if any: the transition that follows tells how it ended.
	ended *platformv1.Attempt
}

// afterEnd ends what is left of the pods and, when its time is over, the job.
func (d *decider) afterEnd() {
	d.killStrays(0)
	if d.status.FinishTime == nil || d.job.DeletionTimestamp != nil {
		return
	}
	ttl := defaultTTL
	if d.job.Spec.TTLSecondsAfterFinished != nil {
		ttl = time.Duration(*d.job.Spec.TTLSecondsAfterFinished) * time.Second
	}
	if left := d.status.FinishTime.Add(ttl).Sub(d.now); left > 0 {
		d.later(left)
	} else {
		d.remove = true
	}
}

// waiting is a job without a reservation.
func (d *decider) waiting() {
	d.killStrays(0)
	if len(d.kill) > 0 || d.alive() {
		return // a pod of an attempt that was given up: the job goes on when it is gone
	}
	reason, message := d.endRequest()
	switch {
	case reason == platformv1.JobReasonSuspended:
		d.suspend(message)
		return
	case reason != "":
		d.finish(platformv1.JobCancelled, reason, message, nil)
		return
	case d.status.Phase == platformv1.JobSuspended:
		d.requeue(metav1.NewTime(d.now), platformv1.JobReasonQueued, "resumed")
		return
	}
	if left, set := d.scheduleTimeLeft(); set && left <= 0 {
		d.finish(platformv1.JobFailed, platformv1.JobReasonScheduleTimeout, d.timeoutMessage(), nil)
	} else if set {
		d.later(left)
	}
	if d.status.RetryTime != nil {
		d.later(d.status.RetryTime.Sub(d.now))
	}
}

// attempt is a job that holds a reservation.
func (d *decider) attempt() {
	reservation := d.status.Reservation
	d.killStrays(reservation.Attempt)
	if workload.NeedsService(&d.job.Spec) {
		d.status.InternalHostname = workload.InternalHostname(d.job)
		d.status.URL = workload.PageURL(d.job, d.pages)
	}
	seen := workload.Observe(ranks(d.job, d.pods, reservation.Attempt), d.events)
	if seen.ImageDigest != "" {
		d.status.ImageDigest = seen.ImageDigest
	}
	if reservation.Ending != "" {
		d.ending(seen)
		return
	}
	// Pods that somebody removed may have been removed with the job or its project: that is what is told then.
	ended := seen.State >= workload.AttemptSucceeded && seen.Reason != platformv1.JobReasonCollected
	if reason, message := d.endRequest(); reason != "" && !ended {
		d.begin(seen, reason, message)
		return
	}
	switch seen.State {
	case workload.AttemptSucceeded:
		d.close(seen, seen.Reason, "")
	case workload.AttemptFailed:
		d.begin(seen, seen.Reason, seen.Message)
	case workload.AttemptRunning:
		d.run(seen)
	case workload.AttemptStarting:
		d.start(seen)
	}
}

// run is an attempt all of whose replicas run.
func (d *decider) run(seen workload.Observation) {
	left, limited := d.lifeLeft(seen)
	if limited && left <= 0 {
		d.begin(seen, platformv1.JobReasonLifeSpanEnded, "the job ran for its whole life span")
		return
	}
	if limited {
		d.later(left)
	}
	d.markRunning(seen)
}

func (d *decider) markRunning(seen workload.Observation) {
	started := metav1.NewTime(seen.Started)
	if d.status.StartTime == nil {
		d.status.StartTime = &started
	}
	if d.status.Reservation.StartTime == nil {
		d.status.Reservation.StartTime = &started
	}
	d.status.Queue, d.status.RetryTime = nil, nil
	if d.status.Phase != platformv1.JobRunning {
		d.enter(platformv1.JobRunning, platformv1.JobReasonRunning, "", seen.Started, nil)
	}
	d.status.Reason, d.status.Message = platformv1.JobReasonRunning, ""
}

// begin ends an attempt. Where pods have to be ended first, the reason is committed before the first of them is touched,
// so that what follows from ending them is never taken for the cause.
func (d *decider) begin(seen workload.Observation, reason platformv1.JobReason, message string) {
	if len(seen.Alive) == 0 {
		d.close(seen, reason, message)
		return
	}
	d.status.Reservation.Ending, d.status.Reservation.EndingMessage = reason, truncate(message, 1024)
	d.status.Reservation.EndingNode = seen.Node
	d.status.Reason, d.status.Message = platformv1.JobReasonTerminating, bounded(message)
	d.kill = append(d.kill, seen.Alive...)
}

// ending waits for the pods of an attempt that is being ended.
func (d *decider) ending(seen workload.Observation) {
	if len(seen.Alive) > 0 {
		d.kill = append(d.kill, seen.Alive...)
		d.lingering(seen.Alive)
		return
	}
	reservation := d.status.Reservation
	cancelled := reservation.Ending == platformv1.JobReasonUserRequested || reservation.Ending == platformv1.JobReasonProjectDeleted
	stops := reservation.Ending == platformv1.JobReasonQuotaExhausted || reservation.Ending == platformv1.JobReasonSuspended
	goesOn := d.restartPolicy() == platformv1.RestartAlways && stops
	if seen.State == workload.AttemptSucceeded && !cancelled && !goesOn {
		d.close(seen, seen.Reason, "") // it was done before it was told to end: that is neither lost nor to be done again
		return
	}
	d.close(seen, reservation.Ending, reservation.EndingMessage)
}

// lingering tells what is waited for where the pods take longer to end than they should.
func (d *decider) lingering(pods []*corev1.Pod) {
	for _, p := range pods {
		why, left := workload.Lingering(p, d.now)
		d.later(left)
		if why != "" {
			d.status.Message = bounded(d.status.Reservation.EndingMessage + "; " + why)
			return
		}
	}
}

func (d *decider) later(after time.Duration) {
	if after > 0 && (d.again == 0 || after < d.again) {
		d.again = after
	}
}
