package scheduling

import (
	"slices"
	"time"
)

// reservation is what is kept for a waiting job: nodes and quota, from the time on at which it can start if all others run
// for as long as they may. A job that has ended by then may use them meanwhile, and any other only what is left of them.
type reservation struct {
	// at is when the job starts at the latest; never where somebody whose end is not known has to end before.
	at time.Time
	// imminent reports that all that has to end before is being ended.
	imminent bool
	// made is when it was worked out, outdated whether jobs ended since that may bring it nearer, broken whether one of its
	// nodes is gone.
	made             time.Time
	outdated, broken bool
	holds            []*hold
	bounds           []heldBound
}

// heldBound is what a reservation leaves of a bound of the quota tree.
type heldBound struct {
	bind
	left int64
}

// mayReserve reports whether the tree has room for a reservation more, and the class's queue has none.
func (e *Engine) mayReserve(c *class) bool {
	q := c.lane.queue
	return q.reserved == nil && e.reservations(q.root()) < e.options.Reservations
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

// outdate marks the reservations that the end of a job can bring nearer.
func (e *Engine) outdate(r *running) {
	for _, head := range e.heads {
		if r.queue != nil && head.lane.queue.root() == r.queue.root() || head.reservation.on(r.on) {
			head.reservation.outdated = true
		}
	}
}

// renew looks again at outdated reservations, at each only so often: that goes through all jobs that run. It tells when the
// next is due; zero for none.
func (e *Engine) renew(now time.Time) (next time.Time) {
	for _, head := range e.heads {
		if !head.reservation.outdated {
			continue
		}
		switch due := head.reservation.made.Add(e.options.Renewal); {
		case !due.After(now):
			e.makeReady(head)
		case next.IsZero() || due.Before(next):
			next = due
		}
	}
	return next
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
	w := whatIf{engine: e, class: c, end: c.end(now)}
	defer w.undo()
	if !w.releaseUntilItFits(e.relevant(c)) {
		return
	}
	r := &reservation{at: now, made: now}
	if last := w.last(); last != nil {
		switch {
		case last.Ending:
			r.imminent = true
		case last.End.IsZero():
			r.at = never
		case last.End.After(now):
			r.at = last.End
		}
	}
	trial := &running{Running: Running{User: c.lane.user, Replica: c.replica}, queue: c.lane.queue, uses: w.found.uses, on: w.found.shares}
	e.hold(trial)
	for _, u := range trial.uses {
		trial.queue.binds(trial.User, use{u.of, 1}, func(b bind, _ int64) {
			r.bounds = append(r.bounds, heldBound{b, b.room()})
		})
	}
	for _, s := range trial.on {
		r.holds = append(r.holds, &hold{on: s.node, from: r.at, left: s.node.free})
	}
	e.release(trial)
	w.undo()
	e.keep(c, r)
}

// relevant are the running jobs whose end could let the class's job start, those first that end first.
func (e *Engine) relevant(c *class) []*running {
	groups := map[*group]bool{}
	for _, model := range e.modelsOf(c) {
		for _, g := range e.groupsFor(c, model) {
			groups[g] = true
		}
	}
	root := c.lane.queue.root()
	var all []*running
	for _, r := range e.byEnd.items {
		if len(r.on) > 0 && groups[r.on[0].node.group] || r.queue != nil && r.queue.root() == root {
			all = append(all, r)
		}
	}
	return all
}

// whatIf releases running jobs in the ledger, to see whether a waiting one would start then.
type whatIf struct {
	engine   *Engine
	class    *class
	end      time.Time
	released []*running
	found    attempt
}

func (w *whatIf) release(r *running) {
	w.engine.release(r)
	w.released = append(w.released, r)
}

func (w *whatIf) takeBack() {
	last := len(w.released) - 1
	w.engine.hold(w.released[last])
	w.released = w.released[:last]
}

func (w *whatIf) undo() {
	for len(w.released) > 0 {
		w.takeBack()
	}
}

func (w *whatIf) last() *running {
	if len(w.released) == 0 {
		return nil
	}
	return w.released[len(w.released)-1]
}

// fits reports whether the job would start now, and remembers how.
func (w *whatIf) fits() bool {
	e, c := w.engine, w.class
	total := c.replica.Times(c.replicas)
	for _, model := range e.modelsOf(c) {
		all := uses(total, e.model(model))
		if _, short := c.lane.queue.shortFor(c.lane.user, all); short {
			continue
		}
		if behind, _ := e.heldByQuota(c, all, w.end); behind != nil {
			continue
		}
		if shares := e.place(c, model, w.end); shares != nil {
			w.found = attempt{model: model, uses: all, shares: shares}
			return true
		}
	}
	return false
}

// releaseUntilItFits releases as few of the jobs as will do, from the first on. More room never hurts, so the number is
// found by doubling and halving.
func (w *whatIf) releaseUntilItFits(jobs []*running) bool {
	fails, n := -1, 0
	for !w.with(jobs, n) {
		if n == len(jobs) {
			return false
		}
		fails, n = n, min(max(1, 2*n), len(jobs))
	}
	for n-fails > 1 {
		if middle := (fails + n) / 2; w.with(jobs, middle) {
			n = middle
		} else {
			fails = middle
		}
	}
	return w.with(jobs, n)
}

// with reports whether the job fits with the first n of the jobs released.
func (w *whatIf) with(jobs []*running, n int) bool {
	for len(w.released) > n {
		w.takeBack()
	}
	for len(w.released) < n {
		w.release(jobs[len(w.released)])
	}
	return w.fits()
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

// leavesMoreThan reports whether somebody who was held back by the old reservation may not be by this one.
func (r *reservation) leavesMoreThan(old *reservation) bool {
	if r.at.After(old.at) || len(r.holds) != len(old.holds) || len(r.bounds) != len(old.bounds) {
		return true
	}
	for i, h := range r.holds {
		if o := old.holds[i]; h.on != o.on || h.left != o.left && !h.left.Fits(o.left) {
			return true
		}
	}
	for i, b := range r.bounds {
		if o := old.bounds[i]; b.bind != o.bind || b.left > o.left {
			return true
		}
	}
	return false
}

// wakeHeldBack makes those ready who waited for the class's reservation.
func (e *Engine) wakeHeldBack(c *class) {
	for other := range c.heldBack {
		e.makeReady(other)
	}
	c.heldBack = nil
}

// heldByQuota is the first class whose reservation leaves too little of a quota for the uses of a job that ends at a time,
// with the bound that it is about.
func (e *Engine) heldByQuota(c *class, all []use, end time.Time) (*class, bindNeed) {
	for _, head := range e.heads {
		r := head.reservation
		if head == c || !end.After(r.at) {
			continue
		}
		for _, b := range r.bounds {
			for _, u := range all {
				if u.of == b.of && u.n > b.left && b.concerns(c.lane) {
					return head, bindNeed{b.bind, u.n}
				}
			}
		}
	}
	return nil, bindNeed{}
}

// concerns reports whether the bound is on jobs of the lane.
func (b bind) concerns(l *lane) bool {
	return (b.user == "" || b.user == l.user) && l.queue.within(b.queue)
}

// heldByNodes are the classes whose reservations alone keep the class's job off the nodes.
func (e *Engine) heldByNodes(c *class, model string) []*class {
	if e.place(c, model, time.Time{}) == nil { // so early that no reservation counts
		return nil
	}
	var holders []*class
	for _, head := range e.heads {
		for _, h := range head.reservation.holds {
			if h.on.group.takes(c, model) {
				holders = append(holders, head)
				break
			}
		}
	}
	return holders
}

// heldAgainst takes what a job that starts will still hold at their time from what the reservations leave, and returns which
// these are.
func (e *Engine) heldAgainst(c *class, found attempt, now time.Time) (counted []*reservation) {
	end := c.end(now)
	for _, head := range e.heads {
		if r := head.reservation; end.After(r.at) {
			r.leave(c.lane, found.uses, c.replica, found.shares, -1)
			counted = append(counted, r)
		}
	}
	return counted
}

// givenBack gives back to the reservations what a job that has ended took of what they leave.
func (e *Engine) givenBack(r *running) {
	for _, head := range slices.Clone(e.heads) {
		if slices.Contains(r.counted, head.reservation) {
			head.reservation.leave(r.queue.lane(r.User), r.uses, r.Replica, r.on, 1)
			e.wakeHeldBack(head)
		}
	}
}

// leave leaves more to others, or less, by what a job of a lane uses.
func (r *reservation) leave(l *lane, all []use, replica Amounts, on []share, sign int64) {
	for i := range r.bounds {
		for _, u := range all {
			if b := &r.bounds[i]; u.of == b.of && b.concerns(l) {
				b.left += sign * u.n
			}
		}
	}
	for _, h := range r.holds {
		for _, s := range on {
			if s.node == h.on {
				h.left = h.left.Plus(replica.Times(sign * s.replicas))
			}
		}
	}
}
