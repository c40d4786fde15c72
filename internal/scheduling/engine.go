// Package scheduling decides which waiting jobs start now, on which nodes, and which running jobs give way to them.
//
// It is pure: what the world looks like goes in, decisions come out, and the same history of calls gives the same
// decisions. An Engine keeps a ledger of what is held of quotas and nodes, brought up to date by what changed and never
// copied: a what-if releases jobs in the ledger itself and takes them back. Waiting jobs that are alike are looked at once,
// and those that cannot start are not looked at again until there is more of what they lack.
package scheduling

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Options bound the engine's work.
type Options struct {
	// Reservations is for how many waiting jobs of a quota tree others are held back, so that they start at last; none where
	// it is negative, 4 where it is 0.
	Reservations int
	// Patience is how long a job waits before others are held back for it.
	Patience time.Duration
	// Renewal is how old a reservation may be that is not brought nearer though jobs ended before their time. What it promises
	// holds meanwhile.
	Renewal time.Duration
	// MaxAge is for how long the next job of a queue goes after those of others that have less of what is due to them: from then on it goes
	// before them. Where it is 0 others are held back by submission alone, and never by fair share.
	MaxAge time.Duration
	// Urgency is how long a job waits, where it may displace others, before it does, and before others are held back for it.
	Urgency time.Duration
}

// Defaults are the options of the manager: most jobs start before the patience of others is over, and what is held back is not
// used meanwhile.
func Defaults() Options {
	return Options{Reservations: 4, Patience: 5 * time.Minute, Renewal: 5 * time.Second, MaxAge: 24 * time.Hour, Urgency: 5 * time.Second}
}

// Engine decides. It is for one goroutine at a time.
type Engine struct {
	options Options
	quotas  map[string]Quota
	queues  map[string]*queue
	top     *queue
	models  modelIndex
	nodes   map[string]*node
	groups  []*group
	running map[string]*running
	byEnd   sortedBy[*running]
	waiting map[string]*waiting
	// heads are the classes with a reservation, hungry the trees in which another class may get one, nominees whose turn it is in
	// each, refused who was passed over in this round; line is who has a reservation, or whose turn it is, in their order.
	heads    []*class
	line     []*class
	hungry   map[*queue]struct{}
	nominees map[*queue][]*class
	refused  map[*class]struct{}
	patient  sortedBy[patience]
	// kept are the keys of those that are to get a reservation again, and whether others give way to them: they had one in the engine
	// before this one, or before they changed. takesOver reports that there was an engine of which that is not known.
	kept map[string]turn
	// aside is since when jobs have been the next of their queue that are out of it for a while, by key.
	aside     map[string]time.Time
	takesOver bool
	// tookOver reports that it was so before the last decisions.
	tookOver bool
	// undone are the jobs that the last decisions started and that were taken out since, by key, returned the classes of those of them
	// that wait again.
	undone   map[string]struct{}
	returned []*class
	// ready are the classes that are looked at, opened the parks of those who could use what became free, contests the races in which
	// the next is found, looked the classes that were looked at and did not start.
	ready    *race
	opened   []*park
	contests []*race
	looked   []*class
	parks    int
	// doubted are the groups that have lost nodes since the last decisions.
	doubted map[*group]struct{}
	// decided is how many times decisions were asked for.
	decided int
	classes int
	// stale reports that the tree of quotas has to be made anew.
	stale bool
	// aged is when past use was last brought up to date, grewOld when it was last looked who has waited for so long that fair share does
	// not count, lastDecided when decisions were last asked for.
	aged, grewOld, lastDecided time.Time
}

// New makes an engine that knows of nothing.
func New(options Options) *Engine {
	if options.Reservations == 0 {
		options.Reservations = 4
	}
	return &Engine{
		options: options, quotas: map[string]Quota{}, queues: map[string]*queue{}, nodes: map[string]*node{},
		running: map[string]*running{}, byEnd: sortedBy[*running]{compare: compareEnds}, waiting: map[string]*waiting{},
		hungry: map[*queue]struct{}{}, nominees: map[*queue][]*class{}, refused: map[*class]struct{}{}, patient: sortedBy[patience]{compare: comparePatience},
		kept: map[string]turn{}, aside: map[string]time.Time{}, undone: map[string]struct{}{}, doubted: map[*group]struct{}{},
		ready: newRace(need{}), stale: true,
	}
}

