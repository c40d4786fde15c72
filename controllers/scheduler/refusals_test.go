package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func queued(position int32, message string) decision {
	return decision{key: "job", position: position, reason: platformv1.JobReasonQueued, words: func() string { return message }}
}

// waiting is a job that was told its place.
func waiting(position int32, message string) *platformv1.Job {
	job := &platformv1.Job{}
	job.UID = "job"
	job.Status.Phase, job.Status.Reason, job.Status.Message = platformv1.JobPending, platformv1.JobReasonQueued, message
	job.Status.Queue = &platformv1.QueueStatus{Position: position}
	return job
}

func TestCloseRanks(t *testing.T) {
	decided := func(quota string, position int32, reason platformv1.JobReason) decision {
		return decision{quota: quota, position: position, reason: reason}
	}
	const queued, full, never = platformv1.JobReasonQueued, platformv1.JobReasonQuotaExceeded, platformv1.JobReasonUnschedulable
	all := []decision{
		decided("a", 5, queued), decided("a", 3, never), decided("a", 1, queued), decided("a", 2, never), decided("a", 4, full),
		decided("b", 1, never), decided("b", 2, queued), decided("c", 7, queued), decided("", 0, platformv1.JobReasonSecretMissing),
	}
	closeRanks(all)
	var got []int32
	for _, d := range all {
		got = append(got, d.position)
	}
	if want := []int32{3, 0, 1, 0, 2, 0, 1, 7, 0}; !slices.Equal(got, want) {
		t.Errorf("positions %v, want %v", got, want)
	}
}

