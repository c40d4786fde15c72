package scheduling

import "fmt"

// Startable is how many jobs of one replica a quota would let a user start now.
type Startable struct {
	Jobs int64
	// Bound names what bounds that.
	Bound string
	// Doubt says what is not known by which it may be less; it is empty where that is not so.
	Doubt string
}

// Startable is how many jobs the quota would let a user start now, of all the models that they take together: of each no more than
// there is room for on nodes, where that is given.
func (b *Books) Startable(quota, user string, r Request, nodes map[string]int64) Startable {
	q := b.engine.queues[quota]
	switch {
	case q == nil && b.all:
		return Startable{Bound: fmt.Sprintf("quota %q does not exist", quota)}
	case q == nil || b.hidden[q]:
		return Startable{Bound: fmt.Sprintf("quota %q does not exist, or you may not see it", quota)}
	}
	if q.broken != "" {
		return Startable{Bound: q.broken}
	}
	models := r.Models
	if len(models) == 0 || r.Replica.GPUs == 0 {
		models = []string{""}
	}
	for _, model := range models {
		b.model(model)
	}
	jobs, bound := b.startable(q, user, r.Replica, models, nodes, false)
	s := Startable{Jobs: jobs, Bound: bound}
	if least, doubt := b.startable(q, user, r.Replica, models, nodes, true); least < jobs {
		s.Doubt = doubt
	}
	return s
}

// startable is how many jobs may start and what bounds that; in the worst case, by what is not known.
func (b *Books) startable(q *queue, user string, replica Amounts, models []string, nodes map[string]int64, worst bool) (jobs int64, bound string) {
	jobs = unlimited
	for _, u := range uses(replica, 0) {
		if n, by := b.room(q, user, u, worst); n < jobs {
			jobs, bound = n, by
		}
	}
	sum, first := int64(0), ""
	for _, model := range models {
		n := unlimited
		if d := b.model(model); d >= firstModel {
			room, by := b.room(q, user, use{d, replica.GPUs}, worst)
			n = room
			if first == "" {
				first = by
			}
		}
		if nodes != nil {
			n = min(n, nodes[model])
		}
		sum = min(sum+n, unlimited)
	}
	if sum < jobs {
		return sum, first
	}
	return jobs, bound
}

// room is how many times a use fits into what is left for a user under the queue, and what bounds that. In the worst case the user
// holds all that those hold whom a status does not name, and nothing is left above what is known.
func (b *Books) room(q *queue, user string, u use, worst bool) (times int64, bound string) {
	if root := q.root(); worst && b.hidden[root] {
		return 0, fmt.Sprintf("what is left of quota %q", root.Name)
	}
	times = q.left(u.of) / u.n
	_, at := q.slack(user, use{u.of, (times + 1) * u.n})
	bound = at.name()
	for at := q; at != nil; at = at.parent {
		limit := bind{at, user, u.of}
		if at.users == nil || at.bounds[u.of].user >= unlimited {
			continue
		}
		room, name := limit.room(), limit.name()
		if worst && at.users[user] == nil {
			if held := b.unnamed[at].at(u.of); held > 0 {
				room, name = room-held, fmt.Sprintf("what user %q holds in quota %q", user, at.Name)
			}
		}
		if n := max(0, room) / u.n; n < times {
			times, bound = n, name
		}
	}
	return times, bound
}
