package scheduling

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// rebuild makes the tree of quotas anew where one of them changed, with all that is held and waits.
func (e *Engine) rebuild() {
	if !e.stale {
		return
	}
	e.stale = false
	resumed, previous := e.resumes(), e.queues
	e.queues, e.heads, e.hungry, e.patient.items = map[string]*queue{}, nil, map[*queue]struct{}{}, nil
	e.nominees, e.line, e.returned = map[*queue][]*class{}, nil, nil
	e.top, e.ready, e.opened, e.looked = e.queue(Quota{}), newRace(need{}), nil, nil
	for name, quota := range e.quotas {
		q := e.queue(quota)
		if old := previous[name]; old != nil {
			q.past, q.at = old.past, old.at
		}
		e.queues[name] = q
	}
	for _, name := range sortedKeys(e.queues) {
		e.join(e.queues[name])
	}
	for _, name := range sortedKeys(e.queues) {
		root := e.queues[name].root()
		root.tree = append(root.tree, e.queues[name])
	}
	for _, q := range e.queues { // what a quota that is missing would bound is not known for all below it
		for at := q.parent; at != nil && q.broken == ""; at = at.parent {
			q.broken = at.broken
		}
	}
	for _, quota := range e.quotas {
		e.knowModels(&quota)
	}
	e.measure()
	for _, n := range e.nodes {
		n.holds = nil
	}
	for _, g := range e.groups {
		g.park = e.newPark(bind{})
	}
	for _, r := range e.running {
		if r.queue = e.queues[r.Quota]; r.queue != nil {
			r.queue.hold(r.User, r.uses)
		}
	}
	// In order, so that each goes to the end of its queue and of its class.
	for _, w := range slices.SortedFunc(maps.Values(e.waiting), inOrder) {
		w.class = nil
		e.enqueue(w)
	}
	e.resume(resumed)
	for _, q := range e.queues {
		if old := previous[q.Name]; old != nil {
			for user, l := range old.lanes {
				if l.past != [3]float64{} {
					now := q.lane(user)
					now.past, now.at = l.past, l.at
				}
			}
		}
		for _, l := range q.lanes {
			l.touch()
		}
	}
}

func (e *Engine) queue(quota Quota) *queue {
	q := &queue{
		Quota: quota, lanes: map[string]*lane{}, order: sortedBy[*waiting]{compare: inOrder}, blocked: map[*class]struct{}{}, parks: map[bind]*park{},
	}
	q.contender = contender{queue: q}
	if !quota.PerUser.none() {
		q.users = map[string]*vector{}
	}
	return q
}

// join gives the queue its place in the tree.
func (e *Engine) join(q *queue) {
	q.up = e.top
	if q.Parent == "" {
		return
	}
	parent := e.queues[q.Parent]
	if parent == nil {
		q.broken = fmt.Sprintf("quota %q borrows from quota %q, which does not exist", q.Name, q.Parent)
		return
	}
	seen := map[string]bool{q.Name: true}
	for at := q.Parent; at != ""; at = e.quotas[at].Parent {
		if seen[at] {
			q.broken = fmt.Sprintf("the parents of quota %q go in a circle", q.Name)
			return
		}
		seen[at] = true
	}
	q.parent, q.up = parent, parent
	parent.children = append(parent.children, q)
}

func (e *Engine) knowModels(q *Quota) {
	for _, limits := range []*Limits{&q.Nominal, &q.Borrowing, &q.Lending, &q.PerUser} {
		for _, model := range sortedKeys(limits.Models) {
			e.models.of(model)
		}
	}
}

// measure derives the bounds of every queue.
func (e *Engine) measure() {
	for _, q := range e.queues {
		if q.parent == nil {
			q.measure(int(firstModel)+len(e.models.names), &e.models)
		}
	}
}

// age brings past use up to now, once a second at most: all of it fades alike.
func (e *Engine) age(now time.Time) {
	if now.Sub(e.aged) < time.Second {
		return
	}
	e.aged = now
	faded := false
	for _, q := range e.queues {
		if q.parent == nil && q.HalfLife > 0 {
			q.fade(now, q.HalfLife)
			faded = true
		}
	}
	if faded {
		e.top.sort()
	}
}

// fade brings the past use of the queue and of all below it up to now, and all races with it.
func (q *queue) fade(now time.Time, halfLife time.Duration) {
	for _, child := range q.children {
		child.fade(now, halfLife)
	}
	for _, l := range q.lanes {
		l.usage.age(now, halfLife)
		l.weigh()
	}
	q.usage.age(now, halfLife)
	q.weigh()
	q.sort()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
