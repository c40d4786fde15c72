package scheduling

import (
	"slices"
	"time"
)

// forecastWaiting is how many waiting jobs a forecast looks at, forecastDepth at how many of one line.
const forecastWaiting, forecastDepth = 10_000, 1000

// Future is what an engine knew at a moment, to play forward from. It shares nothing with the engine that changes: it may be played in
// another goroutine.
type Future struct {
	options Options
	quotas  []Quota
	// trees are the numbers of the trees that the quotas are in, by their names, displacing whether some may give way in each.
	trees      map[string]int
	displacing []bool
	nodes      []Node
	running    []running
	waiting    []waiting
	// left is how many of a line have to start until it is the turn of those of it that are not looked at, by the keys of those that are;
	// nil where that is all of it.
	left map[string]*int
	// kept are the keys of the waiting jobs for which others are held back.
	kept map[string]turn
	// past is past use as it was at a time.
	past   []Past
	pastAt time.Time
}

// Future is what the engine knows now.
func (e *Engine) Future() *Future { return e.future(forecastWaiting) }

// future is what it knows, with as many waiting jobs.
func (e *Engine) future(most int) *Future {
	e.rebuild()
	f := &Future{
		options: e.options, quotas: make([]Quota, 0, len(e.quotas)), trees: make(map[string]int, len(e.quotas)),
		nodes: make([]Node, 0, len(e.nodes)), running: make([]running, 0, len(e.running)),
		left: map[string]*int{}, kept: e.resumes(), past: e.Past(), pastAt: e.aged,
	}
	f.options.Renewal = max(f.options.Renewal, forecastRenewal)
	numbers := map[*queue]int{}
	for name, q := range e.queues {
		n, known := numbers[q.root()]
		if !known {
			n = len(numbers)
			numbers[q.root()], f.displacing = n, append(f.displacing, false)
		}
		f.quotas, f.trees[name] = append(f.quotas, q.Quota), n
		f.displacing[n] = f.displacing[n] || q.displaces()
	}
	for _, n := range e.nodes {
		f.nodes = append(f.nodes, n.Node)
	}
	for _, r := range e.running {
		f.running = append(f.running, running{Running: r.Running, endingSince: r.endingSince, lingers: r.lingers})
	}
	lines := e.lines(most)
	sizes := make([]int, len(lines))
	for i, line := range lines {
		sizes[i] = min(len(line), forecastDepth)
	}
	depth := max(evenDepth(sizes, most), 1)
	for _, line := range lines {
		var left *int
		if n := min(depth, forecastDepth); len(line) > n {
			line, left = line[:n], &n
		}
		for _, w := range line {
			f.waiting = append(f.waiting, waiting{Waiting: w.Waiting, Key: w.Key, Since: w.Since})
			if left != nil {
				f.left[w.Key] = left
			}
		}
	}
	return f
}

// lines are the waiting jobs that may start if others end, in their order: those that are alike in a line each, as none of them starts before
// another. Where there are more lines than most, it is those of each queue; of these one behind may start before another.
func (e *Engine) lines(most int) (lines [][]*waiting) {
	for _, q := range e.queues {
		for _, l := range q.lanes {
			for _, c := range l.classes {
				if _, parked := q.blocked[c]; c.busy || !parked {
					lines = append(lines, c.jobs.items)
				}
			}
		}
	}
	if len(lines) <= most {
		return lines
	}
	lines = nil
	for _, q := range e.queues {
		lines = append(lines, q.order.items)
	}
	return lines
}

// evenDepth is how many of each size may be taken, so that they come to no more than most.
func evenDepth(sizes []int, most int) (depth int) {
	slices.Sort(sizes)
	for i, size := range sizes {
		if depth = most / (len(sizes) - i); size > depth {
			break
		}
		most -= size
	}
	return depth
}

// engine is another engine that knows the same.
func (f *Future) engine() *Engine {
	e := New(f.options)
	for _, q := range f.quotas {
		e.SetQuota(q)
	}
	for _, n := range f.nodes {
		e.SetNode(n)
	}
	for i := range f.running {
		known := &f.running[i]
		e.SetRunning(known.Running)
		r := e.running[known.Key]
		r.endingSince = known.endingSince
		if known.lingers {
			e.despair(r)
		}
	}
	e.SetPast(f.past, f.pastAt)
	kept := map[string]turn{}
	for i := range f.waiting {
		w := &f.waiting[i]
		e.SetWaiting(w.told())
		if had, is := f.kept[w.Key]; is {
			kept[w.Key] = had
		}
	}
	e.resume(kept)
	return e
}
