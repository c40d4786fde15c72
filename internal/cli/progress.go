package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// line is what the live line says about a job: a text, and whether it stays when the next one comes.
type line struct {
	text string
	tone tone
	// lasting lines stay on the terminal; others are replaced by the next.
	lasting bool
	// then is the passing line behind a lasting one, "" for none.
	then string
	// stuck: waiting alone does not help.
	stuck bool
}

// submitted is what is said of a job that no controller has looked at yet.
const submitted = "Submitted"

// narrator turns the changes of a job into lines: it says something only when there is something new.
type narrator struct {
	last string
	// warned are the warnings that were given. They are shown whole, and stay; what comes again and again only passes.
	warned []string
	// ran is the newest attempt whose start was told.
	ran int32
}

// maxWarned is the number of warnings that a narrator remembers.
const maxWarned = 20

// next returns the narrator after the job was seen, and the line to show, nil where nothing changed.
func (n narrator) next(job *v1alpha1.Job) (narrator, *line) {
	status := &job.Status
	if status.Phase == v1alpha1.JobPending && starting[status.Reason] && status.Attempt <= n.ran {
		return n, nil // older than what was told
	}
	l := describeProgress(job)
	if l.text == n.last {
		return n, nil
	}
	n.last = l.text
	if status.Phase == v1alpha1.JobRunning {
		n.ran = max(n.ran, status.Attempt)
	}
	if status.Phase == v1alpha1.JobPending && l.tone == toneWarn && !slices.Contains(n.warned, l.text) && len(n.warned) < maxWarned {
		n.warned = append(slices.Clone(n.warned), l.text)
		l.lasting, l.then = true, "Waiting"
	}
	return n, &l
}

// starting are the reasons between the reservation and the start.
var starting = map[v1alpha1.JobReason]bool{
	v1alpha1.JobReasonCreating: true, v1alpha1.JobReasonScheduling: true, v1alpha1.JobReasonPodInitializing: true,
	v1alpha1.JobReasonContainerCreating: true, v1alpha1.JobReasonPulling: true,
}

// describeProgress says in one line where a job is.
func describeProgress(job *v1alpha1.Job) line {
	status := &job.Status
	switch status.Phase {
	case v1alpha1.JobRunning:
		if status.Reason == v1alpha1.JobReasonTerminating {
			return line{text: "Ending" + on(job)}
		}
		return line{text: "Running" + on(job) + again(status), tone: toneGood, lasting: true}
	case v1alpha1.JobSuspended:
		return line{text: "Suspended", tone: toneWarn}
	case v1alpha1.JobSucceeded, v1alpha1.JobFailed, v1alpha1.JobCancelled:
		return describeEnd(status)
	}
	switch status.Reason {
	case "":
		return line{text: submitted}
	case v1alpha1.JobReasonTerminating:
		return line{text: "Ending"}
	case v1alpha1.JobReasonRestarting, v1alpha1.JobReasonBackOff:
		return line{text: "Attempt " + fmt.Sprint(status.Attempt) + " ended, trying again" + because(status.Message), tone: toneWarn}
	}
	// A job that holds its place is in no queue, whatever its reason.
	if status.Reservation != nil {
		return describeStart(job)
	}
	return describeQueue(status)
}

// describeStart says how the start of a job goes that holds its place.
func describeStart(job *v1alpha1.Job) line {
	status := &job.Status
	switch status.Reason {
	case v1alpha1.JobReasonCreating, v1alpha1.JobReasonScheduling, v1alpha1.JobReasonPodInitializing:
		return line{text: "Starting" + on(job) + again(status)}
	case v1alpha1.JobReasonContainerCreating:
		return line{text: "Preparing the container" + on(job) + again(status)}
	case v1alpha1.JobReasonPulling:
		return line{text: "Pulling " + job.Spec.Image + on(job)}
	case v1alpha1.JobReasonErrImagePull, v1alpha1.JobReasonImagePullBackOff:
		return line{text: "The image cannot be pulled, trying again" + because(status.Message), tone: toneWarn}
	default:
		return line{text: "Held up at the start" + on(job) + becauseOf(status), tone: toneWarn}
	}
}

// describeQueue says how a job stands that waits for its place.
func describeQueue(status *v1alpha1.JobStatus) line {
	if status.Reason.Impossible() {
		return line{text: "Cannot start" + becauseOf(status), tone: toneWarn, stuck: true}
	}
	text := "Queued"
	if status.Queue != nil && status.Queue.Position > 0 {
		text += fmt.Sprintf(" at position %d", status.Queue.Position)
	}
	return line{text: text + becauseOf(status)}
}

// describeEnd says how a job ended.
func describeEnd(status *v1alpha1.JobStatus) line {
	text, reason := stateWord(status.Phase), string(status.Reason)
	if status.Phase == v1alpha1.JobSucceeded {
		if ran := jobRan(status).text(timeOf(status.FinishTime)); ran != "" {
			text += " after " + ran
		}
		return line{text: text, tone: toneGood, lasting: true}
	}
	var parts []string
	if reason != "" && status.Reason != v1alpha1.JobReasonError {
		parts = append(parts, reason)
	}
	if status.ExitCode != nil {
		parts = append(parts, fmt.Sprintf("exit code %d", *status.ExitCode))
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return line{text: text + because(status.Message), tone: phaseTone(status.Phase), lasting: true}
}

func on(job *v1alpha1.Job) string {
	r := job.Status.Reservation
	switch {
	case r == nil || len(r.Nodes) == 0:
		return ""
	case len(r.Nodes) == 1:
		return " on " + r.Nodes[0].Node
	default:
		return fmt.Sprintf(" on %d nodes", len(r.Nodes))
	}
}

// again counts attempts from the second on.
func again(status *v1alpha1.JobStatus) string {
	if status.Attempt < 2 {
		return ""
	}
	return fmt.Sprintf(", attempt %d", status.Attempt)
}

// becauseOf is the message of a job, or its reason where it has none.
func becauseOf(status *v1alpha1.JobStatus) string {
	if text := because(status.Message); text != "" {
		return text
	}
	return ": " + string(status.Reason)
}

func because(message string) string {
	if message == "" {
		return ""
	}
	return ": " + shorten(message, 400)
}
