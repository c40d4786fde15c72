package scheduling

import (
	"slices"
	"sort"
	"time"
)

// whatIf releases running jobs in the ledger, to see whether a waiting one would start then.
type whatIf struct {
	engine *Engine
	class  *class
	now    time.Time
	// atOnce reports that those that are released end in a moment, and not when they have to.
	atOnce bool
	// ahead are the reservations that the class waits behind: what ends after they begin is there for it as well.
	ahead    []*reservation
	released []*running
	found    attempt
}

// at is when all have ended that are released.
func (w *whatIf) at() time.Time {
	last := w.last()
	if last == nil || w.atOnce {
		return w.now
	}
	return last.endsBy(w.now)
}

// endsBy is when the job will have ended, reckoned at a time; never where that is not known.
func (r *running) endsBy(now time.Time) time.Time {
	switch {
	case r.ends():
		return now
	case !r.known():
		return never
	case r.End.After(now):
		return r.End
	}
	return now
}

func (w *whatIf) release(r *running) {
	w.suppose(r, 1)
	w.released = append(w.released, r)
}

func (w *whatIf) takeBack() {
	w.suppose(w.last(), -1)
	w.released = w.released[:len(w.released)-1]
}

// suppose releases a job in the ledger, or takes that back.
func (w *whatIf) suppose(r *running, sign int64) {
	if sign > 0 {
		w.engine.release(r)
	} else {
		w.engine.hold(r)
	}
	for _, kept := range w.ahead {
		kept.suppose(r, sign)
	}
}

func (w *whatIf) undo() {
	for len(w.released) > 0 {
		w.takeBack()
	}
}

func (w *whatIf) last() *running {
	if len(w.released) == 0 {
		return nil
	}
	return w.released[len(w.released)-1]
}

// fits reports whether the job would start then, and remembers how.
func (w *whatIf) fits() bool {
	e, c := w.engine, w.class
	c.tried = w.at()
	defer func() { c.tried = time.Time{} }()
	end := c.end(c.tried)
	total := c.replica.Times(c.replicas)
	for _, model := range e.modelsOf(c) {
		if len(e.groupsFor(c, model)) == 0 {
			continue // nor is there a need to know of the model
		}
		all := uses(total, e.model(model))
		if _, short := c.lane.queue.shortFor(c.lane.user, all); short {
			continue
		}
		if held := e.heldByQuota(c, all, end); held != nil {
			continue
		}
		if shares := e.place(c, model, end); shares != nil {
			w.found = attempt{model: model, uses: all, shares: shares}
			return true
		}
	}
	return false
}

// releaseUntilItFits releases as few of the jobs as will do, from the first on; it reports whether there is such a number. More room never
// hurts, but later the job may hinder others ahead of it, or follow on them: the number is looked for in each part of the time in which these
// are the same.
func (w *whatIf) releaseUntilItFits(jobs []*running) bool {
	if len(w.ahead) == 0 {
		return w.releaseBetween(jobs, 0, len(jobs))
	}
	from := 0
	for to := range jobs {
		if !w.hinderSame(jobs, to, to+1) {
			if w.releaseBetween(jobs, from, to) {
				return true
			}
			from = to + 1
		}
	}
	return w.releaseBetween(jobs, from, len(jobs))
}

// hinderSame reports whether the job would run at the same time as the same of those ahead of it with so many of the jobs released as with
// so many others.
func (w *whatIf) hinderSame(jobs []*running, n, m int) bool {
	one, other := w.after(jobs, n), w.after(jobs, m)
	if one.Equal(other) {
		return true
	}
	end, otherEnd := w.class.end(one), w.class.end(other)
	return !slices.ContainsFunc(w.ahead, func(r *reservation) bool {
		return (end.After(r.at) && r.until.After(one)) != (otherEnd.After(r.at) && r.until.After(other))
	})
}

// after is when the first so many of the jobs have ended.
func (w *whatIf) after(jobs []*running, n int) time.Time {
	if n == 0 {
		return w.now
	}
	return jobs[n-1].endsBy(w.now)
}

// releaseBetween does so for a number from one to another. It is found by doubling and halving.
func (w *whatIf) releaseBetween(jobs []*running, from, to int) bool {
	fails, n := from-1, from
	ending := sort.Search(len(jobs), func(i int) bool { return !jobs[i].ends() })
	for !w.with(jobs, n) {
		if n == to {
			return false
		}
		next := min(max(n+1, 2*n-from), to)
		if n < ending { // all of these are gone at once
			next = ending
		}
		fails, n = n, next
	}
	for n-fails > 1 {
		if middle := (fails + n) / 2; w.with(jobs, middle) {
			n = middle
		} else {
			fails = middle
		}
	}
	return w.with(jobs, n)
}

// with reports whether the job fits with the first n of the jobs released.
func (w *whatIf) with(jobs []*running, n int) bool {
	for len(w.released) > n {
		w.takeBack()
	}
	for len(w.released) < n {
		w.release(jobs[len(w.released)])
	}
	return w.fits()
}
