package scheduling

import "cmp"

// park is the classes that wait for the same thing, by how much of it they need: when there is more of it, those who need
// no more than there is are looked at again, and nobody else.
type park struct{ waiting sortedBy[parked] }

type parked struct {
	need  int64
	class *class
}

// place is where a class is parked.
type place struct {
	park *park
	need int64
}

func compareParked(a, b parked) int {
	return cmp.Or(cmp.Compare(a.need, b.need), cmp.Compare(a.class.id, b.class.id))
}

func (p *park) add(c *class, need int64) {
	if p.waiting.compare == nil {
		p.waiting.compare = compareParked
	}
	for _, there := range c.parked {
		if there.park == p {
			return
		}
	}
	p.waiting.insert(parked{need, c})
	c.parked = append(c.parked, place{p, need})
}

// unpark takes the class out of everything that it waits for.
func (c *class) unpark() {
	for _, at := range c.parked {
		at.park.waiting.remove(parked{at.need, c})
	}
	c.parked = c.parked[:0]
	delete(c.lane.queue.blocked, c)
}

// wake makes those classes ready that need no more than there is and that could now start, as far as can be told here.
func (p *park) wake(room int64, could func(*class) bool) {
	var woken []*class
	for _, there := range p.waiting.items {
		if there.need > room {
			break
		}
		if could == nil || could(there.class) {
			woken = append(woken, there.class)
		}
	}
	for _, c := range woken {
		c.makeReady()
	}
}
