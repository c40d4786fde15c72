package scheduler

import (
	"hash/fnv"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// view is what the engine was told so far. A round looks at the whole world and tells the engine what changed: what is not
// seen any more is taken out, so that no event that was missed can make the two drift apart.
type view struct {
	engine *scheduling.Engine
	jobs   map[string]*seen
	nodes  map[string]bool
	quotas map[string]bool
	// around is what candidates depend on besides their jobs.
	around uint64
	round  uint64
}

// seen is a job as it was when it was last looked at.
type seen struct {
	// version of the object; empty where it has to be looked at again.
	version string
	round   uint64
	// waits is set where the job wants a reservation, holds where it has one.
	waits *candidate
	holds bool
}

func newView(engine *scheduling.Engine) *view {
	return &view{engine: engine, jobs: map[string]*seen{}, nodes: map[string]bool{}, quotas: map[string]bool{}}
}

// state is the jobs that wait in a round.
type state struct {
	waiting    []*candidate
	candidates map[string]*candidate
	// again is when a job that waits before its retry is due; zero for none.
	again time.Duration
}

// look brings the view up to date with the world.
func (v *view) look(w *world, now time.Time) state {
	v.round++
	around := w.around()
	if around != v.around || v.round == 1 {
		v.around = around
		for _, s := range v.jobs {
			s.version = ""
		}
		v.tree(w)
	}
	for _, job := range w.jobs {
		v.job(w, job)
	}
	for uid, s := range v.jobs {
		if s.round != v.round {
			v.forget(uid, s)
			delete(v.jobs, uid)
		}
	}
	v.ledger(w)
	return v.waiting(w, now)
}

// job tells the engine of a job that changed.
func (v *view) job(w *world, job *platformv1.Job) {
	uid := string(job.UID)
	s := v.jobs[uid]
	if s == nil {
		s = &seen{}
		v.jobs[uid] = s
	}
	s.round = v.round
	if s.version == job.ResourceVersion && s.version != "" {
		return
	}
	s.version = job.ResourceVersion
	holds, wants := job.Status.Reservation != nil, waits(job)
	switch {
	case holds:
		v.engine.SetRunning(holding(job))
		s.waits = nil
	case s.holds, s.waits != nil && !wants:
		v.forget(uid, s)
	}
	if s.holds = holds; wants {
		c := w.candidate(job)
		if s.waits != nil {
			c.asked, c.changed = s.waits.asked, true
		}
		s.waits = c
	}
}

// forget takes a job out of the engine.
func (v *view) forget(uid string, s *seen) {
	v.engine.RemoveRunning(uid)
	v.engine.RemoveWaiting(uid)
	s.holds, s.waits = false, nil
}

// doubt has jobs looked at again in the next round, as the engine counts on something that may not have come true.
func (v *view) doubt(uid string) {
	if s := v.jobs[uid]; s != nil {
		s.version = ""
		if s.waits != nil {
			s.waits.asked = nil
		}
	}
}

// waiting are the jobs that wait in this round.
func (v *view) waiting(w *world, now time.Time) state {
	s := state{candidates: map[string]*candidate{}}
	alive := w.alivePods()
	for _, job := range w.jobs {
		c := v.jobs[string(job.UID)].waits
		if c == nil || alive[c.key()] {
			continue
		}
		if retry := c.job.Status.RetryTime; retry != nil {
			if left := retry.Sub(now); left > 0 {
				s.again = sooner(s.again, left)
				continue
			}
		}
		c.hindered = nil
		s.again = sooner(s.again, w.setOverdue(c, now))
		s.waiting = append(s.waiting, c)
		s.candidates[c.key()] = c
	}
	return s
}

// ask tells the engine which jobs may start in this round: those for which nothing but room is missing.
func (v *view) ask(s state) (asked int) {
	for uid, known := range v.jobs {
		c := known.waits
		if c == nil {
			continue
		}
		if s.candidates[uid] != c || c.why() != nil {
			if c.asked != nil {
				v.engine.RemoveWaiting(uid)
				c.asked = nil
			}
			continue
		}
		asked++
		if c.asked == nil || c.asked.Overdue != c.overdue || c.changed {
			w := c.asks()
			v.engine.SetWaiting(w)
			c.asked, c.changed = &w, false
		}
	}
	return asked
}

// tree tells the engine of the quotas.
func (v *view) tree(w *world) {
	there := map[string]bool{}
	for _, q := range w.tree() {
		there[q.Name] = true
		v.engine.SetQuota(q)
	}
	for name := range v.quotas {
		if !there[name] {
			v.engine.RemoveQuota(name)
		}
	}
	v.quotas = there
}

// ledger tells the engine of the nodes.
func (v *view) ledger(w *world) {
	nodes := w.ledger(func(uid string) bool { s := v.jobs[uid]; return s != nil && s.holds })
	there := make(map[string]bool, len(nodes))
	for i := range nodes {
		there[nodes[i].Name] = true
	}
	for name := range v.nodes {
		if !there[name] {
			v.engine.RemoveNode(name)
		}
	}
	for i := range nodes {
		v.engine.SetNode(nodes[i])
	}
	v.nodes = there
}

// around sums up all that candidates depend on besides their jobs, in any order.
func (w *world) around() (sum uint64) {
	add := func(parts ...string) {
		h := fnv.New64a()
		for _, part := range parts {
			_, _ = h.Write([]byte(part))
			_, _ = h.Write([]byte{0})
		}
		sum += h.Sum64()
	}
	for name, p := range w.projects {
		add("project", name, generation(p.Generation), strconv.FormatBool(p.DeletionTimestamp != nil), strconv.FormatBool(p.Status.Namespace != nil))
	}
	for name, q := range w.quotas {
		add("quota", name, string(q.UID), generation(q.Generation), strconv.FormatBool(q.DeletionTimestamp != nil))
	}
	for _, c := range w.clusters {
		ready := meta.IsStatusConditionTrue(c.Status.Conditions, platformv1.ConditionReady)
		add("cluster", c.Name, string(c.UID), generation(c.Generation), strconv.FormatBool(c.DeletionTimestamp != nil), strconv.FormatBool(ready))
	}
	for key := range w.secrets {
		add("secret", key.String())
	}
	return sum
}

func generation(n int64) string { return strconv.FormatInt(n, 10) }
