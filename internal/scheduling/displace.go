package scheduling

import (
	"cmp"
	"slices"
	"time"
)

// displace plans which running jobs give way to the class's job, all at once: it starts when they have ended, and it would
// not without any one of them. The plan is empty where there is no such plan. later is when a job may have to give way that need not
// now; zero for none.
func (e *Engine) displace(c *class, now time.Time) (victims []Displacement, later time.Time) {
	var candidates []*victim
	for _, r := range e.relevant(c) {
		if r.Ending {
			continue
		}
		v := e.victim(c, r)
		if v == nil {
			continue
		}
		justStarted := r.decided == e.decided
		if !justStarted && !v.from.After(now) {
			candidates = append(candidates, v)
		} else {
			later = earlier(later, v.from)
		}
	}
	if len(candidates) == 0 {
		return nil, later
	}
	// The lowest priority goes first, and of equal ones who has done the least work that would be lost.
	slices.SortFunc(candidates, func(a, b *victim) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), compareBool(b.Starting, a.Starting), b.Start.Compare(a.Start), cmp.Compare(a.Key, b.Key))
	})
	w := whatIf{engine: e, class: c, now: now, atOnce: true, ahead: e.ahead(c)}
	defer w.undo()
	for _, r := range e.byEnd.items { // what is being ended comes free without anybody else's end
		if !r.ends() {
			break
		}
		w.release(r)
	}
	for _, v := range w.plan(candidates) {
		victims = append(victims, Displacement{Key: v.Key, Reclaimed: !v.lower, Turn: v.turn})
	}
	return victims, later
}

// victim is a running job that may be displaced.
type victim struct {
	*running
	// lower reports that it may be for its priority, or because its turn is over; otherwise it may be because its quota has
	// borrowed what it runs on.
	lower bool
	// turn reports that it may be for its turn alone.
	turn bool
	// mine and theirs are the quotas right below the nearest common one, on the side of the waiting job and of this one; nil
	// where one of the two is above the other.
	mine, theirs *queue
	// borrowed reports that theirs had borrowed.
	borrowed bool
	// from is when it may be displaced.
	from time.Time
}

// displaces reports whether jobs of the queue may displace any others at all.
func (q *queue) displaces() bool {
	for at := q; at != nil; at = at.parent {
		if p := at.Preemption; p.LowerPriority != NoVictims || p.Reclaim != NoVictims || p.Quantum > 0 {
			return true
		}
	}
	return false
}

// victim says whether, why and from when on a running job may be displaced by the class's. Of a time that counts from when it runs,
// nothing can be told before it does.
func (e *Engine) victim(c *class, r *running) *victim {
	if r.queue == nil || r.queue.root() != c.lane.queue.root() {
		return nil
	}
	safe := r.Start
	for q := r.queue; q != nil; q = q.parent {
		if r.Starting && q.Preemption.MinRun > 0 {
			return nil
		}
		if until := r.Start.Add(q.Preemption.MinRun); until.After(safe) {
			safe = until
		}
	}
	v := &victim{running: r, from: safe}
	reclaims, turn := NoVictims, time.Duration(0)
	for q := c.lane.queue; q != nil; q = q.parent {
		p := q.Preemption
		if reclaims == NoVictims {
			reclaims = p.Reclaim
		}
		if r.queue.within(q) {
			if p.Quantum > 0 && r.Preemptible && r.Priority == c.priority && (turn == 0 || p.Quantum < turn) {
				turn = p.Quantum
			}
			v.lower = v.lower || r.Priority < c.priority && p.LowerPriority.include(r)
		}
	}
	v.mine, v.theirs = sides(c.lane.queue, r.queue)
	v.borrowed = v.theirs != nil && r.onBorrowed(v.theirs)
	if v.lower || v.borrowed && reclaims.include(r) {
		return v
	}
	if turn == 0 || r.Starting {
		return nil
	}
	v.lower, v.turn = true, true
	if over := r.Start.Add(turn); over.After(safe) {
		v.from = over
	}
	return v
}

// sides are the queues right below the nearest common one on the ways to the two; nil where one is above the other.
func sides(a, b *queue) (mine, theirs *queue) {
	for mine = a; mine.parent != nil; mine = mine.parent {
		for theirs = b; theirs.parent != nil; theirs = theirs.parent {
			if mine.parent == theirs.parent && mine != theirs {
				return mine, theirs
			}
		}
	}
	return nil, nil
}

// onBorrowed reports whether the job may run on what the quota has borrowed: not if one on the way to it has that of its own.
func (r *running) onBorrowed(by *queue) bool {
	return slices.ContainsFunc(r.uses, func(u use) bool {
		for at := r.queue; at != by.parent; at = at.parent {
			if !at.borrows(u.of, 0) {
				return false
			}
		}
		return true
	})
}
