package scheduling

import "time"

// Forecast says when waiting jobs will start at the latest, if every job runs for as long as it may and none is submitted: it
// plays the engine forward, for as many starts and no further ahead than given. Jobs of which it does not say anything wait
// for others whose end is not known, or start later than that.
func (e *Engine) Forecast(now time.Time, starts int, ahead time.Duration) map[string]time.Time {
	future := e.clone()
	expected := map[string]time.Time{}
	for at := now; len(expected) < starts; {
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
		next, ends := future.nextEnd()
		if !ends || next.Sub(now) > ahead {
			break
		}
		if next.After(at) {
			at = next
		}
		for _, r := range future.endedBy(at) {
			future.RemoveRunning(r)
		}
	}
	return expected
}

// clone is another engine that knows the same.
func (e *Engine) clone() *Engine {
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
	for _, w := range e.waiting {
		other.SetWaiting(w.Waiting)
	}
	return other
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
