package scheduler

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/cached"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/workload"
)

// wholeLook is how often everything is looked at, changed or not: an event that was missed hurts for no longer.
const wholeLook = time.Minute

// view is what the engine was told of the world so far. A round tells it what changed.
type view struct {
	client client.Client
	engine *scheduling.Engine
	// kept is where the cache keeps jobs, copied what the client last read of one.
	kept   func(context.Context) (toolscache.Store, error)
	copied platformv1.Job
	// world is all but jobs and nodes, sum what it came to when candidates were last judged by it.
	world *world
	sum   uint64
	// jobs are those that exist, by UID; names are the same by name.
	jobs  map[string]*seen
	names map[client.ObjectKey]*seen
	// waiting are those that want a reservation, running those that hold one, by UID.
	waiting map[string]*candidate
	running map[string]*platformv1.Job
	// unknown is since when it is not known how budgets stand.
	unknown map[budgetName]time.Time
	quotas  map[string]bool
	nodes   map[string]bool
	whole   time.Time
}

// seen is a job as it was when it was last looked at.
type seen struct {
	// job is the cache's own, as all jobs of a view are: it is never changed.
	job *platformv1.Job
	// strays are the nodes on which pods live that belong to no reservation of it.
	strays []string
	// holds reports that it holds a reservation, again that it is to be looked at though it did not change.
	holds, again bool
}

// state is the jobs that wait in a round.
type state struct {
	waiting    []*candidate
	candidates map[string]*candidate
	// again is in how long something happens that no event tells of: a retry is due, a job that gave way goes ahead, a budget is
	// renewed, or an energy schedule opens or closes; zero for nothing.
	again time.Duration
}

func newView(from client.Client, kept func(context.Context) (toolscache.Store, error), engine *scheduling.Engine) *view {
	return &view{
		client: from, kept: kept, engine: engine, jobs: map[string]*seen{}, names: map[client.ObjectKey]*seen{},
		waiting: map[string]*candidate{}, running: map[string]*platformv1.Job{}, quotas: map[string]bool{}, nodes: map[string]bool{},
	}
}

// look brings the view up to date with what changed.
func (v *view) look(ctx context.Context, b batch, now time.Time) error {
	jobs, err := v.kept(ctx)
	if err != nil {
		return err
	}
	whole := now.Sub(v.whole) >= wholeLook
	if whole {
		if err := v.everything(ctx, jobs, b); err != nil {
			return err
		}
		b.around = true
	}
	if b.around || v.world.due(now) {
		if err := v.around(ctx, b, now); err != nil {
			return err
		}
	}
	for key := range b.jobs {
		if err := v.byName(ctx, jobs, key, b); err != nil {
			return err
		}
	}
	for name := range b.nodes {
		if err := v.node(ctx, name); err != nil {
			return err
		}
	}
	if whole {
		v.whole = now
	}
	return nil
}

// everything puts all that there is, and all that was, into the batch.
func (v *view) everything(ctx context.Context, jobs toolscache.Store, b batch) error {
	for _, job := range cached.All[*platformv1.Job](jobs) {
		b.jobs[client.ObjectKeyFromObject(job)] = struct{}{}
	}
	for key := range v.names {
		b.jobs[key] = struct{}{}
	}
	return v.allNodes(ctx, b)
}

func (v *view) allNodes(ctx context.Context, b batch) error {
	var nodes corev1.NodeList
	if err := v.client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	for i := range nodes.Items {
		b.nodes[nodes.Items[i].Name] = struct{}{}
	}
	for name := range v.nodes {
		b.nodes[name] = struct{}{}
	}
	return nil
}

// around looks at all but jobs and nodes. Where that changed, if only with the time, every waiting job and every node is judged
// anew, and every running job that is bound to an energy schedule.
func (v *view) around(ctx context.Context, b batch, now time.Time) error {
	w, err := readWorld(ctx, v.client, now)
	if err != nil {
		return err
	}
	sum := w.sum()
	if v.world != nil && v.sum == sum {
		v.world.budgets = w.budgets
		return nil
	}
	if err := v.allNodes(ctx, b); err != nil {
		return err
	}
	v.world, v.sum = w, sum
	for uid := range v.waiting {
		v.again(uid, b)
	}
	for uid, job := range v.running {
		if job.Spec.EnergySchedule != "" {
			v.again(uid, b)
		}
	}
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
	return nil
}

