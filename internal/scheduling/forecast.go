package scheduling

import (
	"cmp"
	"slices"
	"time"
)

const (
	// forecastDepth is how many jobs of each queue a forecast looks at, forecastEnds how many ends of jobs it plays.
	forecastDepth = 100
	forecastEnds  = 1000
)

// Forecast says when waiting jobs will start at the latest, if every job runs for as long as it may and none is submitted: it
// plays the engine forward, for as many starts and no further ahead than given. Jobs of which it does not say anything wait
// for others whose end is not known, or start later than that, or do not start by when they would have to end.
func (e *Engine) Forecast(now time.Time, starts int, ahead time.Duration) map[string]time.Time {
	future := e.clone(forecastDepth)
	bound := future.bound()
	expected := map[string]time.Time{}
	for at, ends := now, 0; len(expected) < starts && ends < forecastEnds; {
		for len(bound) > 0 && !bound[0].Until.After(at) {
			future.RemoveWaiting(bound[0].Key)
			bound = bound[1:]
		}
		d := future.Decide(at)
		for _, s := range d.Starts {
			expected[s.Key] = at
		}
		for _, v := range d.Displaced {
			future.RemoveRunning(v.Key)
		}
		if len(d.Displaced) > 0 {
			continue
		}
		next, known := future.nextEnd()
		if again := d.Again; again.After(at) && (!known || again.Before(next)) {
			next, known = again, true
			ends++
		}
		if !known || next.Sub(now) > ahead {
			break
		}
		if next.After(at) {
			at = next
		}
		for _, r := range future.endedBy(at) {
			ends++
			future.RemoveRunning(r)
		}
	}
	return expected
}

// clone is another engine that knows the same, but of each queue no more waiting jobs than given: those are the first.
func (e *Engine) clone(waiting int) *Engine {
	other := New(e.options)
	for _, q := range e.quotas {
		other.SetQuota(q)
	}
	for _, n := range e.nodes {
		other.SetNode(n.Node)
	}
	for _, r := range e.running {
		other.SetRunning(r.Running)
	}
	for _, q := range e.queues {
		for _, w := range q.order.items[:min(waiting, len(q.order.items))] {
			other.SetWaiting(w.told())
		}
	}
	return other
}

// bound are the waiting jobs that have to end by a time, those first whose time is first.
func (e *Engine) bound() []*waiting {
	var all []*waiting
	for _, w := range e.waiting {
		if !w.Until.IsZero() {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b *waiting) int { return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.Key, b.Key)) })
	return all
}

// Holder is the jobs under a quota that hold what another waits for.
type Holder struct {
	Quota string
	Jobs  int
	GPUs  int64
}

// Holders are who holds what a waiting job waits for, those who hold most GPUs first, then most jobs: under the quota that
// is in use, or on the nodes that it could run on.
func (e *Engine) Holders(key string, most int) []Holder {
	w := e.waiting[key]
	if w == nil || w.class == nil || !w.class.busy {
		return nil
	}
	c, by := w.class, map[string]*Holder{}
	groups := map[*group]bool{}
	if c.verdict.bound == nil {
		for _, model := range e.modelsOf(c) {
			for _, g := range e.groupsFor(c, model) {
				groups[g] = true
			}
		}
	}
	for _, r := range e.running {
		if !e.holds(r, c.verdict.bound, groups) {
			continue
		}
		h := by[r.Quota]
		if h == nil {
			h = &Holder{Quota: r.Quota}
			by[r.Quota] = h
		}
		h.Jobs++
		for _, s := range r.Nodes {
			h.GPUs += r.Replica.GPUs * s.Replicas
		}
	}
	var all []Holder
	for _, quota := range sortedKeys(by) {
		all = append(all, *by[quota])
	}
	slices.SortStableFunc(all, func(a, b Holder) int { return cmp.Or(cmp.Compare(b.GPUs, a.GPUs), cmp.Compare(b.Jobs, a.Jobs)) })
	return all[:min(most, len(all))]
}

// holds reports whether a job counts at the bound, or is on nodes of the groups where there is none.
func (e *Engine) holds(r *running, at *bind, groups map[*group]bool) bool {
	if at == nil {
		return slices.ContainsFunc(r.on, func(s share) bool { return groups[s.node.group] })
	}
	return r.queue != nil && r.queue.within(at.queue) && (at.user == "" || at.user == r.User) &&
		slices.ContainsFunc(r.uses, func(u use) bool { return u.of == at.of && u.n > 0 })
}

// nextEnd is when the next job ends at the latest.
func (e *Engine) nextEnd() (time.Time, bool) {
	if len(e.byEnd.items) == 0 {
		return time.Time{}, false
	}
	first := e.byEnd.items[0]
	return first.End, first.Ending || !first.End.IsZero()
}

// endedBy are the jobs that have ended by then.
func (e *Engine) endedBy(at time.Time) []string {
	var keys []string
	for _, r := range e.byEnd.items {
		if !r.Ending && (r.End.IsZero() || r.End.After(at)) {
			break
		}
		keys = append(keys, r.Key)
	}
	return keys
}
