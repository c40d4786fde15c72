package scheduler

import (
	"cmp"
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

const (
	// refusalsPerRound is how many refusals one round writes: the next round, which may start a job, does not wait for more.
	refusalsPerRound = 2 * writers
	// placesWhileBusy is how many places in the queue are written each second while jobs start: every write that tells one
	// job its place is one that starts no other.
	placesWhileBusy = 4
	// watchedPositions is how many waiting jobs have their place kept current; the rest have it from when they were first told
	// or when their reason changed.
	watchedPositions = 20
	// quietRefusal is how soon a refusal is written again when only its numbers changed.
	quietRefusal = 5 * time.Second
)

// refusals is what the scheduler remembers of refusals between rounds. It is only about pace: losing it costs writes.
type refusals struct {
	// written is when the refusal of a waiting job was last written, by UID, as long as that matters.
	written map[string]time.Time
	// lastStart is when a job last started, lastPlaces when places were last written.
	lastStart, lastPlaces time.Time
}

// news is how much a refusal tells that the job's status does not say yet.
type news int

const (
	nothingNew news = iota
	// newPlace is another place in the queue, or the first one: it can wait while jobs start.
	newPlace
	// newReason is something that the job's owner may have to act upon.
	newReason
)

// tells compares a refusal with what the job's status says.
func (r *refusals) tells(job *platformv1.Job, d decision, now time.Time) news {
	status := &job.Status
	told := status.ObservedGeneration >= 0 && status.Queue != nil
	switch {
	case status.Reason != d.reason && !(busy(status.Reason) && busy(d.reason)):
		return newReason
	case !told:
		return newPlace
	case now.Sub(r.written[string(job.UID)]) < quietRefusal:
		return nothingNew
	case status.Reason != d.reason:
		return newPlace
	case d.position > watchedPositions && status.Queue.Position > watchedPositions:
		return nothingNew
	case status.Queue.Position == d.position && status.Message == d.words() && !moved(status.Queue.ExpectedStart, d.expected, now):
		return nothingNew
	}
	return newPlace
}

// moved reports whether an expected start is another than what was told, by more than nobody minds.
func moved(told *metav1.Time, expected, now time.Time) bool {
	if told == nil || expected.IsZero() {
		return told != nil || !expected.IsZero()
	}
	difference := expected.Sub(told.Time).Abs()
	return difference > time.Minute && difference > expected.Sub(now)/20
}

// busy reports whether a reason is that others have to end, which nobody has to act upon.
func busy(reason platformv1.JobReason) bool {
	return reason == platformv1.JobReasonQueued || reason == platformv1.JobReasonQuotaExceeded
}

// places is how many places in the queue may be written now.
func (r *refusals) places(now time.Time) int {
	switch {
	case now.Sub(r.lastStart) >= time.Second:
		return refusalsPerRound
	case now.Sub(r.lastPlaces) >= time.Second:
		return placesWhileBusy
	}
	return 0
}

// choose picks the refusals that are written now: reasons first, then places, in the order of the queue. Left reports how
// soon those that were not picked want another round; zero if there are none.
func (r *refusals) choose(state state, decisions []decision, now time.Time) (chosen []decision, left time.Duration) {
	var reasons, places []decision
	for _, d := range decisions {
		if d.reason == "" {
			continue
		}
		switch r.tells(state.candidates[d.key].job, d, now) {
		case newReason:
			reasons = append(reasons, d)
		case newPlace:
			places = append(places, d)
		}
	}
	for _, some := range [][]decision{reasons, places} {
		slices.SortFunc(some, func(a, b decision) int { return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.key, b.key)) })
	}
	if len(reasons) > refusalsPerRound {
		return reasons[:refusalsPerRound], pause
	}
	if room := min(r.places(now), refusalsPerRound-len(reasons)); len(places) > room {
		places, left = places[:room], pause
		if now.Sub(r.lastStart) < time.Second {
			left = time.Second
		}
	}
	if len(places) > 0 {
		r.lastPlaces = now
	}
	return append(reasons, places...), left
}

// refuse writes what waiting jobs should know, and tells how soon the scheduler should look again though nothing happened.
func (r *Reconciler) refuse(ctx context.Context, state state, decisions []decision, now time.Time) time.Duration {
	chosen, left := r.refusals.choose(state, decisions, now)
	for _, d := range chosen {
		r.refusals.written[d.key] = now
	}
	outcomes := atOnce(chosen, func(d decision) outcome {
		job := state.candidates[d.key].job
		return r.write(ctx, job, refused(job, d, now))
	})
	var again time.Duration
	for i, o := range outcomes {
		if o.err != nil {
			again = sooner(again, r.aside.put(chosen[i].key, nil, now))
			ctrl.LoggerFrom(ctx).Error(o.err, "a job is put aside, as it cannot be told why it waits")
		}
	}
	r.refusals.forget(now)
	if left == pause {
		r.told = time.Time{}
	}
	if left == 0 && len(state.waiting) > 0 {
		left = quietRefusal
	}
	return sooner(left, again)
}

// refused is the status of a job that waits.
func refused(job *platformv1.Job, d decision, now time.Time) platformv1.JobStatus {
	status := *job.Status.DeepCopy()
	since := metav1.NewTime(since(job))
	queue := &platformv1.QueueStatus{Position: d.position, Since: &since}
	if status.Queue != nil {
		queue.Displaced = status.Queue.Displaced
	}
	if !d.expected.IsZero() {
		expected := metav1.NewTime(d.expected)
		queue.ExpectedStart = &expected
	}
	for _, h := range d.holders() {
		queue.HeldBy = append(queue.HeldBy, platformv1.Holder{Quota: h.Quota, Jobs: int32(h.Jobs), GPUs: int32(h.GPUs)}) //nolint:gosec // there are not so many
	}
	status.Queue = queue
	status.Phase, status.Reason, status.Message = platformv1.JobPending, d.reason, d.words()
	if status.Journal.Sequence == 0 {
		status.Journal.Append(platformv1.Transition{
			Time: metav1.NewMicroTime(now), Phase: string(status.Phase), Reason: string(status.Reason),
		})
	}
	finishStatus(&status, job.Generation, now)
	return status
}

// forget drops what was written so long ago that it may be written again.
func (r *refusals) forget(now time.Time) {
	for uid, at := range r.written {
		if now.Sub(at) >= quietRefusal {
			delete(r.written, uid)
		}
	}
}
