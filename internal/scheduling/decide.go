package scheduling

import (
	"slices"
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

var (
	// never is later than all times that matter.
	never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	// unknown is when a job ends of which it is not known: later than a reservation that waits for another such.
	unknown = never.Add(time.Second)
)

// Decisions are what follows from what the engine knows.
type Decisions struct {
	Starts []Start
	// Displaced are running jobs that give way.
	Displaced []Displacement
	// Again is when there may be more to decide though nothing happens; zero for never.
	Again time.Time
}

// Start is a job that starts.
type Start struct {
	Key string
	Placement
}

// Displacement is a running job that gives way to a waiting one, once its pods have ended.
type Displacement struct {
	Key string
	// For is the key of the job that takes its place.
	For string
	// Reclaimed reports that the job ran on what its quota had borrowed, and not that it was of lower priority.
	Reclaimed bool
	// Turn reports that its turn was over: it waits behind those that have waited until now.
	Turn bool
}

// Decide goes through the waiting jobs in their order and starts every one that quotas and nodes have room for. It counts in
// what it decides: the caller carries it out, or says what became of the job instead.
func (e *Engine) Decide(now time.Time) Decisions {
	return e.DecideSome(now, func(Start) bool { return false })
}

// DecideSome does so until enough have started, which it is asked after each. There may be more to decide at once then.
func (e *Engine) DecideSome(now time.Time, enough func(Start) bool) Decisions {
	e.clockWasSetBack(now)
	e.rebuild()
	e.takeOver()
	e.decided++
	e.age(now)
	var d Decisions
	clear(e.refused)
	d.Again = e.linger(now)
	e.growOld(now)
	e.losePatience(now)
	for g := range e.doubted {
		e.doubt(g)
	}
	clear(e.doubted)
	e.renew(now)
	e.nominate(now)
	part := false
	for c := e.next(); c != nil && !part; c = e.next() {
		e.makeReady(c)
		starts := len(d.Starts)
		e.step(c, now, &d)
		e.nominate(now)
		part = len(d.Starts) > starts && enough(d.Starts[starts])
	}
	if part { // what there is more of is so for who was not looked at yet
		d.Again = now
		e.takeSeats()
	} else {
		e.closeParks()
	}
	clear(e.undone)
	clear(e.kept)
	for _, c := range e.returned {
		c.returned = 0
	}
	e.returned = e.returned[:0]
	d.Again = earlier(d.Again, e.renew(now))
	if len(e.patient.items) > 0 {
		d.Again = earlier(d.Again, e.patient.items[0].until)
	}
	return d
}

// clockWasSetBack has all worked out anew that was to be looked at again after a while, where time has gone back since the last decisions.
func (e *Engine) clockWasSetBack(now time.Time) {
	if now.Before(e.lastDecided) {
		e.stale, e.aged, e.grewOld = true, now, now
		for _, r := range e.running {
			r.endingSince = time.Time{}
		}
	}
	e.lastDecided = now
}

// earlier is the earlier of two times, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// step looks at the first job of a class: it starts, or the class waits.
func (e *Engine) step(c *class, now time.Time, d *Decisions) {
	w := c.first()
	old := e.dropReservation(c)
	defer e.stayInLine(c)
	found := e.try(c, now)
	if found.shares != nil {
		switch {
		case old != nil:
			e.released(c)
		case c.place > 0:
			e.tookItsTurn(c)
			e.whoElse(c, now)
		}
		e.start(w, found, now)
		d.Starts = append(d.Starts, Start{w.Key, found.placement()})
		return
	}
	e.park(c, found)
	if found.busy && old != nil && e.keeps(old, now) {
		e.keep(c, old)
		return
	}
	switch {
	case found.busy:
		e.claim(c, old, now, d)
		e.pushAside(c)
	case c.place > 0:
		e.hungry[c.lane.queue.root()] = struct{}{}
	}
	switch {
	case old == nil:
	case c.reservation == nil:
		e.pay(c, false)
		e.released(c)
	case c.reservation.leavesMoreThan(old) || e.partsFrom(c, old):
		e.wakeHeldBack(c)
	}
}

// released follows up on a class that has no reservation any more: nobody is held back for it, and another may have one.
func (e *Engine) released(c *class) {
	e.wakeHeldBack(c)
	e.hungry[c.lane.queue.root()] = struct{}{}
}

// end marks a running job as one that is being ended.
func (e *Engine) end(d Displacement) {
	r := e.running[d.Key]
	e.byEnd.remove(r)
	r.Ending, r.For = true, d.For
	if d.Turn {
		r.Since = e.lastDecided
	}
	e.byEnd.insert(r)
}

// start counts the job in as one that runs.
func (e *Engine) start(w *waiting, found attempt, now time.Time) {
	c := w.class
	turn := c.turn
	c.verdict, c.paid = verdict{}, false
	if c.returned > 0 { // as many of the class as returned, and no others
		if c.returned--; c.returned == 0 {
			e.returned = slices.DeleteFunc(e.returned, func(other *class) bool { return other == c })
		}
	}
	r := Running{
		Key: w.Key, Quota: w.Quota, User: w.User, Priority: w.Priority, Preemptible: w.Preemptible,
		Replica: c.replica, Model: found.model, Nodes: found.placement().Nodes, Start: now, End: c.end(now), Since: w.Since,
	}
	if r.End.Equal(unknown) {
		r.End = time.Time{}
	}
	delete(e.waiting, w.Key)
	e.dequeue(w)
	e.admit(&running{Running: r, decided: e.decided, turn: turn})
}

// end is when a job of the class will have ended if it starts now.
func (c *class) end(now time.Time) time.Time {
	end := unknown
	if c.span > 0 {
		end = now.Add(c.span)
	}
	if c.until.After(now) && c.until.Before(end) {
		end = c.until
	}
	return end
}

// attempt is what a look at a job found.
type attempt struct {
	model  string
	uses   []use
	shares []share
	// busy reports that the job would start if others were not there.
	busy    bool
	verdict verdict
	// waitsFor is what there has to be more of.
	waitsFor []bindNeed
	groups   []*group
	behind   []heldBy
}

type bindNeed struct {
	bind
	need int64
}

func (a *attempt) placement() Placement {
	p := Placement{Pool: a.shares[0].node.Pool, Model: a.model}
	for _, s := range a.shares {
		p.Nodes = append(p.Nodes, Share{s.node.Name, s.replicas})
	}
	return p
}

// try looks for a place for the first job of the class: for each GPU model that it takes, the quota first and then nodes.
func (e *Engine) try(c *class, now time.Time) attempt {
	q := c.lane.queue
	if q.broken != "" {
		return attempt{verdict: verdict{reason: platformv1.JobReasonQuotaMissing, text: func() string { return q.broken }}}
	}
	total, end := c.replica.Times(c.replicas), c.end(now)
	a := attempt{}
	models := e.modelsOf(c)
	for _, model := range models {
		groups := e.groupsFor(c, model)
		if !everFits(groups, c) {
			a.groups = append(a.groups, groups...)
			a.verdict = better(a.verdict, verdict{reason: platformv1.JobReasonUnschedulable, text: func() string { return e.whyNever(c, model) }})
			continue
		}
		all := uses(total, e.model(model))
		if small := q.tooSmallFor(c.lane.user, all); small != nil {
			a.verdict = better(a.verdict, verdict{reason: platformv1.JobReasonQuotaTooSmall, text: func() string { return small.neverText(q, total, &e.models) }})
			continue
		}
		a.busy = true
		if bound, short := q.shortFor(c.lane.user, all); short {
			a.verdict = better(a.verdict, verdict{reason: platformv1.JobReasonQuotaExceeded, text: func() string { return bound.text(q, total, &e.models) }, bound: &bound.bind})
			a.waitsFor = append(append(a.waitsFor, bound), q.guaranteedBelow(bound.bind)...)
			continue
		}
		if held := e.heldByQuota(c, all, end); held != nil {
			a.verdict = better(a.verdict, c.heldBackFor(held))
			a.behind = append(a.behind, held...)
			a.waitsFor = append(a.waitsFor, q.guaranteedBelow(held[0].bound)...)
			continue
		}
		if shares := e.place(c, model, end); shares != nil {
			return attempt{model: model, uses: all, shares: shares}
		}
		a.groups = append(a.groups, groups...)
		if held := e.heldByNodes(c, model); len(held) > 0 {
			a.behind = append(a.behind, held...)
			a.verdict = better(a.verdict, c.heldBackFor(held))
		} else {
			a.verdict = better(a.verdict, verdict{reason: busyReason(groups, c, end), text: func() string { return e.whyBusy(c, model) }})
		}
	}
	if len(models) == 0 {
		a.verdict = verdict{reason: platformv1.JobReasonUnschedulable, text: func() string { return e.whyNever(c, "") }}
	}
	return a
}

// busyReason is why a job waits for which the nodes have no room now: for a place, or for more of the places that it needs together.
func busyReason(groups []*group, c *class, end time.Time) platformv1.JobReason {
	if c.replicas > 1 && bestFit(groups, c, c.replica, end, "") != nil {
		return platformv1.JobReasonGangWaiting
	}
	return platformv1.JobReasonQueued
}

// modelsOf are the GPU models that the class takes, the best first; a job without GPUs has the one empty model.
func (e *Engine) modelsOf(c *class) []string {
	if c.replica.GPUs == 0 {
		return []string{""}
	}
	if len(c.first().Models) > 0 {
		return c.first().Models
	}
	return e.gpuModels()
}

// gpuModels are the GPU models of the nodes that there are.
func (e *Engine) gpuModels() []string {
	var models []string
	for _, g := range e.groups {
		if g.gpus && len(g.nodes) > 0 && !slices.Contains(models, g.model) {
			models = append(models, g.model)
		}
	}
	slices.Sort(models)
	return models
}

func (q *queue) tooSmallFor(user string, all []use) *bind {
	for _, u := range all {
		if b := q.tooSmall(user, u); b != nil {
			return b
		}
	}
	return nil
}

// shortFor is the tightest of the bounds that the uses do not fit.
func (q *queue) shortFor(user string, all []use) (bindNeed, bool) {
	for _, u := range all {
		if left, at := q.slack(user, u); left < 0 {
			return bindNeed{at, at.room() - left}, true
		}
	}
	return bindNeed{}, false
}

// guaranteedBelow are the queues on the way to a bound to which something is guaranteed: when more of that is free, less
// counts at the bound.
func (q *queue) guaranteedBelow(bound bind) []bindNeed {
	var all []bindNeed
	for at := q; at != bound.queue && at != nil; at = at.parent {
		if b := (bind{queue: at, of: bound.of}); at.bounds[bound.of].guaranteed > 0 {
			all = append(all, bindNeed{b, b.room() + 1})
		}
	}
	return all
}

// everFits reports whether the nodes have room for the class's job when they are empty.
func everFits(groups []*group, c *class) bool {
	if c.within > 0 && c.replicas > 1 {
		var slots []share
		for _, g := range groups {
			for _, n := range g.nodes {
				if most := c.replica.count(n.Allocatable); most > 0 {
					slots = append(slots, share{n, most})
				}
			}
		}
		return smallestDomain(slots, c.within, c.replicas) != nil
	}
	slots := int64(0)
	for _, g := range groups {
		for size, nodes := range g.sizes {
			slots += nodes * min(c.replica.count(size), c.replicas)
		}
	}
	return slots >= c.replicas
}

// verdict is why a class waits. The text is made when somebody asks for it: most are never read, and what holds a job up
// then is newer than what did when it was looked at.
type verdict struct {
	reason platformv1.JobReason
	text   func() string
	// bound is the bound that is in use; nil where it is nodes that lack.
	bound *bind
	// behind are those for whom it is held back; nil where it is not.
	behind []heldBy
}

// better keeps the verdict that is nearer to a start: waiting for the rest of a gang before waiting for others before waiting for quota
// before never.
func better(a, b verdict) verdict {
	order := []platformv1.JobReason{platformv1.JobReasonGangWaiting, platformv1.JobReasonQueued, platformv1.JobReasonQuotaExceeded}
	index := func(v verdict) int {
		if i := slices.Index(order, v.reason); i >= 0 {
			return i
		}
		return len(order)
	}
	if a.reason == "" || index(b) < index(a) {
		return b
	}
	return a
}
