package scheduling

import (
	"cmp"
	"slices"
	"time"
)

// In line are those for which others are held back, and those whose turn it is to get a reservation. Who comes before whom is settled when
// somebody joins: by priority, and then by who has less of what is due to them. Before these go those that have been the next of their queue
// for longer than MaxAge, who has been so for longest first. So fair share keeps nobody waiting for ever, and yet nobody gets around it who
// submits many jobs: each has to wait until it is the next. After that the order of those in line stays, whatever starts and ends: a plan that
// is made for one holds until somebody joins before it.

// lineUp gives a class its place in line, where it has none; behind all of its rank where it had one before all that are to come.
func (e *Engine) lineUp(c *class, resumes bool) {
	if c.place > 0 {
		return
	}
	c.late = e.isLate(c)
	rank := func(other *class) int { return compareRank(other, other.late, c, c.late) }
	from := e.after(0, func(other *class) bool { return rank(other) < 0 })
	to := e.after(from, func(other *class) bool { return rank(other) == 0 })
	switch {
	case c.late:
	case resumes:
		from = to
	default:
		from, to = e.between(c, from, to)
	}
	at := from
	for i := from; i < to; i++ { // of other trees, or late
		if older(e.line[i], c) < 0 {
			at = i + 1
		}
	}
	e.line = slices.Insert(e.line, at, c)
	e.number()
}

// after is the end of those in line from a place on of which something is true.
func (e *Engine) after(from int, is func(*class) bool) int {
	for from < len(e.line) && is(e.line[from]) {
		from++
	}
	return from
}

// between is where in a part of the line the class would go: behind the last of its tree that it does not go before by fair share.
func (e *Engine) between(c *class, from, to int) (int, int) {
	root := c.lane.queue.root()
	for i := to; i > from; i-- {
		switch other := e.line[i-1]; {
		case other.lane.queue.root() != root:
		case goesBefore(c, other):
			to = i - 1
		default:
			return i, to
		}
	}
	return from, to
}

func (e *Engine) number() {
	for i, c := range e.line {
		c.place = i + 1
	}
}

// stayInLine takes a class out of the line that has no reservation, and whose turn it is not.
func (e *Engine) stayInLine(c *class) {
	if c.place > 0 && c.reservation == nil && !e.isNominee(c) {
		e.leaveLine(c)
	}
}

func (e *Engine) leaveLine(c *class) {
	e.line = slices.Delete(e.line, c.place-1, c.place)
	c.place = 0
	e.number()
}

// growOldInterval is how often it is looked who has been the next of its queue for so long that fair share does not count any more.
const growOldInterval = time.Minute

// growOld has those go first that have been next for long enough, now and then.
func (e *Engine) growOld(now time.Time) {
	if now.Sub(e.grewOld) < growOldInterval {
		return
	}
	e.grewOld = now
	for _, c := range slices.Clone(e.line) {
		if c.reservation != nil {
			e.isNext(c, now)
		}
		if !c.late && e.isLate(c) {
			e.leaveLine(c)
			e.lineUp(c, false)
			e.makeReady(c)
		}
	}
	for _, q := range e.queues {
		if len(q.blocked) > 0 {
			e.hungry[q.root()] = struct{}{}
		}
	}
}

// isLate reports whether fair share does not count any more for a class, as its first job has been the next of its queue for so long.
func (e *Engine) isLate(c *class) bool {
	most := e.maxAge(c)
	return most == 0 || !c.turn.IsZero() && !e.lastDecided.Before(c.turn.Add(most))
}

// maxAge is for how long fair share counts in the class's tree.
func (e *Engine) maxAge(c *class) time.Duration {
	if own := c.lane.queue.root().MaxAge; own != nil {
		return *own
	}
	return e.options.MaxAge
}

// isNext notes that it is the class's turn in its queue. It is not that of who only is looked at as nothing can be kept for another one of the
// queue in this round, nor of who could not start if others were not there, as far as
// that is known: it is not before the first decisions.
func (e *Engine) isNext(c *class, now time.Time) {
	q := c.lane.queue
	for other := range e.refused {
		if other.lane.queue == q {
			return
		}
	}
	switch {
	case e.maxAge(c) == 0 || !c.turn.IsZero() || q.reserved != nil && q.reserved != c || !c.busy && !e.tookOver:
	case e.tookOver: // for how long it has been so is not known
		c.turn = c.first().Since
	default:
		c.turn = now
	}
}

// older compares classes that are late: by since when they have been next, or wait where that does not count in their tree.
func older(a, b *class) int {
	return cmp.Or(a.since().Compare(b.since()), inOrder(a.first(), b.first()))
}

func (c *class) since() time.Time {
	if c.turn.IsZero() {
		return c.first().Since
	}
	return c.turn
}

// compareRank compares two classes by what others cannot gain by using less: priority, and who is late.
func compareRank(a *class, late bool, b *class, otherLate bool) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), compareBool(b.overdue, a.overdue), compareBool(otherLate, late))
}

// compareRanks does so as they are now, in line or not, and by how old they are where they are late.
func (e *Engine) compareRanks(a, b *class) int {
	late, otherLate := e.isLate(a), e.isLate(b)
	order := compareRank(a, late, b, otherLate)
	if order == 0 && late {
		order = older(a, b)
	}
	return order
}

// sooner reports whether it is the turn of one class before that of another of its tree: of one that others give way to, then by rank,
// and then by fair share.
func (e *Engine) sooner(a, b *class) bool {
	order := cmp.Or(compareBool(b.paid, a.paid), e.compareRanks(a, b))
	return order < 0 || order == 0 && goesBefore(a, b)
}

// inLine compares classes in line by who goes first: to whom others give way, then by their place.
func inLine(a, b *class) int {
	return cmp.Or(compareBool(b.paid, a.paid), cmp.Compare(a.place, b.place))
}
