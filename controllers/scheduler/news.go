package scheduler

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

const (
	// watchedPositions is how many waiting jobs of a quota have all of their place kept current; the rest have it from when they
	// were first told, but for the time at which they start.
	watchedPositions = 20
	// quietRefusal is how soon a refusal is written again when only its numbers changed.
	quietRefusal = 5 * time.Second
)

// news is how much a refusal tells that the job's status does not say yet.
type news int

const (
	nothingNew news = iota
	// newDetail is what nobody watches: the expected start of a job far back in the queue, or what exactly it waits for.
	newDetail
	// newPlace is another place in the queue: it can wait while jobs start.
	newPlace
	// firstWord is the first place in the queue: the job was told nothing of it yet.
	firstWord
	// newReason is something that the job's owner may have to act upon.
	newReason
)

// tells compares a refusal with what the job's status says.
func (r *refusals) tells(job *platformv1.Job, d decision, now time.Time) news {
	status := &job.Status
	told := status.ObservedGeneration >= 0 && status.Queue != nil && (status.Queue.Position > 0 || d.position == 0)
	switch {
	case status.Reason != d.reason && !(status.Reason.Busy() && d.reason.Busy()):
		return newReason
	case !told:
		return firstWord
	case r.lately(job, now):
		return nothingNew
	case d.position > watchedPositions && status.Queue.Position > watchedPositions:
		if status.Reason != d.reason || moved(status.Queue.ExpectedStart, d.expected, now) {
			return newDetail
		}
		return nothingNew
	case status.Reason == d.reason && status.Queue.Position == d.position && status.Message == d.words() &&
		!moved(status.Queue.ExpectedStart, d.expected, now):
		return nothingNew
	}
	return newPlace
}

// lately reports whether the job's refusal was written so short a time ago that its numbers are left as they are.
func (r *refusals) lately(job *platformv1.Job, now time.Time) bool {
	return now.Sub(r.written[string(job.UID)]) < quietRefusal
}

// watched reports whether the decision gives the job a place that is kept current.
func (d *decision) watched() bool { return d.position > 0 && d.position <= watchedPositions }

// moved reports whether an expected start is another than what was told, by more than nobody minds.
func moved(told *metav1.Time, expected, now time.Time) bool {
	if told == nil || expected.IsZero() {
		return told != nil || !expected.IsZero()
	}
	difference := expected.Sub(told.Time).Abs()
	return difference > time.Minute && difference > expected.Sub(now)/20
}

// newsOf are refusals by what they tell, each in the order of the queue.
type newsOf struct {
	// firsts and places are of watched jobs, words and details of the others.
	reasons, firsts, places, words, details []decision
	// settled are the watched jobs of which only who holds what they wait for may be another.
	settled []decision
}

func (n *newsOf) none() bool {
	return len(n.reasons)+len(n.firsts)+len(n.places)+len(n.words)+len(n.details)+len(n.settled) == 0
}

// sort looks through the decisions for what they tell.
func (r *refusals) sort(state state, decisions []decision, now time.Time) newsOf {
	var n newsOf
	for i := range decisions {
		d := &decisions[i]
		if d.reason == "" {
			continue
		}
		job := state.candidates[d.key].job
		switch r.tells(job, *d, now) {
		case newReason:
			n.reasons = append(n.reasons, *d)
		case firstWord:
			if d.watched() {
				n.firsts = append(n.firsts, *d)
			} else {
				n.words = append(n.words, *d)
			}
		case newPlace:
			n.places = append(n.places, *d)
		case newDetail:
			n.details = append(n.details, *d)
		default:
			if d.watched() && !r.lately(job, now) {
				n.settled = append(n.settled, *d)
			}
		}
	}
	for _, some := range [][]decision{n.reasons, n.firsts, n.places, n.details} {
		slices.SortFunc(some, inQueue)
	}
	return n
}

func inQueue(a, b decision) int {
	return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.key, b.key))
}

// compare asks of so many of the watched jobs who holds what they wait for, which takes a look at all that run: those first that
// were asked about the longest time ago. It returns those of which it is others than they were told.
func (r *refusals) compare(state state, settled []decision, most int, now time.Time) (others []decision) {
	if most <= 0 || len(settled) == 0 {
		return nil
	}
	for uid := range r.compared {
		if state.candidates[uid] == nil {
			delete(r.compared, uid)
		}
	}
	slices.SortFunc(settled, func(a, b decision) int { return cmp.Or(r.compared[a.key].Compare(r.compared[b.key]), inQueue(a, b)) })
	for _, d := range settled[:min(most, len(settled))] {
		r.compared[d.key] = now
		if !slices.Equal(state.candidates[d.key].job.Status.Queue.HeldBy, d.heldBy()) {
			others = append(others, d)
		}
	}
	return others
}

// heldBy is who holds what the job waits for.
func (d *decision) heldBy() []platformv1.Holder {
	if d.holders == nil {
		return nil
	}
	var all []platformv1.Holder
	for _, h := range d.holders() {
		all = append(all, platformv1.Holder{Quota: h.Quota, Jobs: int32(h.Jobs), GPUs: int32(h.GPUs)}) //nolint:gosec // there are not so many
	}
	return all
}
