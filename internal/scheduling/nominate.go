package scheduling

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// In each tree the first of each queue gets a reservation once it has waited for long enough, as many as there is room for: those who have less
// of what is due to them before others, and before these who has waited for so long that fair share does not count.

// nominate says, in the trees where there is room for a reservation more, whose turn it is, and makes those ready. They get it
// when they are looked at and cannot start.
func (e *Engine) nominate(now time.Time) {
	if len(e.hungry) == 0 {
		return
	}
	for _, root := range slices.SortedFunc(maps.Keys(e.hungry), func(a, b *queue) int { return cmp.Compare(a.Name, b.Name) }) {
		before := e.nominees[root]
		e.nominees[root] = e.firstInLine(root, now)
		for _, c := range before {
			e.stayInLine(c)
		}
		for _, c := range e.nominees[root] {
			e.lineUp(c, false)
			e.makeReady(c)
		}
	}
	clear(e.hungry)
}

// firstInLine are the first of each queue, as many as there is room for, and those to which another one yields.
func (e *Engine) firstInLine(root *queue, now time.Time) (first []*class) {
	var others []*class
	for _, q := range root.tree {
		c := e.nextOf(q, now)
		if c == nil {
			continue
		}
		e.isNext(c, now)
		if yields, may := e.mayReserve(c); may && yields != nil {
			first = append(first, c)
		} else if may {
			others = append(others, c)
		}
	}
	for free := e.options.Reservations - e.reservations(root); free > 0 && len(others) > 0; free-- {
		next := 0
		for i, c := range others {
			if e.sooner(c, others[next]) {
				next = i
			}
		}
		first = append(first, others[next])
		others = slices.Delete(others, next, next+1)
	}
	return first
}

// nextOf is the first of the queue's classes for which others may be held back; nil for none.
func (e *Engine) nextOf(q *queue, now time.Time) *class {
	var first *class
	for _, l := range q.lanes {
		for _, c := range l.classes {
			if _, parked := q.blocked[c]; (c.busy || !parked) && e.mayWant(c, now) && (first == nil || e.sooner(c, first)) {
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
	for _, q := range root.tree {
		for other := range q.blocked {
			if other.busy && e.mayWant(other, now) {
				e.hungry[root] = struct{}{}
				return
			}
		}
	}
}

// isNominee reports whether it is the class's turn to get a reservation.
func (e *Engine) isNominee(c *class) bool { return slices.Contains(e.nominees[c.lane.queue.root()], c) }

// inTurn is whose turn it is before another class that is the first otherwise: those whose start was not carried out, whatever their
// rank, as others may have given way to them; then those of the other's rank that have a reservation or are to get one. What is free is
// theirs to take, or to have kept, before others fill it. nil where nobody of these may start now.
func (e *Engine) inTurn(other *class) (first *class) {
	mayStart := func(c *class) bool { return c.ready != nil || c.couldUse() }
	for _, c := range e.returned {
		if mayStart(c) && (first == nil || inOrder(c.first(), first.first()) < 0) {
			first = c
		}
	}
	if first != nil {
		return first
	}
	for _, c := range e.line {
		if c.priority == other.priority && c.overdue == other.overdue && mayStart(c) {
			return c
		}
	}
	return nil
}

// mostRefused is how many of a tree are passed over in a round: where nothing can be kept for so many that are first in line, it hardly
// can for those behind them, and each try goes through all jobs that run.
const mostRefused = 8

// refuse passes over a class in this round for which nothing can be kept beside what is kept for others.
func (e *Engine) refuse(c *class) {
	e.refused[c] = struct{}{}
	e.tookItsTurn(c)
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
