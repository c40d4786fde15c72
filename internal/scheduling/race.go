package scheduling

import (
	"cmp"
	"container/heap"
	"slices"
)

// contender is a queue or a lane in the competition for the next start.
type contender struct {
	// up is the queue that the contender is below; nil at the top.
	up    *queue
	share float64
	// queue or lane that it is.
	queue *queue
	lane  *lane
	// entries are its places in the races that classes of it, or below it, take part in.
	entries []*entry
}

// race is a competition of classes: each queue keeps those below it in a heap, and who wins at every level holds the class
// that is first. Classes that are ready run in one race; those that wait for the same, and need as much of it, in another: of
// these only the first is looked at when there is more of it.
type race struct {
	need    need
	entries map[*contender]*entry
	top     *entry
}

// entry is a contender's place in a race.
type entry struct {
	race *race
	of   *contender
	up   *entry
	// index is the place in the heap of the entry above; -1 outside.
	index int
	// best is the first class of the contender or below it; nil for none.
	best *class
	// borrows reports that best would use what the quota has to borrow.
	borrows bool
	below   entries
	// seats are the classes of a lane.
	seats seats
}

// seat is a class's place in a race.
type seat struct {
	class *class
	at    *entry
	index int
}

func newRace(n need) *race { return &race{need: n, entries: map[*contender]*entry{}} }

// best is the first class of all; nil where there is none.
func (r *race) best() *class {
	if r.top == nil {
		return nil
	}
	return r.top.best
}

// enter adds a class.
func (r *race) enter(c *class) *seat {
	s := &seat{class: c, at: r.entry(&c.lane.contender)}
	heap.Push(&s.at.seats, s)
	s.at.settle()
	return s
}

// leave takes the class out.
func (s *seat) leave() {
	heap.Remove(&s.at.seats, s.index)
	s.at.settle()
}

// reorder moves the class after its first job has changed.
func (s *seat) reorder() {
	heap.Fix(&s.at.seats, s.index)
	s.at.settle()
}

func (r *race) entry(c *contender) *entry {
	e := r.entries[c]
	if e == nil {
		e = &entry{race: r, of: c, index: -1}
		r.entries[c] = e
		c.entries = append(c.entries, e)
		if c.up != nil {
			e.up = r.entry(&c.up.contender)
		} else {
			r.top = e
		}
	}
	return e
}

// settle brings the race up to date with a change in the entry.
func (e *entry) settle() {
	for at := e; at != nil; at = at.up {
		at.refresh()
		if at.best == nil {
			at.remove()
		}
	}
}

// remove forgets an entry of no class.
func (e *entry) remove() {
	delete(e.race.entries, e.of)
	e.of.entries = slices.DeleteFunc(e.of.entries, func(other *entry) bool { return other == e })
	if e.up == nil {
		e.race.top = nil
	}
}

// touch brings the contender's place in all races up to date with what it holds, and that of all above it.
func (c *contender) touch() {
	for at := c; at != nil; {
		at.weigh()
		for _, e := range at.entries {
			e.refresh()
		}
		if at.up == nil {
			return
		}
		at = &at.up.contender
	}
}

// sort brings the contender's place in all races up to date after all those below it were weighed anew.
func (c *contender) sort() {
	for _, e := range c.entries {
		if heap.Init(&e.below); len(e.below) > 0 {
			e.best = e.below[0].best
			e.borrows = c.wouldBorrow(e.best)
		}
	}
}

// weigh derives the share.
func (c *contender) weigh() {
	if c.lane != nil {
		c.share = shareOf(&c.lane.usage, func(dimension) int64 { return 0 }, c.lane.queue.root(), 1)
	} else if q := c.queue; q.bounds != nil {
		c.share = shareOf(&q.usage, func(d dimension) int64 { return q.bounds[d].all }, q.root(), q.Weight)
	}
}

// refresh derives best from what is below, and gives the entry its place among those beside it.
func (e *entry) refresh() {
	e.best = nil
	switch {
	case len(e.seats) > 0:
		e.best = e.seats[0].class
	case len(e.below) > 0:
		e.best = e.below[0].best
	}
	e.borrows = e.best != nil && e.of.wouldBorrow(e.best)
	if e.up == nil {
		return
	}
	switch {
	case e.best == nil && e.index >= 0:
		heap.Remove(&e.up.below, e.index)
	case e.best != nil && e.index < 0:
		heap.Push(&e.up.below, e)
	case e.best != nil:
		heap.Fix(&e.up.below, e.index)
	}
}

// wouldBorrow reports whether the class's next job would make the contender's quota borrow.
func (c *contender) wouldBorrow(first *class) bool {
	q := c.queue
	if q == nil || q.bounds == nil {
		return false
	}
	total := first.replica.Times(first.replicas)
	for _, u := range [...]use{{dimCPU, total.MilliCPU}, {dimMemory, total.Memory}, {dimGPUs, total.GPUs}} {
		if n := q.arrives(first.lane.queue, u); n > 0 && q.borrows(u.of, n) {
			return true
		}
	}
	return false
}

// precedes compares contenders of the same queue by a class of each: priority, overdue, who does not borrow, who has less of
// what is due to them, submission.
func precedes(a *contender, first *class, b *contender, other *class) int {
	return compareContenders(a, first, a.wouldBorrow(first), b, other, b.wouldBorrow(other))
}

