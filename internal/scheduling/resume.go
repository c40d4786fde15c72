package scheduling

// A reservation is of the tree of quotas and of the engine that it was made in. Where the tree is made anew, or another engine takes over,
// those who had one are the next to get one, before anybody takes what was kept for them.

// TakeOver says that there was an engine before this one of which it is not known what it kept for whom: by what they agree on, it is for
// the first in line of each tree. It counts for the next decisions.
func (e *Engine) TakeOver() { e.takesOver = true }

// takeOver has it looked who is first in line, if that is so.
func (e *Engine) takeOver() {
	if !e.takesOver {
		return
	}
	e.takesOver = false
	for _, q := range e.queues {
		e.hungry[q.root()] = struct{}{}
	}
}

// resumes are the keys of the waiting jobs for which others are held back, and whether others give way to them.
func (e *Engine) resumes() map[string]bool {
	keys := e.kept
	e.kept = map[string]bool{}
	for _, nominees := range e.nominees {
		for _, c := range nominees {
			if len(c.jobs.items) > 0 {
				keys[c.first().Key] = c.paid
			}
		}
	}
	for _, head := range e.heads {
		keys[head.first().Key] = head.paid
	}
	for _, r := range e.running {
		if r.Ending && r.For != "" {
			keys[r.For] = true
		}
	}
	return keys
}

// resume has those jobs be the next to get a reservation, in a tree that was made anew.
func (e *Engine) resume(keys map[string]bool) {
	for _, key := range sortedKeys(keys) {
		w := e.waiting[key]
		if w == nil { // it may come before the next decisions
			e.kept[key] = keys[key]
			continue
		}
		if w.class == nil || w.class.first() != w {
			continue
		}
		c, root := w.class, w.class.lane.queue.root()
		e.owe(w, keys[key])
		e.nominees[root] = append(e.nominees[root], c)
	}
}

// owe notes that others give way to a waiting job, if it is the first of its class.
func (e *Engine) owe(w *waiting, paid bool) {
	if paid && w.class != nil && w.class.first() == w {
		w.class.paid = true
	}
}
