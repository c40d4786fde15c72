package job

import (
	"fmt"
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

const (
	// quietStart is how long a start may take before status says what it waits for: most starts are over by then, and a
	// write for each of their steps would cost more than it tells.
	quietStart = 2 * time.Second
	// imageTolerance is how long an image may fail to be pulled before the attempt ends. While it is pulled it does not fail.
	imageTolerance = 60 * time.Second
	// mountTolerance is how long a node may fail to mount a volume or to connect the pod to the network.
	mountTolerance = 2 * time.Minute
	// startTolerance is how long any other failure to start may last, once the image is there.
	startTolerance = 20 * time.Second
	// longestLook is the longest pause between two looks at the events of a pod that is slow to start.
	longestLook = 30 * time.Second
	// bindTolerance is how long the pods that were made may wait to be bound to the nodes of their reservation, or for others to be
	// made, before the job goes back to the queue.
	bindTolerance = 60 * time.Second
)

// start is an attempt some of whose replicas do not run yet.
func (d *decider) start(seen workload.Observation) {
	reservation := d.status.Reservation
	if d.status.Phase == platformv1.JobRunning {
		d.vanished(seen)
		return
	}
	if left, set := d.scheduleTimeLeft(); set && left <= 0 {
		d.begin(seen, platformv1.JobReasonScheduleTimeout, d.timeoutMessage())
		return
	} else if set {
		d.later(left)
	}
	age := d.now.Sub(reservation.Time.Time)
	if seen.Uncertain {
		d.later(min(max(age, quietStart), longestLook))
	}
	if !seen.Waiting.IsZero() {
		if left := tolerance(seen.Reason) - d.now.Sub(seen.Waiting); left > 0 {
			d.later(left)
		} else {
			d.begin(seen, givenUp(seen.Reason), seen.Message)
			return
		}
	}
	if left, limited := d.placeLeft(seen); limited && left <= 0 {
		d.begin(seen, platformv1.JobReasonScheduling, d.unplacedMessage(seen))
		return
	} else if limited {
		d.later(left)
	}
	d.create = len(seen.Missing) > 0
	if age < quietStart && seen.Waiting.IsZero() {
		d.later(quietStart - age)
		return
	}
	if d.create && seen.Waiting.IsZero() && d.status.Reason == platformv1.JobReasonCreating {
		return // what keeps the pods from being made, if anything, is told by who makes them
	}
	d.status.Reason, d.status.Message = seen.Reason, bounded(seen.Message)
}

// vanished ends an attempt that ran and some of whose pods are gone.
func (d *decider) vanished(seen workload.Observation) {
	switch {
	case len(seen.Missing) == 0:
	case d.goneNode != "":
		seen.Node = d.goneNode
		d.begin(seen, platformv1.JobReasonNodeLost, fmt.Sprintf("node %s was removed while the job ran on it", d.goneNode))
	default:
		d.begin(seen, platformv1.JobReasonNotFound, "a pod of the job vanished while it ran")
	}
}

// placeLeft is how much longer some of the pods may be without a node, and whether that is limited: it is not as long as there is none
// that would hold its node meanwhile, nor where a pod went and is made anew. A predecessor may have died before it made them all.
func (d *decider) placeLeft(seen workload.Observation) (time.Duration, bool) {
	since := seen.Made
	if len(seen.Missing) > 0 && since.Before(d.leads) {
		since = d.leads
	}
	return bindTolerance - d.now.Sub(since), !seen.Made.IsZero() && (seen.Unbound || d.refused(seen))
}

// refused reports whether some of the pods could not be made, as is told by who makes them.
func (d *decider) refused(seen workload.Observation) bool {
	return len(seen.Missing) > 0 && d.status.Reason == platformv1.JobReasonCreating && d.status.Message != ""
}

func (d *decider) unplacedMessage(seen workload.Observation) string {
	if d.refused(seen) {
		return "some of the pods could not be made; last: " + d.status.Message
	}
	return "the nodes of the reservation were taken by others: " + seen.Message
}

// tolerance is how long a replica may fail to start before the attempt ends.
func tolerance(reason platformv1.JobReason) time.Duration {
	switch reason {
	case platformv1.JobReasonInvalidImageName:
		return 0
	case platformv1.JobReasonErrImagePull, platformv1.JobReasonImageNotFound, platformv1.JobReasonImageUnauthorized:
		return imageTolerance
	case platformv1.JobReasonDiskUnavailable, platformv1.JobReasonContainerCreating:
		return mountTolerance
	default:
		return startTolerance
	}
}

// givenUp is the reason of the end where a start was tried for too long.
func givenUp(reason platformv1.JobReason) platformv1.JobReason {
	if reason == platformv1.JobReasonErrImagePull {
		return platformv1.JobReasonImagePullBackOff
	}
	return reason
}
