package scheduler

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/workload"
)

// wholeLook is how often everything is looked at, changed or not: an event that was missed hurts for no longer.
const wholeLook = time.Minute

// view is what the engine was told of the world so far. A round tells it what changed.
type view struct {
	client client.Client
	engine *scheduling.Engine
	// world is all but jobs and nodes, sum what it came to when candidates were last judged by it.
	world *world
	sum   uint64
	// jobs are those that exist, by UID; uids are their UIDs by name.
	jobs map[string]*seen
	uids map[client.ObjectKey]string
	// waiting are those that want a reservation, running those that hold one, by UID. The latter are the cache's own and are
	// never changed.
	waiting map[string]*candidate
	running map[string]*platformv1.Job
	quotas  map[string]bool
	nodes   map[string]bool
	whole   time.Time
}

// seen is a job as it was when it was last looked at.
type seen struct {
	key client.ObjectKey
	// version of the object; empty where it is to be looked at again.
	version string
	// holds reports that it holds a reservation.
	holds bool
	// strays are the nodes on which pods live that belong to no reservation of it.
	strays []string
}

// state is the jobs that wait in a round.
type state struct {
	waiting    []*candidate
	candidates map[string]*candidate
	// again is in how long something happens that no event tells of: a retry is due, a job that gave way goes ahead, a budget is
	// renewed, or an energy schedule opens or closes; zero for nothing.
	again time.Duration
}

func newView(from client.Client, engine *scheduling.Engine) *view {
	return &view{
		client: from, engine: engine, jobs: map[string]*seen{}, uids: map[client.ObjectKey]string{},
		waiting: map[string]*candidate{}, running: map[string]*platformv1.Job{}, quotas: map[string]bool{}, nodes: map[string]bool{},
	}
}

// look brings the view up to date with what changed.
func (v *view) look(ctx context.Context, b batch, now time.Time) error {
	whole := now.Sub(v.whole) >= wholeLook
	if whole {
		if err := v.everything(ctx, b); err != nil {
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
		if err := v.byName(ctx, key, b); err != nil {
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
func (v *view) everything(ctx context.Context, b batch) error {
	var jobs platformv1.JobList
	if err := v.client.List(ctx, &jobs, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	for i := range jobs.Items {
		b.jobs[client.ObjectKeyFromObject(&jobs.Items[i])] = struct{}{}
	}
	for key := range v.uids {
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
// anew.
func (v *view) around(ctx context.Context, b batch, now time.Time) error {
	w, err := readWorld(ctx, v.client, now)
	if err != nil {
		return err
	}
	sum := w.sum()
	if v.world != nil && v.sum == sum {
		return nil
	}
	if err := v.allNodes(ctx, b); err != nil {
		return err
	}
	v.world, v.sum = w, sum
	for uid, c := range v.waiting {
		v.jobs[uid].version = ""
		b.jobs[client.ObjectKeyFromObject(c.job)] = struct{}{}
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

// byName looks at the job of a name. What this process wrote of it is in what it reads.
func (v *view) byName(ctx context.Context, key client.ObjectKey, b batch) error {
	job := &platformv1.Job{}
	err := v.client.Get(ctx, key, job, client.UnsafeDisableDeepCopy)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("read job %s: %w", key, err)
	}
	if uid := v.uids[key]; uid != "" && (err != nil || uid != string(job.UID)) {
		v.forget(uid, b)
	}
	if err != nil {
		return nil
	}
	return v.job(ctx, job, b)
}

// job tells the engine of a job that changed.
func (v *view) job(ctx context.Context, job *platformv1.Job, b batch) error {
	uid, holds, wants := string(job.UID), job.Status.Reservation != nil, waits(job)
	s := v.jobs[uid]
	if s == nil {
		s = &seen{key: client.ObjectKeyFromObject(job)}
		v.jobs[uid], v.uids[s.key] = s, uid
	}
	b.addNodes(s.strays)
	s.strays = nil
	if !holds && (wants || s.holds) {
		if err := v.strays(ctx, job, s); err != nil {
			return err
		}
		b.addNodes(s.strays)
	}
	c := v.waiting[uid]
	if s.version == job.ResourceVersion && s.version != "" {
		if c != nil {
			c.alive = len(s.strays) > 0
		}
		return nil
	}
	s.version = job.ResourceVersion
	delete(v.running, uid)
	switch {
	case holds:
		v.running[uid] = job
		v.engine.SetRunning(holding(job))
		delete(v.waiting, uid)
	case !wants:
		v.engine.RemoveRunning(uid)
		v.engine.RemoveWaiting(uid)
		delete(v.waiting, uid)
	default:
		if s.holds {
			v.engine.RemoveRunning(uid)
		}
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
		return fmt.Errorf("list the pods of job %s: %w", s.key, err)
	}
	for i := range pods.Items {
		if !workload.Ended(&pods.Items[i]) {
			s.strays = append(s.strays, pods.Items[i].Spec.NodeName)
		}
	}
	return nil
}

// forget takes a job out that does not exist any more.
func (v *view) forget(uid string, b batch) {
	v.engine.RemoveRunning(uid)
	v.engine.RemoveWaiting(uid)
	s := v.jobs[uid]
	b.addNodes(s.strays)
	delete(v.uids, s.key)
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
	s.version = ""
	if waits := v.waiting[uid]; waits != nil {
		waits.asked = nil
	}
	c.put(batch{jobs: map[client.ObjectKey]struct{}{s.key: {}}})
}

// state is the jobs that wait in this round.
func (v *view) state(now time.Time) state {
	s := state{candidates: make(map[string]*candidate, len(v.waiting)), again: v.world.renewal(now)}
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
		c.hindered = v.world.unpaid(c.quota, now)
		s.again = sooner(s.again, v.world.setOverdue(c, now))
		s.waiting = append(s.waiting, c)
		s.candidates[uid] = c
	}
	s.again = sooner(s.again, v.world.changes(now))
	return s
}

// ask tells the engine which jobs may start in this round: those for which nothing but room is missing.
func (v *view) ask(s state) (asked int) {
	for uid, c := range v.waiting {
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
		if s := v.jobs[pods.Items[i].Labels[platformv1.LabelJobUID]]; s == nil || !s.holds {
			others = append(others, pods.Items[i])
		}
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
	if err := v.client.Get(ctx, s.key, job, client.UnsafeDisableDeepCopy); err != nil || string(job.UID) != uid {
		return nil
	}
	if job.Status.Reservation == nil || job.Status.Reservation.Ending != "" {
		return nil
	}
	return job
}
