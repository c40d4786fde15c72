package scheduling

import (
	"slices"
	"time"
)

// reservation is what is kept for a waiting job: nodes and quota, from the time on at which it can start if all others run
// for as long as they may. A job that has ended by then may use them meanwhile, and any other only what is left of them.
type reservation struct {
	// at is when the job starts at the latest; never where somebody whose end is not known has to end before. If it starts then, it has
	// ended by until.
	at, until time.Time
	// imminent reports that all that has to end before is being ended.
	imminent bool
	// made is when it was worked out, outdated whether jobs ended since that may bring it nearer, broken whether one of its
	// nodes is gone.
	made             time.Time
	outdated, broken bool
	// later is when somebody may have to give way who need not now; zero for nobody.
	later time.Time
	// job is what is held for it then; holds and bounds are what that leaves.
	job    *running
	holds  []*hold
	bounds []heldBound
	// follows are those to whom others give way that come later in line: it begins when they have ended, so that they need not wait for it.
	follows []*class
	// gone are jobs that run and will have ended by then, so that what they hold is in what is left.
	gone map[*running]struct{}
	// since are jobs that started since it was made and will not have ended, with what they took of each bound.
	since map[*running][]int64
}

// heldBound is what a reservation takes of a bound of the quota tree, and what that leaves, as if there were no other reservations.
type heldBound struct {
	bind
	takes, left int64
}

// mayReserve reports whether the class may have a reservation: the tree has room for one more, and its queue has none, or one of a
// class that comes after it yields to it.
func (e *Engine) mayReserve(c *class) (yields *class, may bool) {
	q := c.lane.queue
	switch {
	case q.reserved != nil:
		yields = q.reserved
	case e.reservations(q.root()) < e.options.Reservations:
		return nil, true
	default:
		yields = e.lastOf(q.root())
	}
	return yields, yields != nil && !yields.paid && e.compareRanks(c, yields) < 0
}

// reservations is how many there are in a tree.
func (e *Engine) reservations(root *queue) (count int) {
	for _, head := range e.heads {
		if head.lane.queue.root() == root {
			count++
		}
	}
	return count
}

// lastOf is who of those with a reservation in a tree comes last, of those that yield to anybody; nil for none.
func (e *Engine) lastOf(root *queue) (last *class) {
	for _, head := range e.heads {
		if !head.paid && head.lane.queue.root() == root && (last == nil || head.place > last.place) {
			last = head
		}
	}
	return last
}

// outdate marks the reservations that the end of a job can bring nearer.
func (e *Engine) outdate(r *running) {
	for _, head := range e.heads {
		if r.queue != nil && head.lane.queue.root() == r.queue.root() || head.reservation.on(r.on) {
			head.reservation.outdated = true
		}
	}
}

// outdateOn marks the reservations that a change of the room on a node may concern: they may come nearer, or not be held.
func (e *Engine) outdateOn(n *node) {
	for _, head := range e.heads {
		if slices.ContainsFunc(e.modelsOf(head), func(model string) bool { return n.group.takes(head, model) }) {
			head.reservation.outdated = true
		}
	}
}

// countedOn has those looked at again that count on others being ended, as one of these goes on.
func (e *Engine) countedOn() {
	for _, head := range e.heads {
		if head.reservation.imminent {
			e.makeReady(head)
		}
	}
}

// renewalsAtOnce is how many reservations are looked at again at a time, where there are many trees: the others are when the next decisions are
// made, at once.
const renewalsAtOnce = 8

// renew looks again at outdated reservations, and at those for which somebody may have to give way now, at each only so often: that
// goes through all jobs that run. It tells when the next is due; zero for none.
func (e *Engine) renew(now time.Time) (next time.Time) {
	var due []*class
	for _, head := range e.heads {
		switch at := head.reservation.due(e.options.Renewal); {
		case at.IsZero():
		case !at.After(now):
			due = append(due, head)
		default:
			next = earlier(next, at)
		}
	}
	slices.SortStableFunc(due, func(a, b *class) int { return a.reservation.made.Compare(b.reservation.made) })
	for i, head := range due {
		if i == renewalsAtOnce {
			return now
		}
		e.makeReady(head)
		next = earlier(next, now.Add(e.options.Renewal))
	}
	return next
}

// due is when the reservation is looked at again though nobody starts or ends; zero for never.
func (r *reservation) due(renewal time.Duration) time.Time {
	soonest := r.made.Add(renewal)
	switch {
	case r.outdated:
		return soonest
	case r.later.IsZero() || r.later.After(soonest):
		return r.later
	}
	return soonest
}

// keeps reports whether the reservation can stay as it is where its job was looked at and did not start.
func (e *Engine) keeps(r *reservation, now time.Time) bool {
	return !r.broken && !r.imminent && r.at.After(now) && now.Before(r.made.Add(e.options.Renewal))
}

// keep puts a reservation back.
func (e *Engine) keep(c *class, r *reservation) {
	c.reservation, c.lane.queue.reserved = r, c
	e.heads = append(e.heads, c)
	for _, h := range r.holds {
		h.on.holds = append(h.on.holds, h)
	}
}

