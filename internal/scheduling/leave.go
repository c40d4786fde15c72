package scheduling

import (
	"slices"
	"time"
)

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

// wakeHeldBack has all looked at that wait for the class's reservation, those too that were looked at in this round.
func (e *Engine) wakeHeldBack(c *class) {
	for _, p := range c.heldBack {
		if len(p.races) > 0 {
			p.all = true
			e.open(p)
		}
	}
	for _, looked := range e.looked {
		if slices.ContainsFunc(looked.parked, func(at place) bool { return at.park.behind == c }) {
			e.makeReady(looked)
		}
	}
}

// heldBy is what a class is held back by: whose reservation, and what it would have to leave more of.
type heldBy struct {
	head  *class
	bound bind
	need  need
}

// heldByQuota is the first reservation that leaves too little of a quota for the uses of a job that ends at a time, and those that take a part
// of it as well; nobody where none does.
func (e *Engine) heldByQuota(c *class, all []use, end time.Time) (by []heldBy) {
	for _, head := range e.heads {
		r := head.reservation
		if head == c || !end.After(r.at) || !c.waitsBehind(head) {
			continue
		}
		r.counts(c.lane.queue, c.lane.user, all, func(i int, n int64) {
			if b := &r.bounds[i]; len(by) == 0 && n > e.leaves(head, i, c.waitsBehind) {
				by = append(by, heldBy{head, b.bind, need{n: n}})
				for _, other := range e.beside(head, c.waitsBehind) {
					by = append(by, heldBy{other, b.bind, need{n: n}})
				}
			}
		})
		if len(by) > 0 {
			break
		}
	}
	return by
}

// covers reports whether what is kept is in use at a time; nobody knows that where it is not known when the job starts.
func (r *reservation) covers(at time.Time) bool {
	return r.at.Before(never) && !r.at.After(at) && r.until.After(at)
}

// partsFrom reports whether what was kept for the class was in use at the same time as what is kept for another one, and is not any more
// when one of the two begins: who waits for both may not have to.
func (e *Engine) partsFrom(c *class, old *reservation) bool {
	now := c.reservation
	return slices.ContainsFunc(e.heads, func(other *class) bool {
		o := other.reservation
		return other != c && (old.covers(o.at) && !now.covers(o.at) || o.covers(old.at) && !o.covers(now.at))
	})
}

// beside are the others of the tree that count of those whose reservation is in use when that of the class begins.
func (e *Engine) beside(head *class, counts func(*class) bool) (others []*class) {
	at := head.reservation.at
	for _, other := range e.heads {
		if other != head && other.lane.queue.root() == head.lane.queue.root() && other.reservation.covers(at) && counts(other) {
			others = append(others, other)
		}
	}
	return others
}

// leaves is what there is at a bound of the class's reservation when that begins, beside it and those others that count.
func (e *Engine) leaves(head *class, i int, counts func(*class) bool) int64 {
	b := &head.reservation.bounds[i]
	left := b.left
	for _, other := range e.beside(head, counts) {
		for j := range other.reservation.bounds {
			if o := &other.reservation.bounds[j]; o.bind == b.bind {
				left -= o.takes
			}
		}
	}
	return left
}

// hasRoom reports whether there is room for what is kept for the class beside what is kept for those before it in line, as long as it
// is there.
func (e *Engine) hasRoom(head *class) bool {
	counts := func(other *class) bool { return other == head || inLine(other, head) < 0 }
	r := head.reservation
	during := func(other *class) bool {
		return other == head || counts(other) && r.covers(other.reservation.at)
	}
	for _, h := range r.holds {
		for _, o := range h.on.holds {
			if during(o.of) && !h.takes.Fits(o.leaves(counts).Plus(h.takes)) { // less than nothing of what it takes is left
				return false
			}
		}
	}
	for _, other := range e.heads {
		if other.lane.queue.root() != head.lane.queue.root() || !during(other) {
			continue
		}
		for i, o := range other.reservation.bounds {
			takes := slices.ContainsFunc(r.bounds, func(b heldBound) bool { return b.bind == o.bind && b.takes > 0 })
			if takes && e.leaves(other, i, counts) < 0 {
				return false
			}
		}
	}
	return true
}

// counts visits the bounds of the reservation with what would count there of further uses: beside its own job, which may use what
// is guaranteed on the way.
func (r *reservation) counts(q *queue, user string, all []use, visit func(i int, n int64)) {
	if q == nil || q.root() != r.job.queue.root() {
		return
	}
	r.job.queue.hold(r.job.User, r.job.uses)
	defer r.job.queue.release(r.job.User, r.job.uses)
	for _, u := range all {
		q.binds(user, u, func(at bind, n int64) {
			if i := slices.IndexFunc(r.bounds, func(b heldBound) bool { return b.bind == at }); i >= 0 {
				visit(i, n)
			}
		})
	}
}

// heldByNodes are the reservations that alone keep the class's job off the nodes.
func (e *Engine) heldByNodes(c *class, model string) []heldBy {
	if e.place(c, model, time.Time{}) == nil { // so early that no reservation counts
		return nil
	}
	var holders []heldBy
	for _, head := range e.heads {
		for _, h := range head.reservation.holds {
			if h.on.group.takes(c, model) && c.waitsBehind(head) {
				holders = append(holders, heldBy{head: head, need: need{replica: c.replica}})
				break
			}
		}
	}
	return holders
}