// again has a job looked at though it did not change.
func (v *view) again(uid string, b batch) {
	s := v.jobs[uid]
	s.again = true
	b.jobs[client.ObjectKeyFromObject(s.job)] = struct{}{}
}

// byName looks at the job of a name.
func (v *view) byName(ctx context.Context, jobs toolscache.Store, key client.ObjectKey, b batch) error {
	// That the client found it, or not, says that the cache contains what this process wrote of it.
	if err := v.client.Get(ctx, key, &v.copied, client.UnsafeDisableDeepCopy); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read job %s: %w", key, err)
	}
	job, err := cached.Get[*platformv1.Job](jobs, key)
	if err != nil {
		return fmt.Errorf("read job %s: %w", key, err)
	}
	if s := v.names[key]; s != nil && (job == nil || job.UID != s.job.UID) {
		v.forget(s, b)
	}
	if job == nil {
		return nil
	}
	return v.job(ctx, jobs, job, b)
}

// job tells the engine of a job that changed.
func (v *view) job(ctx context.Context, jobs toolscache.Store, job *platformv1.Job, b batch) error {
	uid, holds, wants := string(job.UID), job.Status.Reservation != nil, waits(job)
	s := v.jobs[uid]
	if s == nil {
		s = &seen{job: job, again: true}
		v.jobs[uid], v.names[client.ObjectKeyFromObject(job)] = s, s
	}
	b.addNodes(s.strays)
	had := len(s.strays) > 0
	s.strays = nil
	if !holds && (wants || s.holds || had) {
		if err := v.strays(ctx, job, s); err != nil {
			return err
		}
		b.addNodes(s.strays)
	}
	c := v.waiting[uid]
	if s.job.ResourceVersion == job.ResourceVersion && !s.again {
		if c != nil {
			c.alive = len(s.strays) > 0
		}
		return nil
	}
	s.job, s.again = job, false
	delete(v.running, uid)
	switch {
	case holds:
		v.running[uid] = job
		holding := v.world.holding(job)
		holding.For = givesWayTo(jobs, job.Status.Reservation)
		v.engine.SetRunning(holding)
		delete(v.waiting, uid)
	case !wants:
		v.engine.RemoveRunning(uid)
		v.engine.RemoveWaiting(uid)
		delete(v.waiting, uid)
	default:
		v.engine.RemoveRunning(uid) // it may have been decided on, and that not been written
		judged := v.world.candidate(job)
		judged.alive = len(s.strays) > 0
		if c != nil {
			judged.asked, judged.changed = c.asked, true
		}
		v.waiting[uid] = judged
	}
	s.holds = holds
	return nil
}

// givesWayTo is the UID of the job to which the holder of a reservation gives way, which stands there by its name or by its UID; empty
// for none.
func givesWayTo(jobs toolscache.Store, held *platformv1.Reservation) string {
	namespace, name, named := strings.Cut(held.DisplacedFor, "/")
	if !named {
		return held.DisplacedFor
	}
	other, err := cached.Get[*platformv1.Job](jobs, client.ObjectKey{Namespace: namespace, Name: name})
	if err != nil || other == nil {
		return ""
	}
	return string(other.UID)
}

func (b batch) addNodes(names []string) {
	for _, name := range names {
		b.nodes[name] = struct{}{}
	}
}

