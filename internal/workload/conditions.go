package workload

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions"
)

// SetConditions derives every condition from the phase and the reservation: one place, so that they cannot contradict
// each other.
func SetConditions(status *platformv1.JobStatus, generation int64, now time.Time) {
	set := func(kind string, value bool, reason, message string) {
		condition := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message, ObservedGeneration: generation}
		if value {
			condition.Status = metav1.ConditionTrue
		}
		conditions.Set(&status.Conditions, now, condition)
	}
	only := func(kind string, value bool, reason, message string) {
		if value {
			set(kind, true, reason, message)
		} else {
			conditions.Delete(&status.Conditions, kind)
		}
	}
	reason, message := string(status.Reason), status.Message
	if reason == "" {
		reason = string(platformv1.JobReasonQueued)
	}
	phase := status.Phase
	failed := phase == platformv1.JobFailed || phase == platformv1.JobCancelled
	impossible := phase == platformv1.JobPending && status.Reason.Impossible()

	ending := status.Reservation != nil && status.Reservation.Ending != ""
	ready := phase == platformv1.JobSucceeded || phase == platformv1.JobRunning && !ending
	readyMessage := message
	if !ready && message == "" {
		readyMessage = whyNotReady(phase, reason)
	}
	set(platformv1.ConditionReady, ready, reason, readyMessage)
	only(platformv1.ConditionReconciling, !impossible && (phase == platformv1.JobPending || ending), reason, "")
	only(platformv1.ConditionStalled, failed || impossible, reason, message)
	only(platformv1.ConditionComplete, phase == platformv1.JobSucceeded, reason, "")
	only(platformv1.ConditionFailed, failed, reason, message)
	only(platformv1.ConditionReserved, status.Reservation != nil, "Reserved", "")
}

// whyNotReady is what Ready says where status has no message: tools show it alone.
func whyNotReady(phase platformv1.JobPhase, reason string) string {
	switch {
	case phase.Finished():
		return fmt.Sprintf("The job does not run any more: %s.", reason)
	case phase == platformv1.JobRunning:
		return fmt.Sprintf("The job is being ended: %s.", reason)
	case phase == platformv1.JobSuspended:
		return fmt.Sprintf("The job is suspended: %s.", reason)
	default:
		return fmt.Sprintf("The job does not run yet: %s.", reason)
	}
}

// EndingSince is since when the attempt of a job that ran is being ended: the job is not ready since.
func EndingSince(status *platformv1.JobStatus) time.Time {
	if ready := conditions.Get(status.Conditions, platformv1.ConditionReady); ready != nil && ready.Status == metav1.ConditionFalse {
		return ready.LastTransitionTime.Time
	}
	return time.Time{}
}