// Running is a job that holds a reservation.
type Running struct {
	Key   string
	Quota string
	User  string
	// Priority and Preemptible say whom it gives way to.
	Priority    int
	Preemptible bool
	// Replica is what each replica holds, Model of which model its GPUs are.
	Replica Amounts
	Model   string
	Nodes   []Share
	// Models, Pools, Spot and Within are what it asks for when it waits again, as in a Request.
	Models, Pools []string
	Spot          bool
	Within        int
	// Start is when it began to run; of one that does not run yet, when it was given its reservation.
	Start time.Time
	// Starting jobs do not run yet: they have done no work, and nothing of the time that is promised to them is over.
	Starting bool
	// End is when it will have ended at the latest; zero where that is not known.
	End time.Time
	// Ending jobs are being ended: what they hold is free in a moment, or when they have had their grace.
	Ending bool
	// Grace is how long the job has to end; zero for half a minute.
	Grace time.Duration
	// For is the key of the waiting job that it gives way to; empty where it does not.
	For string
	// Since is when it began to wait, before it was let in.
	Since time.Time
}

// running is a job in the ledger.
type running struct {
	Running
	queue *queue
	uses  []use
	on    []share
	// decided is the number of the decisions in which it was started; 0 where it was so already.
	decided int
	// turn is since when it had been the next of its queue then; zero where it had not.
	turn time.Time
	// endingSince is when it was first seen that it is being ended, lingers whether that was too long ago.
	endingSince time.Time
	lingers     bool
}

// until is when the job ends at the latest.
func (r *running) until() time.Time {
	if r.End.IsZero() {
		return unknown
	}
	return r.End
}

// compareEnds puts first what is free first: jobs that are being ended, then by the latest time of their end, then those of
// which it is not known, the oldest first.
func compareEnds(a, b *running) int {
	return cmp.Or(compareBool(b.ends(), a.ends()), compareBool(b.known(), a.known()), a.End.Compare(b.End),
		a.Start.Compare(b.Start), cmp.Compare(a.Key, b.Key))
}

// SetQuota adds a quota or changes it.
func (e *Engine) SetQuota(q Quota) {
	if old, known := e.quotas[q.Name]; known && reflect.DeepEqual(old, q) {
		return
	}
	e.quotas[q.Name] = q
	e.stale = true
}

// RemoveQuota takes a quota out. Jobs that wait under it are told so.
func (e *Engine) RemoveQuota(name string) {
	delete(e.quotas, name)
	e.stale = true
}

// SetNode adds a node or changes it.
func (e *Engine) SetNode(n Node) {
	n.Allocatable.Pods = max(n.Allocatable.Pods, 0)
	if old := e.nodes[n.Name]; old != nil {
		if slices.Equal(old.Domains, n.Domains) && old.kind() == n.kind() && old.Allocatable == n.Allocatable {
			if old.Foreign != n.Foreign {
				e.setForeign(old, n.Foreign)
			}
			return
		}
		e.RemoveNode(n.Name)
	}
	e.model(n.GPUModel)
	added := &node{Node: n, within: n.domains(), free: n.Allocatable.Minus(n.Foreign)}
	e.nodes[n.Name] = added
	added.group = e.group(n.kind())
	added.group.add(added)
	for _, r := range e.running {
		for _, s := range r.Nodes {
			if s.Node == n.Name {
				r.on = append(r.on, share{added, s.Replicas})
				added.take(r.Replica.Times(s.Replicas))
				added.starts(r)
			}
		}
	}
	e.freedOn(added)
	e.outdateOn(added)
	if len(added.group.nodes) == 1 {
		e.reconsider(&added.group.kind)
	} else {
		e.reconsider(nil)
	}
}

// RemoveNode takes a node out, or marks that no job may start on it. Jobs that run there go on.
func (e *Engine) RemoveNode(name string) {
	old := e.nodes[name]
	if old == nil {
		return
	}
	delete(e.nodes, name)
	old.group.remove(old)
	for _, head := range e.heads {
		if head.reservation.on([]share{{node: old}}) {
			e.replan(head)
		}
	}
	for _, r := range e.running {
		r.on = slices.DeleteFunc(r.on, func(s share) bool { return s.node == old })
	}
	e.reconsider(nil)
	e.doubted[old.group] = struct{}{}
}

// group is the group of nodes of a kind.
func (e *Engine) group(k kind) *group {
	for _, g := range e.groups {
		if g.kind == k {
			return g
		}
	}
	g := &group{kind: k, sizes: map[Amounts]int64{}, park: e.newPark(bind{})}
	e.groups = append(e.groups, g)
	slices.SortFunc(e.groups, compareKinds)
	return g
}

// SetRunning adds a job that holds a reservation, or changes it.
func (e *Engine) SetRunning(r Running) {
	e.RemoveWaiting(r.Key)
	if old := e.running[r.Key]; old != nil {
		if e.change(old, &r) {
			return
		}
		e.RemoveRunning(r.Key)
	}
	r.Replica.Pods = 1
	e.admit(&running{Running: r})
}