func TestTells(t *testing.T) {
	fresh := waiting(0, "")
	fresh.Status.Queue, fresh.Status.ObservedGeneration = nil, -1
	missing := queued(1, "no secret")
	missing.reason = platformv1.JobReasonSecretMissing
	full := queued(3, "m")
	full.reason = platformv1.JobReasonQuotaExceeded
	back := queued(21, "m")
	back.reason = platformv1.JobReasonQuotaExceeded
	for name, test := range map[string]struct {
		job      *platformv1.Job
		decision decision
		written  time.Duration // ago
		want     news
	}{
		"a new job that waits for others":              {fresh, queued(1, "m"), time.Hour, firstWord},
		"a new job far back in the queue":              {fresh, queued(4000, "m"), time.Hour, firstWord},
		"a new job that waits for its quota":           {fresh, full, 0, firstWord},
		"a new job that needs its owner":               {fresh, missing, 0, newReason},
		"a job that was told already":                  {waiting(3, "m"), queued(3, "m"), time.Hour, nothingNew},
		"a job that moved up":                          {waiting(3, "m"), queued(2, "m"), time.Hour, newPlace},
		"a job that moved up a moment ago":             {waiting(3, "m"), queued(2, "m"), time.Second, nothingNew},
		"a job that moved up where nobody watches":     {waiting(400, "m"), queued(300, "m"), time.Hour, nothingNew},
		"a job that came into sight":                   {waiting(400, "m"), queued(20, "m"), time.Hour, newPlace},
		"a job whose secret vanished a moment ago":     {waiting(3, "m"), missing, 0, newReason},
		"a job that waits for its quota now":           {waiting(3, "m"), full, time.Hour, newPlace},
		"a job that waited for its quota a moment ago": {waiting(3, "m"), full, time.Second, nothingNew},
		"a job whose explanation changed":              {waiting(3, "m"), queued(3, "other"), time.Hour, newPlace},
		"a job whose explanation changed out of view":  {waiting(21, "m"), queued(21, "other"), time.Hour, nothingNew},
		"a job whose reason changed out of view":       {waiting(21, "m"), back, time.Hour, newDetail},
		"a job that fell out of sight":                 {waiting(15, "m"), queued(55, "m"), time.Hour, newPlace},
		"a job that is back in its place":              {waiting(0, "it gave way"), queued(55, "m"), time.Hour, firstWord},
	} {
		t.Run(name, func(t *testing.T) {
			r := refusals{written: map[string]time.Time{"job": now.Add(-test.written)}}
			if got := r.tells(test.job, test.decision, now); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	type numbers struct{ reasons, places, words, details int }
	for name, test := range map[string]struct {
		news                             numbers
		lastStart, lastPlaces, lastWords time.Duration // ago
		starts                           int
		want                             numbers
		wantLeft                         time.Duration
	}{
		"nothing to tell":                {},
		"all in one quiet round":         {news: numbers{2, 5, 3, 1}, lastStart: time.Hour, want: numbers{2, 5, 3, 1}},
		"more than a quiet round writes": {news: numbers{0, 100, 10, 100}, lastStart: time.Hour, want: numbers{0, 16, 10, 6}, wantLeft: pause},
		"reasons come first":             {news: numbers{30, 30, 30, 0}, lastStart: time.Hour, want: numbers{30, 2, 0, 0}, wantLeft: pause},
		"more reasons than one round writes": {
			news: numbers{100, 30, 30, 0}, lastStart: time.Hour, want: numbers{32, 0, 0, 0}, wantLeft: pause,
		},
		"all but reasons wait while jobs start": {
			news: numbers{3, 30, 30, 0}, lastPlaces: 500 * time.Millisecond, want: numbers{3, 0, 0, 0}, wantLeft: tellPause,
		},
		"places wait for longer": {
			news: numbers{0, 30, 0, 0}, lastPlaces: 500 * time.Millisecond, want: numbers{}, wantLeft: time.Second,
		},
		"a few places a second all the same": {
			news: numbers{0, 30, 0, 0}, lastPlaces: time.Second, want: numbers{0, 4, 0, 0}, wantLeft: time.Second,
		},
		"while few jobs start, words are many": {
			news: numbers{0, 30, 100, 10}, lastWords: tellPause, starts: 1, want: numbers{0, 0, 30, 0}, wantLeft: tellPause,
		},
		"while many jobs start, words are few": {
			news: numbers{0, 30, 100, 10}, lastWords: tellPause, starts: 100, want: numbers{0, 0, 4, 0}, wantLeft: tellPause,
		},
		"details are last": {
			news: numbers{0, 0, 3, 10}, lastWords: tellPause, starts: 100, want: numbers{0, 0, 3, 1}, wantLeft: tellPause,
		},
		"a second after the last start, again": {news: numbers{0, 16, 10, 0}, lastStart: time.Second, want: numbers{0, 16, 10, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRefusals()
			r.lastStart, r.lastPlaces, r.lastWords, r.starts = now.Add(-test.lastStart), now.Add(-test.lastPlaces), now.Add(-test.lastWords), test.starts
			s, decisions := state{candidates: map[string]*candidate{}}, []decision(nil)
			kinds := map[string]news{}
			add := func(kind news, many int, job func() *platformv1.Job, position int32, reason platformv1.JobReason) {
				for range many {
					d := queued(position, "m")
					d.key, d.reason = fmt.Sprint(len(decisions)), reason
					made := job()
					made.UID = types.UID(d.key)
					s.candidates[d.key], kinds[d.key] = &candidate{job: made}, kind
					decisions = append(decisions, d)
				}
			}
			fresh := func() *platformv1.Job { job := waiting(0, ""); job.Status.Queue = nil; return job }
			add(newReason, test.news.reasons, fresh, 0, platformv1.JobReasonPresetNotFound)
			add(newPlace, test.news.places, func() *platformv1.Job { return waiting(8, "m") }, 7, platformv1.JobReasonQueued)
			add(firstWord, test.news.words, fresh, 700, platformv1.JobReasonQueued)
			add(newDetail, test.news.details, func() *platformv1.Job { return waiting(700, "m") }, 700, platformv1.JobReasonQuotaExceeded)
			chosen, left := r.choose(s, decisions, now)
			got := map[news]int{}
			for _, d := range chosen {
				got[kinds[d.key]]++
			}
			if got := (numbers{got[newReason], got[newPlace], got[firstWord], got[newDetail]}); got != test.want || left != test.wantLeft {
				t.Errorf("chose %+v, left %v; want %+v, %v", got, left, test.want, test.wantLeft)
			}
		})
	}
}

// A new job at the front of a queue is told before those that were watched all the time, a place more for each of them is not.
func TestWatchedFirstWordsComeFirst(t *testing.T) {
	r := newRefusals()
	r.began(100, now)
	s, decisions := state{candidates: map[string]*candidate{}}, []decision(nil)
	for i := range 10 {
		d, job := queued(int32(i+1), "m"), waiting(int32(i+2), "m") //nolint:gosec // small
		d.key = fmt.Sprint(i)
		if i == 9 {
			job.Status.Queue = nil
		}
		job.UID, s.candidates[d.key] = types.UID(d.key), &candidate{job: job}
		decisions = append(decisions, d)
	}
	r.lastWords = now
	chosen, _ := r.choose(s, decisions, now)
	var got []int32
	for _, d := range chosen {
		got = append(got, d.position)
	}
	if want := []int32{10, 1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("places %v are told, want %v", got, want)
	}
}

// Another quota holds what a watched job waits for: it is told so though its place and its words are the same, as soon as its turn
// to be asked about has come.
func TestHoldersAreKeptCurrent(t *testing.T) {
	r := newRefusals()
	s, decisions := state{candidates: map[string]*candidate{}}, []decision(nil)
	asked := 0
	for i := range 100 {
		d, job := queued(int32(i%25+1), "m"), waiting(int32(i%25+1), "m") //nolint:gosec // small
		d.key = fmt.Sprint(i)
		job.Status.Queue.HeldBy = []platformv1.Holder{{Quota: "a", Jobs: 1, GPUs: 8}}
		job.UID, s.candidates[d.key] = types.UID(d.key), &candidate{job: job}
		d.holders = func() []scheduling.Holder {
			asked++
			if d.key == "50" {
				return []scheduling.Holder{{Quota: "b", Jobs: 1, GPUs: 8}}
			}
			return []scheduling.Holder{{Quota: "a", Jobs: 1, GPUs: 8}}
		}
		decisions = append(decisions, d)
	}
	found := map[string]int{}
	const looks = 80 / comparedPerLook // 80 are watched
	for range looks {
		for _, d := range first(r.choose(s, decisions, now)) {
			found[d.key]++
			r.written[d.key] = now
		}
	}
	if len(found) != 1 || found["50"] != 1 || asked != 80 {
		t.Errorf("told: %v, after %d were asked about", found, asked)
	}
	asked = 0
	r.began(1, now)
	if chosen, _ := r.choose(s, decisions, now); len(chosen) > 0 || asked > 0 {
		t.Errorf("while jobs start %d are asked about at once, %d told", asked, len(chosen))
	}
}

func first(chosen []decision, _ time.Duration) []decision { return chosen }

// Jobs start all the time, and everybody who is watched moves: who was never told anything is told all the same, the longest
// waiting first.
func TestNobodyStaysUntoldWhileJobsStart(t *testing.T) {
	const watched, untold = 100 * watchedPositions, 300
	r := newRefusals()
	s := state{candidates: map[string]*candidate{}}
	var decisions []decision
	add := func(job *platformv1.Job, d decision) {
		job.UID = types.UID(fmt.Sprint(len(decisions)))
		d.key = string(job.UID)
		s.candidates[d.key] = &candidate{job: job}
		decisions = append(decisions, d)
	}
	for i := range watched {
		add(waiting(1, "m"), queued(int32(i%watchedPositions+2), "m")) //nolint:gosec // small
	}
	for i := range untold { // who is first in the queue came last
		job := waiting(0, "")
		job.Status.Queue, job.Status.ObservedGeneration = nil, -1
		d := queued(int32(i+1), "m") //nolint:gosec // small
		d.since = now.Add(-time.Duration(i) * time.Second)
		add(job, d)
	}
	told, moved, took := 0, 0, time.Duration(0)
	for at := now; at.Before(now.Add(20 * time.Second)); at = at.Add(tellPause) {
		r.began(4, at) // 20 a second
		oldest := untold
		chosen, left := r.choose(s, decisions, at)
		if left == 0 || left == pause {
			t.Fatalf("looks again after %v", left)
		}
		for _, d := range chosen {
			job := s.candidates[d.key].job
			if job.Status.Queue != nil {
				moved++
				job.Status.Queue.Position = 1
				continue
			}
			if d.position > watchedPositions {
				if int(d.position) > oldest {
					t.Errorf("who has waited for %d s is told after who has waited for %d s", d.position, oldest)
				}
				oldest = int(d.position)
			}
			told, took = told+1, at.Sub(now)
			job.Status.Queue, job.Status.ObservedGeneration = &platformv1.QueueStatus{Position: d.position}, 1
		}
	}
	if told != untold || took > 10*time.Second || moved < 40 {
		t.Errorf("%d of %d are told after %s, and %d that moved", told, untold, took, moved)
	}
}

// Out of sight only the expected start is kept true: of who was told one that is over, or none though there is one now.
func TestExpectedStartsOutOfSight(t *testing.T) {
	in := func(d time.Duration) *metav1.Time { at := metav1.NewTime(now.Add(d)); return &at }
	for name, test := range map[string]struct {
		told     *metav1.Time
		expected time.Time
		want     news
	}{
		"nothing is known":                 {nil, time.Time{}, nothingNew},
		"it is known for the first time":   {nil, now.Add(time.Hour), newDetail},
		"it passed, and is not known now":  {in(-time.Hour), time.Time{}, newDetail},
		"it passed, and another is known":  {in(-time.Hour), now.Add(time.Hour), newDetail},
		"others go first, it is far later": {in(time.Hour), now.Add(5 * time.Hour), newDetail},
		"it is a little later":             {in(time.Hour), now.Add(61 * time.Minute), nothingNew},
	} {
		job, d := waiting(55, "m"), queued(60, "m")
		job.Status.Queue.ExpectedStart, d.expected = test.told, test.expected
		r := newRefusals()
		if got := r.tells(job, d, now); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}

func TestWhenAnotherStartIsNews(t *testing.T) {
	told := func(in time.Duration) *metav1.Time { at := metav1.NewTime(now.Add(in)); return &at }
	for name, test := range map[string]struct {
		told     *metav1.Time
		expected time.Time
		want     bool
	}{
		"nothing is known":         {nil, time.Time{}, false},
		"it is known now":          {nil, now.Add(time.Hour), true},
		"it is not known any more": {told(time.Hour), time.Time{}, true},
		"a little earlier":         {told(time.Hour), now.Add(58 * time.Minute), false},
		"much earlier":             {told(time.Hour), now.Add(40 * time.Minute), true},
		"later by seconds":         {told(0), now.Add(30 * time.Second), false},
		"soon, later by minutes":   {told(0), now.Add(3 * time.Minute), true},
	} {
		if got := moved(test.told, test.expected, now); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
