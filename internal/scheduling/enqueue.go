package scheduling

import "time"

// SetWaiting adds a job that wants to start, or changes it.
func (e *Engine) SetWaiting(w Waiting) {
	w.Replica.Pods = 1
	had := turn{since: e.aside[w.Key]}
	if old := e.waiting[w.Key]; old != nil {
		if old.User == w.User && old.Quota == w.Quota && old.Since.Equal(w.Since) && old.shape() == w.shape() {
			return
		}
		had = old.turn()
	}
	e.RemoveWaiting(w.Key)
	e.RemoveRunning(w.Key)
	added := &waiting{Waiting: &w, Key: w.Key, Since: w.Since}
	e.waiting[w.Key] = added
	switch {
	case !e.stale:
		e.enqueue(added)
		e.owe(added, had)
	case had != turn{}:
		e.kept[w.Key] = had
	}
}

// enqueue puts a job into its lane.
func (e *Engine) enqueue(w *waiting) {
	q := e.queues[w.Quota]
	if q == nil {
		return
	}
	q.order.insert(w)
	l := q.lane(w.User)
	s := w.shape()
	c := l.classes[s]
	if c == nil {
		e.classes++
		c = &class{shape: s, lane: l, id: e.classes, jobs: sortedBy[*waiting]{compare: inOrder}}
		l.classes[s] = c
	}
	w.class = c
	if len(c.jobs.items) > 0 {
		w.Waiting = c.first().Waiting
	}
	c.jobs.insert(w)
	if kept, is := e.kept[w.Key]; is && !e.stale {
		e.resume(map[string]turn{w.Key: kept})
	}
	if _, is := e.undone[w.Key]; is {
		if c.returned++; c.returned == 1 {
			e.returned = append(e.returned, c)
		}
	}
	if c.first() == w {
		e.makeReady(c)
	}
	c.reorder()
}

// SetAside takes out a job that waits and may not start for a while.
func (e *Engine) SetAside(key string) {
	w := e.waiting[key]
	if w == nil {
		return
	}
	had := w.turn()
	if e.RemoveWaiting(key); !had.since.IsZero() {
		e.aside[key] = had.since
	}
}

// RemoveWaiting takes out a job that does not want to start any more.
func (e *Engine) RemoveWaiting(key string) {
	delete(e.aside, key)
	w := e.waiting[key]
	if w == nil {
		return
	}
	delete(e.waiting, key)
	if w.class != nil {
		e.dequeue(w)
	}
}

func (e *Engine) dequeue(w *waiting) {
	c := w.class
	c.lane.queue.order.remove(w)
	if len(c.jobs.items) > 1 {
		first := c.first() == w
		c.jobs.remove(w)
		c.reorder()
		if first {
			c.paid, c.turn = false, time.Time{}
			if e.forfeit(c) { // it was for that job: of the others, another class's may come first
				e.released(c)
				e.makeReady(c)
			} else {
				e.bePatient(c, e.patientUntil(c))
			}
		}
		return
	}
	c.setAside()
	c.unpark()
	c.jobs.remove(w)
	delete(c.lane.classes, c.shape)
	if e.forfeit(c) {
		e.released(c)
	}
	e.wakeHeldBack(c)
}

// forfeit takes from a class what was its first job's alone: its turn, its place in line and its reservation, if it had one.
func (e *Engine) forfeit(c *class) (reserved bool) {
	e.tookItsTurn(c)
	reserved = e.dropReservation(c) != nil
	e.stayInLine(c)
	return reserved
}
