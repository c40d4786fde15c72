package cli

import (
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	history "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// ran is for how long a job ran: what its attempts that ended took together, without the pauses between them, and since when
// the one runs that did not. The zero value never ran.
type ran struct {
	before time.Duration
	since  time.Time
}

// jobRan is for how long the job of a status ran.
func jobRan(status *v1alpha1.JobStatus) ran {
	r := ran{before: time.Duration(status.RunSeconds) * time.Second}
	if held := status.Reservation; held != nil {
		r.since = timeOf(held.StartTime)
	}
	return r
}

// recordRan is for how long the job of a record ran. Of one whose object went before its end nobody knows.
func recordRan(status *history.JobRecordStatus) ran {
	start, end := timeOf(status.StartTime), timeOf(status.FinishTime)
	switch {
	case status.RunSeconds > 0:
		return ran{before: time.Duration(status.RunSeconds) * time.Second}
	case start.IsZero() || end.IsZero():
		return ran{}
	}
	return ran{before: end.Sub(start)}
}

// text is the time for people, "" where it never ran.
func (r ran) text(now time.Time) string {
	total := r.before
	if !r.since.IsZero() {
		total += max(0, now.Sub(r.since))
	} else if total == 0 {
		return ""
	}
	return duration.HumanDuration(total)
}
