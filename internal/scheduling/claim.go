package scheduling

import (
	"cmp"
	"time"
)

// claim keeps what the class's job needs from the time on at which it can start, and makes room for it where it may. It does so only
// for who is next in line, or had a reservation before, which is given.
func (e *Engine) claim(c *class, old *reservation, now time.Time, d *Decisions) {
	if until := e.patientUntil(c); now.Before(until) {
		e.bePatient(c, until)
		return
	}
	yields, may := e.mayReserve(c)
	if !may {
		return
	}
	if c.place == 0 {
		e.hungry[c.lane.queue.root()] = struct{}{}
		return
	}
	var theirs *reservation
	if yields != nil {
		theirs = e.dropReservation(yields)
	}
	e.reserveNoLater(c, old, now)
	if c.reservation == nil {
		if theirs != nil {
			e.keep(yields, theirs)
		}
		e.refuse(c)
		return
	}
	e.isNext(c, now)
	if theirs != nil {
		e.stayInLine(yields)
		e.released(yields)
	}
	if c.reservation.imminent || !c.lane.queue.displaces() {
		e.pay(c, c.paid && c.reservation.imminent)
		return
	}
	e.dropReservation(c)
	victims, later := e.displace(c, now)
	e.pay(c, len(victims) > 0)
	for _, v := range victims {
		v.For = c.first().Key
		d.Displaced = append(d.Displaced, v)
		e.end(v)
	}
	e.reserveNoLater(c, old, now)
	if c.reservation != nil {
		c.reservation.later = later
	}
}

// pay notes whether others give way to the class. Where they do not any more, it yields to those who come before it.
func (e *Engine) pay(c *class, paid bool) {
	if c.paid && !paid {
		e.hungry[c.lane.queue.root()] = struct{}{}
	}
	c.paid = paid
}

// patience is until when a class waits before others are held back for it.
type patience struct {
	until time.Time
	class *class
}

func comparePatience(a, b patience) int {
	return cmp.Or(a.until.Compare(b.until), cmp.Compare(a.class.id, b.class.id))
}

// losePatience looks for those that have waited long enough for others to be held back for them.
func (e *Engine) losePatience(now time.Time) {
	for len(e.patient.items) > 0 && !e.patient.items[0].until.After(now) {
		c := e.patient.items[0].class
		e.losesPatience(c)
		if _, waits := c.lane.queue.blocked[c]; !waits || c.reservation != nil {
			continue
		}
		if until := e.patientUntil(c); now.Before(until) { // its first job is another one now
			e.bePatient(c, until)
		} else if _, may := e.mayReserve(c); may {
			e.hungry[c.lane.queue.root()] = struct{}{}
		}
	}
}

func (e *Engine) losesPatience(c *class) {
	if !c.patient.IsZero() {
		e.patient.remove(patience{c.patient, c})
		c.patient = time.Time{}
	}
}

// bePatient has a class looked at when others may be held back for it.
func (e *Engine) bePatient(c *class, until time.Time) {
	if c.patient.Equal(until) {
		return
	}
	e.losesPatience(c)
	c.patient = until
	e.patient.insert(patience{until, c})
}
