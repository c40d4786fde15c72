package scheduling

import (
	"cmp"
	"slices"
	"time"
)

// Who of those that wait gets a reservation is decided by how long they have waited, not by fair share: in each tree the first of
// each queue by priority and submission, as many as there is room for. So nobody who came later gets one before, however
// little they use; fair share orders who starts on what nobody is held back from.

// nominate says, in the trees where there is room for a reservation more, whose turn it is, and makes those ready. They get it
// when they are looked at and cannot start.
func (e *Engine) nominate(now time.Time) {
	for root := range e.hungry {
		e.nominees[root] = e.firstInLine(root, now)
		for _, c := range e.nominees[root] {
			e.makeReady(c)
		}
	}
	clear(e.hungry)
}

// firstInLine are the first of each queue, as many as there is room for, and those to which another one yields.
func (e *Engine) firstInLine(root *queue, now time.Time) []*class {
	var first []*class
	for _, q := range e.queues {
		if q.root() == root {
			if c := e.longestWaiting(q, now); c != nil {
				first = append(first, c)
			}
		}
	}
	slices.SortFunc(first, inLine)
	free := max(e.options.Reservations-e.reservations(root), 0)
	return slices.DeleteFunc(first, func(c *class) bool {
		yields, may := e.mayReserve(c)
		if may && yields == nil {
			free--
			may = free >= 0
		}
		return !may
	})
}

// longestWaiting is the first of the queue's classes for which others may be held back; nil for none.
func (e *Engine) longestWaiting(q *queue, now time.Time) *class {
	var first *class
	for _, l := range q.lanes {
		for _, c := range l.classes {
			if _, parked := q.blocked[c]; (c.busy || !parked) && e.mayWant(c, now) && (first == nil || inLine(c, first) < 0) {
				first = c
			}
		}
	}
	return first
}

// mayWant reports whether others may be held back for the class that are not yet.
func (e *Engine) mayWant(c *class, now time.Time) bool {
	_, refused := e.refused[c]
	return !refused && c.reservation == nil && !now.Before(e.patientUntil(c))
}

// tookItsTurn notes that it is not the class's turn any more.
func (e *Engine) tookItsTurn(c *class) {
	root := c.lane.queue.root()
	e.nominees[root] = slices.DeleteFunc(e.nominees[root], func(other *class) bool { return other == c })
}

// whoElse follows up on a class whose turn it was and that starts without a reservation: it is the turn of another, if one was
// looked at meanwhile that wants one.
func (e *Engine) whoElse(c *class, now time.Time) {
	root := c.lane.queue.root()
	for _, q := range e.queues {
		if q.root() != root {
			continue
		}
		for other := range q.blocked {
			if other.busy && e.mayWant(other, now) {
				e.hungry[root] = struct{}{}
				return
			}
		}
	}
}

// inLine compares classes by who is to get a reservation first: to whom others give way, then by priority and submission.
func inLine(a, b *class) int {
	return cmp.Or(compareBool(b.paid, a.paid), inOrder(a.first(), b.first()))
}

// isNominee reports whether it is the class's turn to get a reservation.
func (e *Engine) isNominee(c *class) bool { return slices.Contains(e.nominees[c.lane.queue.root()], c) }

// inTurn is whose turn it is before another class that is the first otherwise: those whose start was not carried out, whatever their
// rank, as others may have given way to them; then those of the other's rank that have a reservation or are to get one. What is free is
// theirs to take, or to have kept, before others fill it. nil where nobody of these may start now.
func (e *Engine) inTurn(other *class) (first *class) {
	consider := func(c *class) {
		if (c.ready != nil || c.couldUse()) && (first == nil || inOrder(c.first(), first.first()) < 0) {
			first = c
		}
	}
	for _, c := range e.returned {
		consider(c)
	}
	if first != nil {
		return first
	}
	ofRank := func(c *class) {
		if c.priority == other.priority && c.overdue == other.overdue {
			consider(c)
		}
	}
	for _, c := range e.heads {
		ofRank(c)
	}
	for _, nominees := range e.nominees {
		for _, c := range nominees {
			ofRank(c)
		}
	}
	return first
}

// mostRefused is how many of a tree are passed over in a round: where nothing can be kept for so many that are first in line, it hardly
// can for those behind them, and each try goes through all jobs that run.
const mostRefused = 8

// refuse passes over a class in this round for which nothing can be kept beside what is kept for others.
func (e *Engine) refuse(c *class) {
	e.refused[c] = struct{}{}
	root, of := c.lane.queue.root(), 0
	for other := range e.refused {
		if other.lane.queue.root() == root {
			of++
		}
	}
	if of < mostRefused {
		e.hungry[root] = struct{}{}
	}
}

// patientUntil is until when the class's first job waits before others are held back for it.
func (e *Engine) patientUntil(c *class) time.Time {
	wait := e.options.Patience
	if c.lane.queue.displaces() {
		wait = min(wait, e.options.Urgency)
	}
	return c.first().Since.Add(wait)
}