func (r *reservation) on(shares []share) bool {
	for _, h := range r.holds {
		for _, s := range shares {
			if h.on == s.node {
				return true
			}
		}
	}
	return false
}

// reserve finds the first time at which the class's job can start, from the ends of the jobs that run, and keeps what it
// needs from then on.
func (e *Engine) reserve(c *class, now time.Time) {
	w := whatIf{engine: e, class: c, now: now, ahead: e.ahead(c)}
	defer w.undo()
	ends := sortedBy[*running]{items: e.relevant(c), compare: compareEnds}
	for _, kept := range w.ahead {
		if kept.until.Before(never) { // what it will have used then is there again: of itself it holds nothing now
			ends.insert(&running{Running: Running{End: kept.until}})
		}
	}
	relevant := ends.items
	if !w.releaseUntilItFits(relevant) {
		return
	}
	last, at := w.last(), w.at()
	// Who has ended by then as well leaves what it held to others; who should have ended by now does so when it has.
	for _, other := range relevant[len(w.released):] {
		if !other.ends() && (!other.known() || other.End.After(at) || !at.After(now)) {
			break
		}
		w.release(other)
	}
	r := &reservation{
		at: at, until: c.end(at), imminent: last != nil && last.ends(), made: now, gone: make(map[*running]struct{}, len(w.released)), since: map[*running][]int64{},
	}
	for _, other := range w.released {
		r.gone[other] = struct{}{}
	}
	for _, head := range e.heads {
		if head.paid && c.place > 0 && c.place < head.place && !head.reservation.until.After(at) {
			r.follows = append(r.follows, head)
		}
	}
	r.job = &running{Running: Running{User: c.lane.user, Replica: c.replica}, queue: c.lane.queue, uses: w.found.uses, on: w.found.shares}
	for _, u := range r.job.uses {
		for at := r.job.queue; at != nil; at = at.parent {
			if at.users != nil && at.bounds[u.of].user < unlimited {
				r.bounds = append(r.bounds, heldBound{bind: bind{at, r.job.User, u.of}})
			}
			r.bounds = append(r.bounds, heldBound{bind: bind{queue: at, of: u.of}})
		}
	}
	for i := range r.bounds {
		r.bounds[i].takes = r.bounds[i].room()
	}
	e.hold(r.job)
	for i := range r.bounds {
		b := &r.bounds[i]
		b.left = b.room()
		b.takes -= b.left
	}
	for _, s := range r.job.on {
		r.holds = append(r.holds, &hold{of: c, on: s.node, from: r.at, takes: c.replica.Times(s.replicas), left: s.node.free})
	}
	e.release(r.job)
	w.undo()
	e.keep(c, r)
}

// reserveNoLater reserves, but leaves to the class what was kept for it before where nothing as early is found and that can be kept still:
// what reservations ahead leave is known by the time at which they begin alone, and more may be there later.
func (e *Engine) reserveNoLater(c *class, old *reservation, now time.Time) {
	e.reserve(c, now)
	if old == nil || old.broken || old.imminent || !old.at.After(now) || c.reservation != nil && !c.reservation.at.After(old.at) {
		return
	}
	for r := range old.gone {
		if !r.known() || r.End.After(old.at) {
			return
		}
	}
	found := e.dropReservation(c)
	e.keep(c, old)
	if e.hasRoom(c) {
		old.made, old.outdated = now, false
		return
	}
	e.dropReservation(c)
	if found != nil {
		e.keep(c, found)
	}
}

// relevant are the running jobs whose end could let the class's job start, those first that end first.
func (e *Engine) relevant(c *class) []*running {
	groups := e.groupsOf(c)
	root := c.lane.queue.root()
	var all []*running
	for _, r := range e.byEnd.items {
		onThem := slices.ContainsFunc(r.on, func(s share) bool { return groups[s.node.group] })
		if onThem || r.queue != nil && r.queue.root() == root {
			all = append(all, r)
		}
	}
	return all
}

// ahead are the reservations that a class waits behind, of those that it has to do with.
func (e *Engine) ahead(c *class) (all []*reservation) {
	groups := e.groupsOf(c)
	for _, head := range e.heads {
		r := head.reservation
		concerned := head.lane.queue.root() == c.lane.queue.root() || slices.ContainsFunc(r.holds, func(h *hold) bool { return groups[h.on.group] })
		if concerned && c.waitsBehind(head) {
			all = append(all, r)
		}
	}
	return all
}

// groupsOf are the groups on whose nodes a class's job may run, of any GPU model.
func (e *Engine) groupsOf(c *class) map[*group]bool {
	groups := map[*group]bool{}
	for _, model := range e.modelsOf(c) {
		for _, g := range e.groupsFor(c, model) {
			groups[g] = true
		}
	}
	return groups
}

// dropReservation gives free what is kept for the class.
func (e *Engine) dropReservation(c *class) *reservation {
	r := c.reservation
	if r == nil {
		return nil
	}
	for _, h := range r.holds {
		h.on.holds = slices.DeleteFunc(h.on.holds, func(other *hold) bool { return other == h })
	}
	c.reservation, c.lane.queue.reserved = nil, nil
	e.heads = slices.DeleteFunc(e.heads, func(other *class) bool { return other == c })
	return r
}
