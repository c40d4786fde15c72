package scheduling

import (
	"cmp"
	"container/heap"
)

// contender is a queue or a lane in the competition for the next start. Each queue keeps those below it in a heap; who wins
// at every level holds the job that is looked at next.
type contender struct {
	// up is the queue in whose heap the contender is; nil at the top.
	up *queue
	// index is the place in that heap; -1 outside.
	index int
	// best is the first class that is ready in the contender or below it; nil for none.
	best *class
	// borrows reports that best would use what the quota has to borrow.
	borrows bool
	share   float64
	name    string
	// queue or lane that it is.
	queue *queue
	lane  *lane

	below contenders
}

// contenders is a heap of those that have something to start.
type contenders []*contender

func (c contenders) Len() int           { return len(c) }
func (c contenders) Less(i, j int) bool { return precedes(c[i], c[j]) < 0 }
func (c contenders) Swap(i, j int) {
	c[i], c[j] = c[j], c[i]
	c[i].index, c[j].index = i, j
}
func (c *contenders) Push(x any) {
	one := x.(*contender)
	one.index = len(*c)
	*c = append(*c, one)
}
func (c *contenders) Pop() any {
	last := (*c)[len(*c)-1]
	(*c)[len(*c)-1] = nil
	*c = (*c)[:len(*c)-1]
	last.index = -1
	return last
}

// precedes compares contenders of the same queue: priority, overdue, who does not borrow, who has less of what is due to
// them, submission.
func precedes(a, b *contender) int { return precedesWith(a, a.best, b, b.best) }

func precedesWith(a *contender, first *class, b *contender, other *class) int {
	x, y := first.first(), other.first()
	return cmp.Or(cmp.Compare(y.Priority, x.Priority), compareBool(y.Overdue, x.Overdue), compareBool(a.borrows, b.borrows), cmp.Compare(a.share, b.share),
		x.Since.Compare(y.Since), cmp.Compare(x.Key, y.Key))
}

// touch brings the contender's place in the competition up to date, and that of all above it.
func (c *contender) touch() {
	for at := c; at != nil; {
		at.refresh()
		if at.up == nil {
			return
		}
		heapOf := &at.up.below
		switch {
		case at.best == nil && at.index >= 0:
			heap.Remove(heapOf, at.index)
		case at.best != nil && at.index < 0:
			heap.Push(heapOf, at)
		case at.best != nil:
			heap.Fix(heapOf, at.index)
		}
		at = &at.up.contender
	}
}

// refresh derives best and share.
func (c *contender) refresh() {
	c.best = nil
	if c.lane != nil {
		if len(c.lane.ready) > 0 {
			c.best = c.lane.ready[0]
		}
		root := c.lane.queue.root()
		c.share = shareOf(&c.lane.usage, func(dimension) int64 { return 0 }, root, 1)
		return
	}
	if len(c.below) > 0 {
		c.best = c.below[0].best
	}
	if q := c.queue; q.bounds != nil {
		c.borrows = c.best != nil && q.wouldBorrow(c.best)
		c.share = shareOf(&q.usage, func(d dimension) int64 { return q.bounds[d].own }, q.root(), q.Weight)
	}
}

// wouldBorrow reports whether the class's next job would make the queue borrow.
func (q *queue) wouldBorrow(c *class) bool {
	total := c.replica.Times(c.replicas)
	return total.MilliCPU > 0 && q.borrows(dimCPU, total.MilliCPU) || total.Memory > 0 && q.borrows(dimMemory, total.Memory) ||
		total.GPUs > 0 && q.borrows(dimGPUs, total.GPUs)
}
