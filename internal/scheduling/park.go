package scheduling

import (
	"cmp"
	"slices"
)

// park is the classes that wait for more of the same thing: of a bound of the quota tree, or of the nodes of a group, or of what a
// reservation leaves of one. Those that need as much of it are one race. When there is more, the first of those whose need could
// be met is looked at, then the next, for as long as there is something left: the others are not touched.
type park struct {
	id int
	// bound that the classes wait for; without a queue where it is nodes.
	bound bind
	// behind is for whom it is kept; nil where it is in use.
	behind *class
	races  []*race
	// opened reports that there is more since the last decisions; freed are the nodes on which there is, all that each class is to
	// be looked at, whatever it needs.
	opened, all bool
	freed       []*node
}

// need is how much of something a class waits for: so many of a bound, or a node that has room for a replica.
type need struct {
	n       int64
	replica Amounts
}

func compareNeeds(a, b need) int {
	return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.replica.GPUs, b.replica.GPUs), cmp.Compare(a.replica.MilliCPU, b.replica.MilliCPU),
		cmp.Compare(a.replica.Memory, b.replica.Memory), cmp.Compare(a.replica.Pods, b.replica.Pods))
}

// place is where a class is parked.
type place struct {
	park *park
	need need
	// seat is nil until the decisions are made in which the class was looked at: it is not looked at twice.
	seat *seat
}

// parkFor is where classes wait for more room at a bound.
func (e *Engine) parkFor(b bind) *park {
	p := b.queue.parks[b]
	if p == nil {
		p = e.newPark(b)
		b.queue.parks[b] = p
	}
	return p
}

// parkBehind is where classes wait for a reservation to leave more of a bound, or of nodes.
func (e *Engine) parkBehind(head *class, b bind) *park {
	p := head.heldBack[b]
	if p == nil {
		p = e.newPark(b)
		p.behind = head
		if head.heldBack == nil {
			head.heldBack = map[bind]*park{}
		}
		head.heldBack[b] = p
	}
	return p
}

func (e *Engine) newPark(b bind) *park {
	e.parks++
	return &park{id: e.parks, bound: b}
}

// park sets a class aside until there is more of what it waits for.
func (e *Engine) park(c *class, found attempt) {
	c.setAside()
	q := c.lane.queue
	q.blocked[c] = struct{}{}
	for _, b := range found.waitsFor {
		c.parkAt(e.parkFor(b.bind), need{n: b.need})
	}
	for _, g := range found.groups {
		c.parkAt(g.park, need{replica: c.replica})
	}
	e.looked = append(e.looked, c)
	for _, held := range found.behind {
		c.parkAt(e.parkBehind(held.head, held.bound), held.need)
	}
	c.verdict = found.verdict
	c.busy = found.busy
}

// doubt looks again at jobs that wait for nodes like those of a group to become free, if there are too few of them since one is gone.
func (e *Engine) doubt(g *group) {
	for _, q := range e.queues {
		for c := range q.blocked {
			model := g.model
			if c.replica.GPUs == 0 {
				model = ""
			}
			mayRun := g.takes(c, model) && (c.replica.GPUs == 0 || c.models == "" || slices.Contains(c.first().Models, model))
			if c.busy && mayRun && !everFits(e.groupsFor(c, model), c) {
				e.makeReady(c)
			}
		}
	}
}

// reconsider looks again at jobs that could never start as the nodes were, and at those that would run on nodes of a kind
// that is new.
func (e *Engine) reconsider(added *kind) {
	for _, q := range e.queues {
		for c := range q.blocked {
			if !c.busy || added != nil && added.takes(c, added.model) && (c.models == "" || slices.Contains(c.first().Models, added.model)) {
				e.makeReady(c)
			}
		}
	}
}

// parkAt notes that the class waits at a park.
func (c *class) parkAt(p *park, n need) {
	for i := range c.parked {
		if c.parked[i].park == p {
			return
		}
	}
	c.parked = append(c.parked, place{park: p, need: n})
}

