package scheduling

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// forecastDepth is how many jobs of each queue a forecast looks at, and forecastWaiting of all queues together, but of each at
	// least forecastLeast.
	forecastDepth, forecastWaiting, forecastLeast = 100, 10_000, 10
	// forecastEnds is how many ends of jobs it plays.
	forecastEnds = 10_000
	// What happens within forecastStep, or in a forecastShare of the time from now on, it plays as if it were at its end: nobody minds
	// by so much, and the steps are few, however far ahead it looks.
	forecastStep  = time.Second
	forecastShare = 1000
	// forecastRenewal is how often it works reservations out anew, each from all that run. That tells nearly the same as to do so as
	// often as the engine does.
	forecastRenewal = time.Minute
)

// Future is what an engine knew at a moment, to play forward from. It shares nothing with the engine that changes: it may be played in
// another goroutine.
type Future struct {
	options Options
	quotas  []Quota
	nodes   []Node
	running []running
	waiting []waiting
	// kept are the keys of the waiting jobs for which others are held back.
	kept map[string]turn
	// past is past use as it was at a time.
	past   []Past
	pastAt time.Time
	// left is how many jobs of each queue are looked at where it has more of them.
	left map[string]int
}

// Future is what the engine knows now.
func (e *Engine) Future() *Future {
	e.rebuild()
	f := &Future{
		options: e.options, quotas: make([]Quota, 0, len(e.quotas)), nodes: make([]Node, 0, len(e.nodes)), running: make([]running, 0, len(e.running)),
		kept: e.resumes(), past: e.Past(), pastAt: e.aged, left: map[string]int{},
	}
	f.options.Renewal = max(f.options.Renewal, forecastRenewal)
	for _, q := range e.quotas {
		f.quotas = append(f.quotas, q)
	}
	for _, n := range e.nodes {
		f.nodes = append(f.nodes, n.Node)
	}
	for _, r := range e.running {
		f.running = append(f.running, running{Running: r.Running, endingSince: r.endingSince, lingers: r.lingers})
	}
	depth := min(max(forecastWaiting/max(len(e.queues), 1), forecastLeast), forecastDepth)
	for name, q := range e.queues {
		jobs := q.order.items
		if len(jobs) > depth {
			jobs, f.left[name] = jobs[:depth], depth
		}
		for _, w := range jobs {
			f.waiting = append(f.waiting, waiting{Waiting: w.Waiting, Key: w.Key, Since: w.Since})
		}
	}
	return f
}

// engine is another engine that knows the same.
func (f *Future) engine() *Engine {
	e := New(f.options)
	maps.Copy(e.kept, f.kept)
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
	for i := range f.waiting {
		e.SetWaiting(f.waiting[i].told())
	}
	return e
}

// Forecast says when waiting jobs will start at the latest, if every job runs for as long as it may and none is submitted: it
// plays the engine forward, for as many starts and no further ahead than given. Jobs of which it does not say anything wait
// for others whose end is not known, or start later than that, or do not start by when they would have to end.
func (f *Future) Forecast(now time.Time, starts int, ahead time.Duration) map[string]time.Time {
	future, expected := f.engine(), map[string]time.Time{}
	quota := make(map[string]string, len(f.waiting))
	for _, w := range f.waiting {
		quota[w.Key] = w.Quota
	}
	bound := future.bound()
	for at, ends := now, 0; len(expected) < starts && ends < forecastEnds; {
		for len(bound) > 0 && !bound[0].Until.After(at) {
			future.RemoveWaiting(bound[0].Key)
			bound = bound[1:]
		}
		d := future.Decide(at)
		for _, s := range d.Starts {
			q, told := quota[s.Key]
			if !told {
				continue // it ran, and gave way
			}
			expected[s.Key] = at
			if f.left[q] > 0 {
				if f.left[q]--; f.left[q] == 0 {
					return expected // whoever is not looked at may be the next to start
				}
			}
		}
		for _, v := range d.Displaced {
			future.running[v.Key].endingSince = at
		}
		next := future.nextEnd(at)
		if again := d.Again; again.After(at) && again.Before(next) {
			next = again
		}
		if next.Sub(now) > ahead {
			break
		}
		if step := at.Add(max(forecastStep, at.Sub(now)/forecastShare)); next.Before(step) {
			next = step
		}
		at = next
		for _, r := range future.endedBy(at) {
			ends++
			if r.For != "" {
				future.requeue(r)
			} else {
				future.RemoveRunning(r.Key)
			}
		}
	}
	return expected
}

// requeue takes out a job that gave way, and lets it wait again in its old place, for nodes like those that it had.
func (e *Engine) requeue(r *running) {
	w := Waiting{
		Key: r.Key, User: r.User, Quota: r.Quota, Priority: r.Priority, Since: r.Since, Preemptible: r.Preemptible, Request: Request{Replica: r.Replica},
	}
	for _, s := range r.Nodes {
		w.Replicas += s.Replicas
	}
	if r.Model != "" {
		w.Models = []string{r.Model}
	}
	if !r.End.IsZero() {
		w.Span = r.End.Sub(r.Start)
	}
	for _, s := range r.on {
		w.Spot = w.Spot || s.node.Spot
	}
	e.SetWaiting(w)
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

// nextEnd is when the next job ends at the latest; never where that is of none known.
func (e *Engine) nextEnd(now time.Time) time.Time {
	next := never
	for _, r := range e.byEnd.items {
		next = earlier(next, r.gone(now))
		if !r.ends() { // of these the first ends first
			break
		}
	}
	return next
}

// endedBy are the jobs that have ended by then.
func (e *Engine) endedBy(at time.Time) (ended []*running) {
	for _, r := range e.byEnd.items {
		switch later := r.gone(at).After(at); {
		case !later:
			ended = append(ended, r)
		case !r.ends():
			return ended
		}
	}
	return ended
}
