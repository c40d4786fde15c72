package scheduling

import (
	"cmp"
	"slices"
)

// Holder is the jobs under a quota that hold what another waits for, or for which that is kept.
type Holder struct {
	Quota string
	Jobs  int
	GPUs  int64
}

// Holders are who holds what a waiting job waits for, those who hold most GPUs first, then most jobs: under the quota that
// is in use, or on the nodes that it could run on; or for whom it is kept, where nobody holds it.
func (e *Engine) Holders(key string, most int) []Holder {
	w := e.waiting[key]
	if w == nil || w.class == nil || !w.class.busy {
		return nil
	}
	by := map[string]*Holder{}
	count := func(quota string, gpus int64) {
		h := by[quota]
		if h == nil {
			h = &Holder{Quota: quota}
			by[quota] = h
		}
		h.Jobs++
		h.GPUs += gpus
	}
	if behind := w.class.verdict.behind; behind != nil {
		for _, held := range behind {
			count(held.head.lane.queue.Name, held.head.replica.GPUs*held.head.replicas)
		}
	} else {
		e.holdUp(w.class, count)
	}
	var all []Holder
	for _, quota := range sortedKeys(by) {
		all = append(all, *by[quota])
	}
	slices.SortStableFunc(all, func(a, b Holder) int { return cmp.Or(cmp.Compare(b.GPUs, a.GPUs), cmp.Compare(b.Jobs, a.Jobs)) })
	return all[:min(most, len(all))]
}

// holdUp counts, by their quotas, the running jobs that hold what a class waits for.
func (e *Engine) holdUp(c *class, count func(quota string, gpus int64)) {
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
		gpus := int64(0)
		for _, s := range r.Nodes {
			gpus += r.Replica.GPUs * s.Replicas
		}
		count(r.Quota, gpus)
	}
}

// holds reports whether a job counts at the bound, or is on nodes of the groups where there is none.
func (e *Engine) holds(r *running, at *bind, groups map[*group]bool) bool {
	if at == nil {
		return slices.ContainsFunc(r.on, func(s share) bool { return groups[s.node.group] })
	}
	return r.queue != nil && r.queue.within(at.queue) && (at.user == "" || at.user == r.User) &&
		slices.ContainsFunc(r.uses, func(u use) bool { return u.of == at.of && u.n > 0 })
}
