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
	// placesWhileBusy is how many places of watched jobs are written each second while jobs start: every write that tells one
	// job its place is one that starts no other, and each start changes them all.
	placesWhileBusy = 4
	// While jobs start, who was never told anything has a share of the writes of its own, the longest waiting first: in each tellPause
	// a round of words, less what the starts in it cost, each as much as startCosts of them, but no fewer than wordsWhileBusy. Of
	// 10,000 jobs that come at once the last knows its place after 70 s where 5 start in a second, and after two to three minutes
	// where 50 do; where more do, words take no more than a tenth of what starts take, and who is not told starts soon.
	wordsWhileBusy = 4
	startCosts     = 2
	// comparedPerLook is of how many watched jobs it is looked up at once who holds what they wait for: each takes a look at all that
	// run, which are 1.5 ms with 20,000 of them.
	comparedPerLook = 4
)

// refusals is what the scheduler remembers of refusals between rounds. It is only about pace: losing it costs writes.
type refusals struct {
	// written is when the refusal of a waiting job was last written, by UID, as long as that matters.
	written map[string]time.Time
	// compared is when a watched job was last asked about who holds what it waits for, by UID.
	compared map[string]time.Time
	// lastStart is when a job last started, lastPlaces and lastWords when places and the rest were last written while others did.
	lastStart, lastPlaces, lastWords time.Time
	// starts are those since lastWords.
	starts int
}

func newRefusals() refusals {
	return refusals{written: map[string]time.Time{}, compared: map[string]time.Time{}}
}

// began counts jobs that started.
func (r *refusals) began(starts int, now time.Time) {
	r.lastStart = now
	r.starts += starts
}

// busy reports whether jobs start.
func (r *refusals) busy(now time.Time) bool { return now.Sub(r.lastStart) < time.Second }

// rooms is how many places of watched jobs may be written now, and how many words of all others.
func (r *refusals) rooms(now time.Time) (places, words int) {
	if !r.busy(now) {
		return refusalsPerRound / 2, refusalsPerRound // the rest has its turn though the places of many quotas change
	}
	if now.Sub(r.lastPlaces) >= time.Second {
		places = placesWhileBusy
	}
	if now.Sub(r.lastWords) >= tellPause {
		words = max(refusalsPerRound-startCosts*r.starts, wordsWhileBusy)
	}
	return places, words
}

// choose picks the refusals that are written now: reasons first, then places of watched jobs in the order of the queue, those that
// were told nothing before the others; then words to the rest that were told nothing, by how long they have waited, then details. Left
// reports how soon those that were not picked want another round; zero if there are none.
func (r *refusals) choose(state state, decisions []decision, now time.Time) (chosen []decision, left time.Duration) {
	n := r.sort(state, decisions, now)
	if n.none() {
		return nil, 0
	}
	if len(n.reasons) > refusalsPerRound {
		return n.reasons[:refusalsPerRound], pause
	}
	forPlaces, forWords := r.rooms(now)
	chosen, room := n.reasons, refusalsPerRound-len(n.reasons)
	take := func(from []decision, most int) (rest []decision) {
		took := min(len(from), most, room)
		chosen, room = append(chosen, from[:took]...), room-took
		return from[took:]
	}

	before := room
	firsts := take(n.firsts, forPlaces)
	places := take(n.places, forPlaces-(before-room))
	if room < before {
		r.lastPlaces = now
	}
	words := append(n.words, firsts...)
	slices.SortFunc(words, func(a, b decision) int { return cmp.Or(a.since.Compare(b.since), inQueue(a, b)) })
	before = room
	words = take(append(words, n.details...), forWords)
	others := r.compare(state, n.settled, min(forWords-(before-room), room, comparedPerLook), now)
	chosen = append(chosen, others...)
	if forWords > 0 {
		r.lastWords, r.starts = now, 0
	}

	switch {
	case len(words)+len(places) == 0:
		return chosen, 0
	case !r.busy(now):
		return chosen, pause
	case len(words) > 0:
		return chosen, tellPause
	}
	return chosen, time.Second
}

// refuse writes what waiting jobs should know, and tells how soon the scheduler should look again though nothing happened.
func (r *Reconciler) refuse(ctx context.Context, state state, decisions []decision, now time.Time) time.Duration {
	chosen, left := r.refusals.choose(state, decisions, now)
	updates := make([]update, len(chosen))
	for i, d := range chosen { // one by one, as the words are the engine's
		job := state.candidates[d.key].job
		updates[i] = update{job, refused(job, d, now)}
		r.refusals.written[d.key] = now
	}
	var again time.Duration
	for i, o := range r.writeAll(ctx, updates) {
		if o.err == nil {
			r.aside.told(chosen[i].key)
			continue
		}
		again = sooner(again, r.aside.put(chosen[i].key, telling, nil, now))
		ctrl.LoggerFrom(ctx).Error(o.err, "a job is put aside, as it cannot be told why it waits")
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
	since := metav1.NewTime(d.since)
	queue := &platformv1.QueueStatus{Position: d.position, Since: &since, HeldBy: d.heldBy()}
	if status.Queue != nil {
		queue.Displaced = status.Queue.Displaced
	}
	if !d.expected.IsZero() {
		expected := metav1.NewTime(d.expected)
		queue.ExpectedStart = &expected
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
