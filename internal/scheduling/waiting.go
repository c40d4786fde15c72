package scheduling

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Waiting is a job that wants to start.
type Waiting struct {
	// Key tells the job from all others; it is the last word in the order.
	Key  string
	User string
	// Quota is the name of the quota that the job counts against.
	Quota string
	// Priority orders waiting jobs: the higher goes first.
	Priority int
	// Overdue jobs were displaced and have waited for longer than they should: they go before others of their priority.
	Overdue bool
	// Since is when the job began to wait.
	Since time.Time
	Request
	// Span is how long the job runs at most, its grace to end included; 0 where that is not known.
	Span time.Duration
	// Until is when the job will have ended in any case, if it starts before; zero where there is no such time.
	Until time.Time
	// Preemptible jobs may be displaced where their quota says that those who say so may be.
	Preemptible bool
}

// Request is what a job asks for.
type Request struct {
	// Replica is what each replica asks for.
	Replica Amounts
	// Replicas is how many start together or not at all.
	Replicas int64
	// Models are the GPU models that the job takes, the best first; any where there are none.
	Models []string
	// Cluster and Pools are where the job may run, the best pool first; anywhere where they are not given.
	Cluster string
	Pools   []string
	// Spot reports that the job may run on nodes that can be taken away.
	Spot bool
	// Within is the number of levels of topology, from the widest, whose domain all replicas must share. They are placed as
	// near to each other as is possible in any case.
	Within int
	// Avoid is a node that is taken only where no other of its kind will do.
	Avoid string
}

// waiting is a job in the queue. All but its key and when it began to wait it has in common with the others of its class.
type waiting struct {
	*Waiting
	Key   string
	Since time.Time
	class *class
}

// told is the job as the engine was told of it.
func (w *waiting) told() Waiting {
	told := *w.Waiting
	told.Key, told.Since = w.Key, w.Since
	return told
}

// shape is all of a job that matters to whether and where it starts: of jobs of the same shape in a lane, the engine looks
// at the first.
type shape struct {
	priority               int
	overdue                bool
	replica                Amounts
	replicas               int64
	models, cluster, pools string
	spot                   bool
	within                 int
	avoid                  string
	span                   time.Duration
	until                  time.Time
	preemptible            bool
}

func (w *Waiting) shape() shape {
	return shape{
		priority: w.Priority, overdue: w.Overdue, replica: w.Replica, replicas: w.Replicas, models: strings.Join(w.Models, ","),
		cluster: w.Cluster, pools: strings.Join(w.Pools, ","), spot: w.Spot, within: w.Within, avoid: w.Avoid, span: w.Span,
		until: w.Until.Round(0).UTC(), preemptible: w.Preemptible,
	}
}

// inOrder compares two jobs of one queue: priority, overdue, submission.
func inOrder(a, b *waiting) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), compareBool(b.Overdue, a.Overdue), a.Since.Compare(b.Since), cmp.Compare(a.Key, b.Key))
}

// outranks reports whether jobs of the class go before those of another one, whoever they belong to and however long they have waited.
func (c *class) outranks(other *class) bool {
	return c.priority > other.priority || c.priority == other.priority && c.overdue && !other.overdue
}

// passes reports whether jobs of the class need not wait for what is kept for another one: as they outrank it, or as they are in line
// themselves and come before it. For one that others gave way to all wait: they did so for it alone.
func (c *class) passes(head *class) bool {
	return !head.paid && (c.outranks(head) || c.place > 0 && c.place < head.place)
}

// waitsBehind reports whether what is kept for another class is kept from jobs of this one: not from one that would start after it has ended,
// nor from one that it waits for itself.
func (c *class) waitsBehind(head *class) bool {
	r := head.reservation
	return !c.passes(head) && (c.tried.IsZero() || r.until.After(c.tried)) && !(c.paid && slices.Contains(r.follows, c))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// class is the waiting jobs of one shape in one lane.
type class struct {
	shape
	lane *lane
	id   int
	jobs sortedBy[*waiting]
	// ready is the class's place among those that are ready; nil while it waits for something.
	ready *seat
	// parked is where the class waits.
	parked []place
	// verdict is why it waits, busy whether for others to end.
	verdict verdict
	busy    bool
	// reservation is what others are held back for; nil for most.
	reservation *reservation
	// patient is until when it waits before others are held back for it; zero where it does not.
	patient time.Time
	// turn is since when its first job has been the next of its queue, or had been once; zero where it has not. place is its place in line,
	// from 1, 0 where it is not in line, and late reports that it stands there by how long that is, and not by fair share.
	turn  time.Time
	place int
	// tried is the time at which it would start, while that is tried out; zero for now.
	tried time.Time
	late  bool
	// returned is how many of its jobs were started by the last decisions, and wait again.
	returned int
	// paid reports that others are giving way to it.
	paid bool
	// heldBack are the classes that wait for this one's reservation to leave more: of a bound, or of nodes where that is none.
	heldBack map[bind]*park
}

func (c *class) first() *waiting { return c.jobs.items[0] }

// lane is the waiting jobs of one user in one queue.
type lane struct {
	contender
	usage
	queue   *queue
	user    string
	classes map[shape]*class
}

// lane is the user's own queue within the queue.
func (q *queue) lane(user string) *lane {
	l := q.lanes[user]
	if l == nil {
		l = &lane{queue: q, user: user, classes: map[shape]*class{}}
		l.contender = contender{up: q, lane: l}
		q.lanes[user] = l
	}
	return l
}

// makeReady puts the class among those that are looked at.
func (e *Engine) makeReady(c *class) {
	c.unpark()
	if c.ready == nil && len(c.jobs.items) > 0 {
		c.ready = e.ready.enter(c)
	}
}

// setAside takes the class out of those that are looked at.
func (c *class) setAside() {
	if c.ready != nil {
		c.ready.leave()
		c.ready = nil
	}
}

// reorder moves the class, wherever it is, after its first job has changed.
func (c *class) reorder() {
	if c.ready != nil {
		c.ready.reorder()
	}
	for _, at := range c.parked {
		if at.seat != nil {
			at.seat.reorder()
		}
	}
}
