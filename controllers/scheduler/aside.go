package scheduler

import (
	"fmt"
	"strings"
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/refusal"
	"github.com/soma-platform/soma/internal/scheduling"
)

const (
	// shortestAside and longestAside bound for how long a job is put aside; it doubles in between.
	shortestAside = time.Second
	longestAside  = time.Minute
	// triesInPlace is how often a write that fails for the moment is tried again before its job is put aside: who comes after it
	// would take its place, and have to give way to it again.
	triesInPlace = 5
	// asideWords bounds what is told of the error.
	asideWords = 1024
)

// aside are the jobs whose decisions could not be written, by UID: each is left alone for a while, so that it hurts no other.
// Losing it costs a try.
type aside map[string]absence

type absence struct {
	// of is what failed last, tries how often in a row.
	of    failure
	tries int
	until time.Time
	lasts time.Duration
	// refusal is what the job is told meanwhile; nil where another try may do.
	refusal *scheduling.Refusal
}

// failure is what could not be written.
type failure int

const (
	// telling a job why it waits.
	telling failure = iota
	// starting it.
	starting
)

// put puts a job aside, for longer each time in a row, and returns how soon the scheduler should look at it again. The first
// times that another try may do, the job stays where it is.
func (a aside) put(uid string, of failure, why *scheduling.Refusal, now time.Time) time.Duration {
	before := a[uid]
	if now.Sub(before.until) > longestAside {
		before = absence{} // it would have failed again long ago
	}
	if why == nil && before.tries < triesInPlace {
		a[uid] = absence{of: of, tries: before.tries + 1, until: now}
		return pause
	}
	lasts := min(max(2*before.lasts, shortestAside), longestAside)
	a[uid] = absence{of: of, tries: before.tries + 1, until: now.Add(lasts), lasts: lasts, refusal: why}
	if why != nil {
		return pause // to tell it
	}
	return lasts
}

// untellable reports that a job is not told why it waits for a while, as that could not be written.
func (a aside) untellable(uid string, now time.Time) bool {
	return a[uid].of == telling && a[uid].until.After(now)
}

// told ends the row of failures to tell a job why it waits. That it can be told says nothing of its start.
func (a aside) told(uid string) {
	if a[uid].of == telling {
		delete(a, uid)
	}
}

// apply takes the jobs that are aside out of a round, or has them refused, and forgets those that do not wait any more.
func (a aside) apply(s *state, now time.Time) {
	for uid := range a {
		if _, waits := s.candidates[uid]; !waits {
			delete(a, uid)
		}
	}
	var waiting []*candidate
	for _, c := range s.waiting {
		put := a[c.key()]
		if left := put.until.Sub(now); left > 0 {
			s.again = sooner(s.again, left)
			if put.of == telling { // it may start all the while
				waiting = append(waiting, c)
				continue
			}
			if put.refusal == nil {
				delete(s.candidates, c.key())
				continue
			}
			c.hindered = put.refusal
		}
		waiting = append(waiting, c)
	}
	s.waiting = waiting
}

// unwritable is what a job is told whose reservation the API server does not take; nil where another try may do.
func unwritable(err error) *scheduling.Refusal {
	if !refusal.Final(err) {
		return nil
	}
	words := err.Error()
	if len(words) > asideWords {
		words = strings.ToValidUTF8(words[:asideWords], "") + "…"
	}
	return &scheduling.Refusal{
		Reason:  platformv1.JobReasonReservationRefused,
		Message: fmt.Sprintf("the job's place cannot be recorded, and it is tried again every minute; an administrator has to look at this: %s", words),
	}
}

// sooner is the shorter of two times to wait, where zero is for ever.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || (b > 0 && b < a) {
		return b
	}
	return a
}
