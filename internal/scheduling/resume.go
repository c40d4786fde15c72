package scheduling

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// A reservation is of the tree of quotas and of the engine that it was made in. Where the tree is made anew, or another engine takes over,
// those who had one are the next to get one, before anybody takes what was kept for them.

// turn is what is remembered of a waiting job: its place in line, 0 where it had none, whether others give way to it, and since when it has
// been the next of its queue, zero where it has not.
type turn struct {
	place int
	paid  bool
	since time.Time
}

// TakeOver says that there was an engine before this one of which it is not known what it kept for whom: by what they agree on, it is for
// the first in line of each tree. It counts for the next decisions.
func (e *Engine) TakeOver() { e.takesOver = true }

// takeOver has it looked who is first in line, if that is so.
func (e *Engine) takeOver() {
	e.tookOver = e.takesOver
	if !e.takesOver {
		return
	}
	e.takesOver = false
	for _, q := range e.queues {
		e.hungry[q.root()] = struct{}{}
	}
}

// resumes are the keys of the waiting jobs for which others are held back, or are to be some time.
func (e *Engine) resumes() map[string]turn {
	keys := e.kept
	e.kept = map[string]turn{}
	for _, q := range e.queues {
		for _, l := range q.lanes {
			for _, c := range l.classes {
				if had := c.first().turn(); had != (turn{}) {
					keys[c.first().Key] = had
				}
			}
		}
	}
	for _, r := range e.running {
		if r.Ending && r.For != "" {
			keys[r.For] = turn{keys[r.For].place, true, keys[r.For].since}
		}
	}
	return keys
}

// resume has those jobs be the next to get a reservation, in their order, in a tree that was made anew.
func (e *Engine) resume(keys map[string]turn) {
	for _, key := range slices.SortedFunc(maps.Keys(keys), func(a, b string) int {
		return cmp.Or(cmp.Compare(keys[a].place, keys[b].place), cmp.Compare(a, b))
	}) {
		w := e.waiting[key]
		if w == nil { // it may come before the next decisions
			e.kept[key] = keys[key]
			continue
		}
		if w.class == nil || w.class.first() != w {
			continue
		}
		c, root, had := w.class, w.class.lane.queue.root(), keys[key]
		e.owe(w, had)
		if had.place > 0 || had.paid {
			e.nominees[root] = append(e.nominees[root], c)
			e.lineUp(c, had.place > 0)
		}
	}
}

// turn is what is remembered of the job; nothing where it is not the first of its class.
func (w *waiting) turn() turn {
	c := w.class
	if c == nil || c.first() != w {
		return turn{}
	}
	return turn{c.place, c.paid, c.turn}
}

// owe notes what was remembered of a waiting job, if it is the first of its class.
func (e *Engine) owe(w *waiting, had turn) {
	if w.class == nil || w.class.first() != w {
		return
	}
	w.class.paid = w.class.paid || had.paid
	if !had.since.IsZero() {
		w.class.turn = had.since
	}
}