// change brings a running job up to date where it holds what it held; it reports whether that is so.
func (e *Engine) change(old *running, r *Running) bool {
	sameHold := old.Quota == r.Quota && old.User == r.User && old.Model == r.Model && slices.Equal(old.Nodes, r.Nodes) &&
		old.Replica.MilliCPU == r.Replica.MilliCPU && old.Replica.Memory == r.Replica.Memory && old.Replica.GPUs == r.Replica.GPUs
	if !sameHold {
		return false
	}
	if old.Start.Equal(r.Start) && old.Starting == r.Starting && old.End.Equal(r.End) && old.Ending == r.Ending {
		if old.Priority != r.Priority || old.Preemptible != r.Preemptible {
			e.outdate(old) // others may displace it now, or not any more
		}
		old.note(r)
		return true
	}
	if old.Ending && !r.Ending {
		e.countedOn()
	}
	e.byEnd.remove(old)
	old.note(r)
	old.Start, old.Starting, old.End, old.Ending = r.Start, r.Starting, r.End, r.Ending
	if !old.Ending {
		old.endingSince, old.lingers = time.Time{}, false
	}
	e.byEnd.insert(old)
	for _, s := range old.on {
		s.node.settle()
	}
	e.outdate(old)
	return true
}

// note takes over what does not matter to what the job holds, and when.
func (r *running) note(told *Running) {
	r.Priority, r.Preemptible, r.Grace, r.For, r.Since = told.Priority, told.Preemptible, told.Grace, told.For, told.Since
	r.Models, r.Pools, r.Spot, r.Within = told.Models, told.Pools, told.Spot, told.Within
}

// admit counts a job in.
func (e *Engine) admit(r *running) {
	total := Amounts{}
	for _, s := range r.Nodes {
		total = total.Plus(r.Replica.Times(s.Replicas))
		if n := e.nodes[s.Node]; n != nil {
			r.on = append(r.on, share{n, s.Replicas})
		}
	}
	r.uses = uses(total, e.model(r.Model))
	r.queue = e.queues[r.Quota]
	e.running[r.Key] = r
	e.byEnd.insert(r)
	e.takenFrom(r)
	e.hold(r)
	for _, s := range r.on {
		s.node.starts(r)
	}
	if r.queue != nil {
		r.queue.lane(r.User).touch()
	}
}

// RemoveRunning takes a job out that has released its reservation.
func (e *Engine) RemoveRunning(key string) {
	r := e.running[key]
	if r == nil {
		return
	}
	delete(e.running, key)
	if r.decided > 0 && r.decided == e.decided {
		e.undone[key] = struct{}{}
		if !r.turn.IsZero() {
			e.aside[key] = r.turn
		}
	}
	e.byEnd.remove(r)
	e.release(r)
	if r.queue != nil {
		r.queue.lane(r.User).touch()
		e.freed(r.queue, r.User)
	}
	for _, s := range r.on {
		s.node.ends(r)
		e.freedOn(s.node)
	}
	e.givenBack(r)
	e.outdate(r)
}

// hold counts what a job holds in, release out. Nobody is woken: both are used to try things out as well.
func (e *Engine) hold(r *running) {
	if r.queue != nil {
		r.queue.hold(r.User, r.uses)
	}
	for _, s := range r.on {
		s.node.take(r.Replica.Times(s.replicas))
	}
}

func (e *Engine) release(r *running) {
	if r.queue != nil {
		r.queue.release(r.User, r.uses)
	}
	for _, s := range r.on {
		s.node.take(r.Replica.Times(-s.replicas))
	}
}

// model is the dimension of a GPU model. One that is new to the engine gets its bounds in every quota.
func (e *Engine) model(name string) dimension {
	known := len(e.models.names)
	d := e.models.of(name)
	if len(e.models.names) > known && e.top != nil {
		e.measure()
	}
	return d
}

// Refusal is why a job does not start.
type Refusal struct {
	Reason  platformv1.JobReason
	Message string
}

// Reason is why a waiting job does not start, and its place in its queue, from 1; empty while it was not looked at.
func (e *Engine) Reason(key string) (platformv1.JobReason, int32) {
	w := e.waiting[key]
	switch {
	case w == nil:
		return "", 0
	case w.class == nil:
		return platformv1.JobReasonQuotaMissing, 1
	case w.class.verdict.reason == "":
		return "", 0
	}
	return w.class.verdict.reason, int32(w.class.lane.queue.order.rank(w)) + 1 //nolint:gosec // there are not so many jobs
}

// Message tells a person why a waiting job does not start, as things are now.
func (e *Engine) Message(key string) string {
	w := e.waiting[key]
	switch {
	case w == nil:
		return ""
	case w.class == nil:
		return fmt.Sprintf("the quota %q does not exist", w.Quota)
	case w.class.verdict.reason == "":
		return ""
	}
	return w.class.verdict.text()
}
