package scheduling

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// forecastEnds is how many ends of jobs a forecast plays.
	forecastEnds = 10_000
	// What happens within forecastStep, or in a forecastShare of the time from now on, it plays as if it were at its end: nobody minds
	// by so much, and the steps are few, however far ahead it looks.
	forecastStep  = time.Second
	forecastShare = 1000
	// forecastRenewal is how often it works reservations out anew, each from all that run. That tells nearly the same as to do so as
	// often as the engine does.
	forecastRenewal = time.Minute
)

// Forecast says when waiting jobs will start at the latest, if every job runs for as long as it may and none is submitted: it
// plays the engine forward, for as many starts and no further ahead than given, in each part that does not influence the others. Jobs of
// which it does not say anything wait for others whose end is not known, or start later than that, or do not start by when they would
// have to end, or may start after some that it does not look at.
func (f *Future) Forecast(now time.Time, starts int, ahead time.Duration) map[string]time.Time {
	expected := map[string]time.Time{}
	for _, part := range f.apart() {
		maps.Copy(expected, part.play(now, starts, ahead))
	}
	return expected
}

// play is the forecast of what may all influence each other.
func (f *Future) play(now time.Time, starts int, ahead time.Duration) map[string]time.Time {
	future, expected := f.engine(), map[string]time.Time{}
	untold, asked := make(map[string]bool, len(f.waiting)), make(map[string]*waiting, len(f.waiting))
	for i := range f.waiting {
		w := &f.waiting[i]
		untold[w.Key], asked[w.Key] = true, w
	}
	bound := future.bound()
	for at, ends := now, 0; len(expected) < starts && ends < forecastEnds; {
		for len(bound) > 0 && !bound[0].Until.After(at) {
			future.RemoveWaiting(bound[0].Key)
			bound = bound[1:]
		}
		d := future.Decide(at)
		for _, s := range d.Starts {
			if !untold[s.Key] {
				continue // it ran before, and gave way
			}
			delete(untold, s.Key)
			expected[s.Key] = at
			if left := f.left[s.Key]; left != nil {
				if *left--; *left == 0 {
					return expected // whoever is not looked at may be the next to start
				}
			}
		}
		for _, v := range d.Displaced {
			future.running[v.Key].endingSince = at
		}
		next := future.nextEnd(at)
		if again := d.Again; !again.IsZero() && again.Before(next) {
			next = again // who has just become the first of its class may have been due before
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
				future.requeue(r, asked)
			} else {
				future.RemoveRunning(r.Key)
			}
		}
	}
	return expected
}

// requeue takes out a job that gave way, and lets it wait again. What each asked for that waited before is known, and is noted of the others.
func (e *Engine) requeue(r *running, asked map[string]*waiting) {
	w := asked[r.Key]
	if w == nil {
		again := r.again()
		w = &waiting{Waiting: &again, Key: again.Key, Since: again.Since}
		asked[r.Key] = w
	}
	again := w.told()
	again.Since, again.Overdue, again.Avoid = r.Since, false, ""
	e.SetWaiting(again)
}

// again is the job as it waits again when it has given way: for what it asked for.
func (r *Running) again() Waiting {
	w := Waiting{
		Key: r.Key, User: r.User, Quota: r.Quota, Priority: r.Priority, Since: r.Since, Preemptible: r.Preemptible,
		Request: Request{Replica: r.Replica, Models: r.Models, Pools: r.Pools, Spot: r.Spot, Within: r.Within},
	}
	for _, s := range r.Nodes {
		w.Replicas += s.Replicas
	}
	if !r.End.IsZero() {
		w.Span = r.End.Sub(r.Start)
	}
	return w
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
