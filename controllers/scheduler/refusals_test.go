package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
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
	for name, test := range map[string]struct {
		job      *platformv1.Job
		decision decision
		written  time.Duration // ago
		want     news
	}{
		"a new job that waits for others":              {fresh, queued(1, "m"), time.Hour, newPlace},
		"a new job far back in the queue":              {fresh, queued(4000, "m"), time.Hour, newPlace},
		"a new job that waits for its quota":           {fresh, full, time.Hour, newPlace},
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
	for name, test := range map[string]struct {
		reasons, places       int
		lastStart, lastPlaces time.Duration // ago
		wantReasons           int
		wantPlaces            int
		wantLeft              time.Duration
	}{
		"nothing to tell":                      {},
		"all in one quiet round":               {reasons: 2, places: 5, lastStart: time.Hour, lastPlaces: time.Hour, wantReasons: 2, wantPlaces: 5},
		"more than a quiet round writes":       {places: 100, lastStart: time.Hour, wantPlaces: 32, wantLeft: pause},
		"reasons come first":                   {reasons: 30, places: 30, lastStart: time.Hour, wantReasons: 30, wantPlaces: 2, wantLeft: pause},
		"more reasons than one round writes":   {reasons: 100, places: 30, lastStart: time.Hour, wantReasons: 32, wantLeft: pause},
		"places wait while jobs start":         {reasons: 3, places: 30, lastStart: 0, lastPlaces: 500 * time.Millisecond, wantReasons: 3, wantLeft: time.Second},
		"a few places a second all the same":   {places: 30, lastStart: 0, lastPlaces: time.Second, wantPlaces: 4, wantLeft: time.Second},
		"a second after the last start, again": {places: 30, lastStart: time.Second, wantPlaces: 30},
	} {
		t.Run(name, func(t *testing.T) {
			r := refusals{written: map[string]time.Time{}, lastStart: now.Add(-test.lastStart), lastPlaces: now.Add(-test.lastPlaces)}
			s := state{candidates: map[string]*candidate{}}
			var decisions []decision
			for i := range test.places + test.reasons { // the reasons are last in the queue
				job := waiting(0, "")
				job.UID = types.UID(fmt.Sprint(i))
				d := queued(int32(i+1), "m") //nolint:gosec // small
				if i >= test.places {
					d.reason = platformv1.JobReasonPresetNotFound
				} else {
					job.Status.Queue = nil
				}
				d.key = string(job.UID)
				s.candidates[d.key] = &candidate{job: job}
				decisions = append(decisions, d)
			}
			chosen, left := r.choose(s, decisions, now)
			reasons := 0
			for _, d := range chosen {
				if d.reason != platformv1.JobReasonQueued {
					reasons++
				}
			}
			if reasons != test.wantReasons || len(chosen)-reasons != test.wantPlaces || left != test.wantLeft {
				t.Errorf("chose %d reasons and %d places, left %v; want %d, %d, %v", reasons, len(chosen)-reasons, left,
					test.wantReasons, test.wantPlaces, test.wantLeft)
			}
		})
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