// strays looks for pods of the job that live though it holds no reservation: it is not started again before they have ended.
func (v *view) strays(ctx context.Context, job *platformv1.Job, s *seen) error {
	var pods corev1.PodList
	err := v.client.List(ctx, &pods, client.InNamespace(job.Namespace), client.MatchingFields{workload.PodsByJob: string(job.UID)},
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	if err != nil {
		return fmt.Errorf("list the pods of job %s/%s: %w", job.Namespace, job.Name, err)
	}
	for i := range pods.Items {
		if !workload.Ended(&pods.Items[i]) {
			s.strays = append(s.strays, pods.Items[i].Spec.NodeName)
		}
	}
	return nil
}

// forget takes a job out that does not exist any more.
func (v *view) forget(s *seen, b batch) {
	uid := string(s.job.UID)
	v.engine.RemoveRunning(uid)
	v.engine.RemoveWaiting(uid)
	b.addNodes(s.strays)
	if held := s.job.Status.Reservation; held != nil { // what lives there belongs to nobody now
		for _, share := range held.Nodes {
			b.nodes[share.Node] = struct{}{}
		}
	}
	delete(v.names, client.ObjectKeyFromObject(s.job))
	delete(v.jobs, uid)
	delete(v.waiting, uid)
	delete(v.running, uid)
}

// doubt has a job looked at again in the next round, as the engine counts on something that may not come true.
func (v *view) doubt(uid string, c *changes) {
	s := v.jobs[uid]
	if s == nil {
		return
	}
	s.again = true
	if waits := v.waiting[uid]; waits != nil {
		waits.asked = false
	}
	c.put(batch{jobs: map[client.ObjectKey]struct{}{client.ObjectKeyFromObject(s.job): {}}})
}

// state is the jobs that wait in this round.
func (v *view) state(now time.Time) state {
	s := state{candidates: make(map[string]*candidate, len(v.waiting)), again: v.world.renewal(now)}
	v.unknown = v.world.unknownSince(v.unknown, now)
	hindrances := make(map[string]unpaid, len(v.world.budgets))
	for quota := range v.world.budgets {
		hindrances[quota] = v.world.unpaid(quota, v.unknown, now)
	}
	for uid, c := range v.waiting {
		if c.alive {
			continue
		}
		if retry := c.job.Status.RetryTime; retry != nil {
			if left := retry.Sub(now); left > 0 {
				s.again = sooner(s.again, left)
				continue
			}
		}
		hindered := hindrances[c.quota]
		c.hindered, c.held = hindered.refusal, hindered.hold > 0
		s.again = sooner(sooner(s.again, hindered.hold), v.world.setOverdue(c, now))
		s.waiting = append(s.waiting, c)
		s.candidates[uid] = c
	}
	s.again = sooner(s.again, v.world.changes(now))
	return s
}

// ask tells the engine which jobs may start in this round: those for which nothing but room is missing. Those that are held are among
// them: what is kept for them stays theirs, and what the engine decides for them is not carried out.
func (v *view) ask(s state) (asked int) {
	for uid, c := range v.waiting {
		if s.candidates[uid] != c || c.why() != nil {
			if c.asked {
				v.engine.SetAside(uid)
				c.asked = false
			}
			continue
		}
		asked++
		if !c.asked || c.changed {
			v.engine.SetWaiting(c.asks())
			c.asked, c.changed = true, false
		}
	}
	return asked
}

// node tells the engine of a node, with what is on it that belongs to no job with a reservation.
func (v *view) node(ctx context.Context, name string) error {
	node := &corev1.Node{}
	err := v.client.Get(ctx, client.ObjectKey{Name: name}, node, client.UnsafeDisableDeepCopy)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("read node %s: %w", name, err)
	}
	if err != nil || !workload.Schedulable(node, v.world.tolerations()) {
		v.engine.RemoveNode(name)
		delete(v.nodes, name)
		return nil
	}
	var pods corev1.PodList
	err = v.client.List(ctx, &pods, client.MatchingFields{workload.PodsByNode: name}, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	if err != nil {
		return fmt.Errorf("list the pods on node %s: %w", name, err)
	}
	others := pods.Items[:0]
	for i := range pods.Items {
		if owner := jobOf(&pods.Items[i]); owner != nil {
			if s := v.jobs[string(owner.UID)]; s != nil && s.holds {
				continue
			}
		}
		others = append(others, pods.Items[i])
	}
	v.nodes[name] = true
	v.engine.SetNode(v.world.node(node, others))
	return nil
}

// holder reads the job that holds a reservation and is to give way; nil where it does not any more, or ends already.
func (v *view) holder(ctx context.Context, uid string) *platformv1.Job {
	s := v.jobs[uid]
	if s == nil {
		return nil
	}
	job := &platformv1.Job{}
	if err := v.client.Get(ctx, client.ObjectKeyFromObject(s.job), job, client.UnsafeDisableDeepCopy); err != nil || string(job.UID) != uid {
		return nil
	}
	if job.Status.Reservation == nil || job.Status.Reservation.Ending != "" {
		return nil
	}
	return job
}