// leavesRoom reports whether the reservation leaves as much as is needed of a bound, or of a node.
func (r *reservation) leavesRoom(of bind, n need) bool {
	if of.queue == nil {
		return slices.ContainsFunc(r.holds, func(h *hold) bool { return n.replica.Fits(h.left.least(h.on.free)) })
	}
	return slices.ContainsFunc(r.bounds, func(b heldBound) bool { return b.bind == of && n.n <= b.left })
}

// takenFrom takes what a job that is about to be counted in will still hold at their time from what the reservations leave. In quotas
// that is no less than what counts then, when others have ended. One of which it takes what was kept, as it passes it, is worked out
// anew.
func (e *Engine) takenFrom(r *running) {
	var concerned []*class
	for _, head := range e.heads {
		kept := head.reservation
		if r.queue != nil && r.queue.root() == head.lane.queue.root() && head.lane.queue.displaces() {
			kept.outdated = true // it may be somebody who gives way, or make others such
		}
		if !r.until().After(kept.at) {
			kept.gone[r] = struct{}{}
			continue
		}
		took := kept.takes(r)
		kept.since[r] = took
		if kept.leave(r, took, -1) {
			concerned = append(concerned, head)
		}
	}
	for _, head := range concerned {
		if !e.hasRoom(head) {
			e.replan(head)
		}
	}
}

// replan has a reservation worked out anew that cannot be kept.
func (e *Engine) replan(head *class) {
	head.reservation.broken = true
	e.makeReady(head)
}

// pushAside has those worked out anew that come after the class in line, and for whom there is no place beside what is kept for it now, if
// anything is.
func (e *Engine) pushAside(c *class) {
	ours := c.reservation
	if ours == nil {
		return
	}
	for _, head := range e.heads {
		theirs := head.reservation
		if together := ours.until.After(theirs.at) && theirs.until.After(ours.at); together && inLine(c, head) < 0 && !e.hasRoom(head) {
			e.replan(head)
		}
	}
}

// takes is what a job would count at each of the bounds of the reservation.
func (r *reservation) takes(of *running) []int64 {
	took := make([]int64, len(r.bounds))
	r.counts(of.queue, of.User, of.uses, func(i int, n int64) { took[i] = n })
	return took
}

// givenBack adds what a job held that has ended to what the reservations leave.
func (e *Engine) givenBack(r *running) {
	for _, head := range e.heads {
		kept := head.reservation
		if _, gone := kept.gone[r]; gone {
			delete(kept.gone, r)
			continue
		}
		took := kept.took(r)
		delete(kept.since, r)
		kept.leave(r, took, 1)
		for i, n := range took {
			if n > 0 {
				e.open(head.heldBack[kept.bounds[i].bind])
			}
		}
		if kept.on(r.on) {
			e.open(head.heldBack[bind{}])
		}
	}
}

// suppose leaves to others what a job holds that has ended after the reservation begins, or takes that back.
func (r *reservation) suppose(ended *running, sign int64) {
	_, gone := r.gone[ended]
	switch {
	case gone:
	case ended.queue != nil && ended.queue.root() == r.job.queue.root():
		r.leave(ended, r.took(ended), sign)
	default: // its quota does not count there
		r.leave(ended, nil, sign)
	}
}

// took is what a job that runs counts at the bounds of the reservation, at the least.
func (r *reservation) took(of *running) []int64 {
	if took, since := r.since[of]; since {
		return took
	}
	return r.least(of)
}

// leave leaves more to others, or less, by what a job holds on nodes and by amounts of the bounds; it reports whether that is anything.
func (r *reservation) leave(of *running, amounts []int64, sign int64) (some bool) {
	for i, n := range amounts {
		r.bounds[i].left += sign * n
		some = some || n != 0
	}
	for _, h := range r.holds {
		for _, s := range of.on {
			if s.node == h.on {
				h.left = h.left.Plus(of.Replica.Times(sign * s.replicas))
				some = true
			}
		}
	}
	return some
}

// least is how much a job that ran before the reservation was made counts at its bounds at the least.
func (r *reservation) least(of *running) []int64 {
	least := make([]int64, len(r.bounds))
	for i := range r.bounds {
		b := r.bounds[i].bind
		if of.queue == nil || b.user != "" && b.user != of.User || !of.queue.within(b.queue) {
			continue
		}
		for _, u := range of.uses {
			if u.of != b.of {
				continue
			}
			least[i] = u.n
			if b.user != "" || b.of == dimJobs {
				continue
			}
			for at := of.queue; at != b.queue; at = at.parent { // what is guaranteed on the way takes off no more than that
				least[i] = max(0, least[i]-at.bounds[b.of].guaranteed)
			}
		}
	}
	return least
}

// setForeign notes what the pods of others hold of a node now. Reservations leave as much less of it, or more.
func (e *Engine) setForeign(n *node, holds Amounts) {
	more := holds.Minus(n.Foreign)
	n.Foreign = holds
	n.take(more)
	for _, head := range e.heads {
		for _, h := range head.reservation.holds {
			if h.on == n {
				h.left = h.left.Minus(more)
				e.open(head.heldBack[bind{}])
			}
		}
	}
	e.freedOn(n)
	e.outdateOn(n)
}
