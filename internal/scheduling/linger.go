package scheduling

import "time"

// A job that is being ended is counted on to be gone in a moment for twice the time that it and its nodes have for that: its grace, or
// usualGrace, and as long again. Of one that is still there then, for instance on a node that was lost, nobody knows when it ends.
const usualGrace = 30 * time.Second

// timeToEnd is how long the job and its nodes take to end it at most, by what is reckoned with.
func (r *running) timeToEnd() time.Duration { return max(r.Grace, usualGrace) + usualGrace }

// patienceWithEnd is for how long it is counted on.
func (r *running) patienceWithEnd() time.Duration { return 2 * r.timeToEnd() }

// gone is when the job has ended at the latest; never where that is not known. Where it was not seen yet that it is being ended, its time
// for that begins at the one that is given.
func (r *running) gone(now time.Time) time.Time {
	switch {
	case r.ends() && r.endingSince.IsZero():
		return now.Add(r.timeToEnd())
	case r.ends():
		return r.endingSince.Add(r.timeToEnd())
	case r.known():
		return r.End
	}
	return never
}

// ends reports whether what the job holds is free in a moment.
func (r *running) ends() bool { return r.Ending && !r.lingers }

// known reports whether it is known when the job will have ended.
func (r *running) known() bool { return !r.End.IsZero() && !r.lingers }

// linger finds the jobs that should have been gone by now. It tells when the next is one; zero for never.
func (e *Engine) linger(now time.Time) (next time.Time) {
	var late []*running
	for _, r := range e.byEnd.items { // those that are being ended are the first
		if !r.ends() {
			break
		}
		if r.endingSince.IsZero() {
			r.endingSince = now
		}
		if due := r.endingSince.Add(r.patienceWithEnd()); due.After(now) {
			next = earlier(next, due)
		} else {
			late = append(late, r)
		}
	}
	for _, r := range late {
		e.despair(r)
		e.outdate(r)
	}
	return next
}

// despair does not count on a job any more to be gone in a moment.
func (e *Engine) despair(r *running) {
	e.byEnd.remove(r)
	r.lingers = true
	e.byEnd.insert(r)
}