// seated lets the class take part in the races of where it is parked.
func (c *class) seated() {
	for i := range c.parked {
		if at := &c.parked[i]; at.seat == nil {
			at.seat = at.park.race(at.need).enter(c)
		}
	}
}

// unpark takes the class out of everything that it waits for.
func (c *class) unpark() {
	for _, at := range c.parked {
		if at.seat == nil {
			continue
		}
		r := at.seat.at.race
		if at.seat.leave(); r.best() == nil {
			at.park.close(r)
		}
	}
	c.parked = c.parked[:0]
	delete(c.lane.queue.blocked, c)
}

func (p *park) find(n need) (int, bool) {
	return slices.BinarySearchFunc(p.races, n, func(r *race, n need) int { return compareNeeds(r.need, n) })
}

func (p *park) race(n need) *race {
	i, found := p.find(n)
	if !found {
		p.races = slices.Insert(p.races, i, newRace(n))
	}
	return p.races[i]
}

func (p *park) close(r *race) {
	if i, found := p.find(r.need); found {
		p.races = slices.Delete(p.races, i, i+1)
	}
}

// open notes that there is more of what a park's classes wait for.
func (e *Engine) open(p *park) {
	if p == nil || p.opened || len(p.races) == 0 {
		return
	}
	p.opened = true
	at, _ := slices.BinarySearchFunc(e.opened, p.id, func(p *park, id int) int { return cmp.Compare(p.id, id) })
	e.opened = slices.Insert(e.opened, at, p)
}

// freedOn opens the park of those who could use what became free on a node.
func (e *Engine) freedOn(n *node) {
	e.open(n.group.park)
	if n.group.park.opened && !slices.Contains(n.group.park.freed, n) {
		n.group.park.freed = append(n.group.park.freed, n)
	}
}

// freed opens the parks of those who could use what became free of the queue and its parents, and of the user's part in them.
func (e *Engine) freed(q *queue, user string) {
	for at := q; at != nil; at = at.parent {
		for bound, p := range at.parks {
			if bound.user == "" || bound.user == user {
				e.open(p)
			}
		}
	}
}

// next is the class that is looked at next: whose turn it is, then the first of those that are ready and of those who could use what
// became free.
func (e *Engine) next() *class {
	races := append(e.contests[:0], e.ready)
	for _, p := range e.opened {
		for _, r := range p.races {
			if p.meets(r.need) {
				races = append(races, r)
			} else if p.bound.queue != nil {
				break
			}
		}
	}
	e.contests = races
	best := firstOfRaces(races)
	if best == nil {
		return nil
	}
	return cmp.Or(e.inTurn(best), best)
}

// meets reports whether there is as much as is needed now, as far as can be told here.
func (p *park) meets(n need) bool {
	switch {
	case p.all:
		return true
	case p.behind != nil:
		r := p.behind.reservation
		return r != nil && r.leavesRoom(p.bound, n)
	case p.bound.queue != nil:
		return n.n <= p.bound.room()
	}
	return slices.ContainsFunc(p.freed, func(at *node) bool { return n.replica.Fits(at.free) })
}

// couldUse reports whether the class waits for something of which there is enough now.
func (c *class) couldUse() bool {
	return slices.ContainsFunc(c.parked, func(at place) bool { return at.seat != nil && at.park.opened && at.park.meets(at.need) })
}

// closeParks ends the decisions: who was looked at and did not start waits with the others.
func (e *Engine) closeParks() {
	for _, p := range e.opened {
		p.opened, p.all, p.freed = false, false, p.freed[:0]
	}
	e.opened = e.opened[:0]
	e.takeSeats()
}

// takeSeats has those who were looked at and did not start wait with the others.
func (e *Engine) takeSeats() {
	for _, c := range e.looked {
		c.seated()
	}
	e.looked = e.looked[:0]
}
