package scheduling

// queue is a node of the quota tree with what is held of it.
//
// The arithmetic of borrowing and lending is that of the cohorts of Kueue: what a queue lends at most is counted in its
// parent, the rest is guaranteed to it; use beyond the guaranteed part counts in the parent as well.
type queue struct {
	contender
	Quota
	parent   *queue
	children []*queue
	// tree is the queue and all below it, by name; of roots alone.
	tree  []*queue
	lanes map[string]*lane
	// broken says why nothing may start under the queue: its parent does not exist, or its parents go in a circle.
	broken string

	bounds []bounds
	// used is what counts against the queue: its own jobs and what its children hold beyond what is guaranteed to them.
	used vector
	// usage is what all jobs in the queue and below it hold and held.
	usage
	// users is what the jobs of each user hold in the queue and below it; nil where it bounds no user.
	users map[string]*vector

	// order is the waiting jobs of the queue itself, in the order of priority and submission.
	order sortedBy[*waiting]
	// blocked are the queue's classes that wait for something, reserved the one of them for which others are held back.
	blocked  map[*class]struct{}
	reserved *class
	// parks are the classes that wait for more room in the queue, or in a user's part of it.
	parks map[bind]*park
}

// bounds are the limits of a queue in one dimension, once its children are counted in.
type bounds struct {
	// own is what the queue and all below it have together, less what they do not lend.
	own int64
	// all is the same with what they do not lend.
	all int64
	// guaranteed is the part of own that the queue does not lend.
	guaranteed int64
	// most is what the queue may use at all: its own and what it may borrow.
	most int64
	// user is what the jobs of one user may hold.
	user int64
	// others reports that the dimension is of a GPU model that the queue does not name: what it uses of it is only counted
	// among its GPUs.
	others bool
}

// measure derives the bounds of the queue and all below it, for the dimensions up to the given number.
func (q *queue) measure(dimensions int, models *modelIndex) {
	for _, child := range q.children {
		child.measure(dimensions, models)
	}
	q.bounds = make([]bounds, dimensions)
	for i := range q.bounds {
		d := dimension(i)
		own := q.nominal(d, models)
		all := own
		for _, child := range q.children {
			if d != dimJobs { // a bound on how many run together is neither lent nor borrowed
				own = min(own+child.bounds[d].own-child.bounds[d].guaranteed, unlimited)
				all = min(all+child.bounds[d].all, unlimited)
			}
		}
		q.bounds[d] = q.bound(d, own, models)
		q.bounds[d].all = all
	}
}

// nominal is what the queue has of a dimension itself.
func (q *queue) nominal(d dimension, models *modelIndex) int64 {
	own := q.Nominal.bound(d, models)
	if own == unlimited && q.parent != nil && d >= firstModel {
		return 0 // GPUs of a model that it does not name are its parents' to grant
	}
	return own
}

// bound derives the bounds in a dimension from what the queue has of it, with what those below lend.
func (q *queue) bound(d dimension, own int64, models *modelIndex) bounds {
	b := bounds{own: own, most: own, user: q.PerUser.bound(d, models), others: d >= firstModel && !q.Nominal.names(d, models)}
	if q.parent != nil && d != dimJobs {
		b.guaranteed = max(0, own-q.Lending.bound(d, models))
		b.most = min(own+q.Borrowing.bound(d, models), unlimited)
	}
	return b
}

// hold counts the use of a job in, release out of the queue and its parents.
func (q *queue) hold(user string, all []use) { q.count(user, all, 1) }

func (q *queue) release(user string, all []use) { q.count(user, all, -1) }

func (q *queue) count(user string, all []use, sign int64) {
	lane := q.lane(user)
	for _, u := range all {
		lane.held.add(u.of, sign*u.n)
		change := sign * u.n
		for at := q; at != nil; at = at.parent {
			at.held.add(u.of, sign*u.n)
			if at.users != nil {
				if at.users[user] == nil {
					at.users[user] = &vector{}
				}
				at.users[user].add(u.of, sign*u.n)
			}
			before := at.beyond(u.of)
			at.used.add(u.of, change)
			if u.of != dimJobs {
				change = at.beyond(u.of) - before
			}
		}
	}
}

// beyond is what the queue uses beyond what is guaranteed to it.
func (q *queue) beyond(d dimension) int64 {
	return max(0, q.used.at(d)-q.bounds[d].guaranteed)
}

// bind is what bounds a use: a queue, or one user's part of it.
type bind struct {
	queue *queue
	// user is set where it is the user's part.
	user string
	of   dimension
}

// room is what the bound still lets be used.
func (b bind) room() int64 {
	if b.user != "" {
		return b.queue.bounds[b.of].user - b.queue.usedBy(b.user).at(b.of)
	}
	return b.queue.bounds[b.of].most - b.queue.used.at(b.of)
}

// binds visits every bound on a use by a job of the user in the queue, with what of the use counts there.
func (q *queue) binds(user string, u use, visit func(at bind, n int64)) {
	n := u.n
	for node := q; node != nil; node = node.parent {
		if node.users != nil && node.bounds[u.of].user < unlimited {
			visit(bind{node, user, u.of}, u.n)
		}
		if n > 0 {
			visit(bind{queue: node, of: u.of}, n)
		}
		n = node.above(use{u.of, n})
	}
}

// above is how much of a use that counts in the queue counts in its parent: not what is left of the guaranteed part.
func (q *queue) above(u use) int64 {
	if u.of == dimJobs {
		return u.n
	}
	return max(0, q.used.at(u.of)+u.n-q.bounds[u.of].guaranteed) - q.beyond(u.of)
}

// arrives is how much of a use by a queue below, or by itself, counts in this one.
func (q *queue) arrives(from *queue, u use) int64 {
	for at := from; at != q; at = at.parent {
		u.n = at.above(u)
	}
	return u.n
}

// slack is what would be left at the tightest bound after the use; negative where it does not fit.
func (q *queue) slack(user string, u use) (least int64, at bind) {
	least = unlimited
	q.binds(user, u, func(b bind, n int64) {
		if left := b.room() - n; left < least {
			least, at = left, b
		}
	})
	return least, at
}

// tooSmall is the tightest bound that a use would exceed even if nothing were held; nil where there is none.
func (q *queue) tooSmall(user string, u use) (tightest *bind) {
	least, guaranteed := u.n, int64(0)
	for node := q; node != nil; node = node.parent {
		b := node.bounds[u.of]
		if node.users != nil && b.user < least {
			least, tightest = b.user, &bind{node, user, u.of}
		}
		if most := b.most + guaranteed; most < least {
			least, tightest = most, &bind{queue: node, of: u.of}
		}
		guaranteed = min(guaranteed+b.guaranteed, unlimited)
	}
	return tightest
}

func (q *queue) usedBy(user string) vector {
	if held := q.users[user]; held != nil {
		return *held
	}
	return nil
}

// borrows reports whether the queue would use more of a dimension than it has if so much more counted in it.
func (q *queue) borrows(d dimension, more int64) bool {
	return q.parent != nil && d != dimJobs && !q.bounds[d].others && q.used.at(d)+more > q.bounds[d].own
}

// within reports whether the queue is the other one or below it.
func (q *queue) within(other *queue) bool {
	for at := q; at != nil; at = at.parent {
		if at == other {
			return true
		}
	}
	return false
}

// root is the queue at the top of the tree.
func (q *queue) root() *queue {
	for q.parent != nil {
		q = q.parent
	}
	return q
}
