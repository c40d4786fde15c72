package job

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

// brief is the time within which an attempt that ended has come to nothing.
const brief = 10 * time.Second

// followAfter puts the job back among those that wait; its next attempt is made after a pause.
func (d *decider) followAfter(pause time.Duration, reason platformv1.JobReason, message string) {
	retry := metav1.NewTime(d.now.Add(pause))
	d.status.RetryTime = &retry
	d.requeue(retry, reason, message)
	d.later(pause)
}

// followAfterPause puts the job back among those that wait, after a pause where several attempts in a row came to nothing: a
// node that refuses every pod, or a program that ends as it starts, must not fill the cluster with attempts. One alone is
// followed at once, unless somebody has to make a secret first.
func (d *decider) followAfterPause(reason platformv1.JobReason, message string) {
	row := 0
	for i := len(d.status.Attempts) - 1; i >= 0 && cameToNothing(&d.status.Attempts[i]); i-- {
		row++
	}
	switch {
	case reason == platformv1.JobReasonSecretMissing:
		d.followAfter(backOff(firstBackOff, longestBackOff, row-1), reason, message)
	case row < 2:
		d.requeue(metav1.NewTime(d.now), reason, message)
	default:
		d.followAfter(backOff(firstBackOff, longestBackOff, row-2), platformv1.JobReasonBackOff, message)
	}
}

func cameToNothing(a *platformv1.Attempt) bool {
	if a.StartTime == nil {
		return notItsOwn(a.Reason)
	}
	return a.Reason == platformv1.JobReasonCompleted && a.FinishTime != nil && a.FinishTime.Sub(a.StartTime.Time) < brief
}

// dropOld removes what is left of attempts that status does not show any more; with the pods go their logs.
func (d *decider) dropOld() {
	for _, p := range d.pods {
		attempt, known := attemptOf(p)
		if known && attempt <= d.status.Attempt-keptAttempts && workload.Ended(p) {
			d.kill = append(d.kill, p)
		}
	}
}