func compareContenders(a *contender, first *class, borrows bool, b *contender, other *class, otherBorrows bool) int {
	x, y := first.first(), other.first()
	return cmp.Or(cmp.Compare(y.Priority, x.Priority), compareBool(y.Overdue, x.Overdue), compareBool(borrows, otherBorrows), cmp.Compare(a.share, b.share),
		x.Since.Compare(y.Since), cmp.Compare(x.Key, y.Key))
}

// goesBefore compares classes of anywhere in the trees: by those contenders to whom they belong that compete with each other.
func goesBefore(a, b *class) bool {
	if a.lane == b.lane {
		return inOrder(a.first(), b.first()) < 0
	}
	x, y := &a.lane.contender, &b.lane.contender
	i, j := x.depth(), y.depth()
	for ; i > j; i-- {
		x = x.above()
	}
	for ; j > i; j-- {
		y = y.above()
	}
	for x.up != y.up {
		x, y = x.above(), y.above()
	}
	return precedes(x, a, y, b) < 0
}

// above is the queue that the contender is below; nil at the top.
func (c *contender) above() *contender {
	if c.up == nil {
		return nil
	}
	return &c.up.contender
}

// depth is how many are above the contender.
func (c *contender) depth() (n int) {
	for at := c.above(); at != nil; at = at.above() {
		n++
	}
	return n
}

// firstOfRaces is the first class of all that take part in some races; nil where there is none. The first of a race is not the first of
// each queue in it: who goes before it in a queue may be in another race, behind a class of elsewhere.
func firstOfRaces(races []*race) *class {
	var tops []*entry
	for _, r := range races {
		if r.top != nil {
			tops = append(tops, r.top)
		}
	}
	if len(tops) == 0 {
		return nil
	}
	return firstOf(tops)
}

// firstOf is the first class of a contender that takes part in several races, by its entry in each. In each race those below it are
// looked through in their order, as far as one that is there with the class that is its first in all races: who comes after that one
// there comes after it anywhere, and whose first is in another race is found in that.
func firstOf(at []*entry) (first *class) {
	if len(at) == 1 {
		return at[0].best
	}
	consider := func(c *class) {
		if first == nil || c != first && goesBefore(c, first) {
			first = c
		}
	}
	seen := map[*contender]*class{}
	for _, e := range at {
		if e.of.lane != nil {
			consider(e.best)
			continue
		}
		for below := range e.below.sorted {
			c := seen[below.of]
			if c == nil {
				c = firstOf(below.in(at))
				seen[below.of] = c
				consider(c)
			}
			if c == below.best {
				break
			}
		}
	}
	return first
}

// in is the contender's entries in the races of some others.
func (e *entry) in(others []*entry) []*entry {
	var all []*entry
	for _, other := range others {
		if same := other.race.entries[e.of]; same != nil {
			all = append(all, same)
		}
	}
	return all
}

// sorted goes through the heap in order.
func (e entries) sorted(yield func(*entry) bool) {
	if len(e) == 0 || !yield(e[0]) {
		return
	}
	next := places{of: e}
	for at := 0; ; {
		for _, child := range [...]int{2*at + 1, 2*at + 2} {
			if child < len(e) {
				heap.Push(&next, child)
			}
		}
		if len(next.at) == 0 {
			return
		}
		at = heap.Pop(&next).(int)
		if !yield(e[at]) {
			return
		}
	}
}

// places is a heap of places in another heap.
type places struct {
	of entries
	at []int
}

func (p *places) Len() int           { return len(p.at) }
func (p *places) Less(i, j int) bool { return p.of.Less(p.at[i], p.at[j]) }
func (p *places) Swap(i, j int)      { p.at[i], p.at[j] = p.at[j], p.at[i] }
func (p *places) Push(x any)         { p.at = append(p.at, x.(int)) }
func (p *places) Pop() any {
	last := p.at[len(p.at)-1]
	p.at = p.at[:len(p.at)-1]
	return last
}

// entries is a heap of those beside each other.
type entries []*entry

func (e entries) Len() int { return len(e) }
func (e entries) Less(i, j int) bool {
	a, b := e[i], e[j]
	return compareContenders(a.of, a.best, a.borrows, b.of, b.best, b.borrows) < 0
}
func (e entries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}
func (e *entries) Push(x any) {
	one := x.(*entry)
	one.index = len(*e)
	*e = append(*e, one)
}
func (e *entries) Pop() any {
	last := (*e)[len(*e)-1]
	(*e)[len(*e)-1] = nil
	*e = (*e)[:len(*e)-1]
	last.index = -1
	return last
}

// seats is a heap of classes by their first job.
type seats []*seat

func (s seats) Len() int           { return len(s) }
func (s seats) Less(i, j int) bool { return inOrder(s[i].class.first(), s[j].class.first()) < 0 }
func (s seats) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}
func (s *seats) Push(x any) {
	one := x.(*seat)
	one.index = len(*s)
	*s = append(*s, one)
}
func (s *seats) Pop() any {
	last := (*s)[len(*s)-1]
	(*s)[len(*s)-1] = nil
	*s = (*s)[:len(*s)-1]
	last.index = -1
	return last
}
