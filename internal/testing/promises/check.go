// Package promises checks, on a log of everything that happened to jobs, their pods, quotas and nodes, what Soma promises about every
// moment: no look at the end could tell that something was wrong for a while in between.
package promises

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Event is an object as one revision of the API server left it. Exactly one of Job, Pod, Quota and
// Node is given.
type Event struct {
	// Revision at which it happened; revisions order the events of all kinds.
	Revision int64
	// Deleted reports that the object is gone since then.
	Deleted bool
	Job     *v1alpha1.Job
	Pod     *corev1.Pod
	Quota   *v1alpha1.Quota
	Node    *corev1.Node
}

// Check replays the events in the order of their revisions and returns an error that names every broken promise, or nil:
//
//   - no new reservation exceeds its quota or one above it, or takes what another does not lend (I2), or what its nodes have
//     together with those that hold them already, and every one is for all replicas of its job;
//   - none is made while a budget that ends that is used up, what jobs used is settled once, before they go, and no quota goes before those
//     that hold something under it;
//   - a pod is made only while its job holds the reservation of the pod's attempt (I3);
//   - pods of two attempts are never alive together, and a reservation is released only when no pod of it is alive (I4);
//   - a job that ended stays as it ended, and is removed only then;
//   - transitions are numbered without gaps and never told in two ways, and no phase changes without one (I6).
func Check(events []Event) error {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.Revision, b.Revision) })
	w := newWorld()
	for _, e := range events {
		switch {
		case e.Job != nil:
			w.job(e)
		case e.Pod != nil:
			w.pod(e)
		case e.Quota != nil:
			w.quota(e)
		case e.Node != nil && e.Deleted:
			delete(w.nodes, e.Node.Name)
		case e.Node != nil:
			w.nodes[e.Node.Name] = e.Node
		}
	}
	return errors.Join(w.broken...)
}

// Transitions is what the journals of a job told while it existed, in order.
func Transitions(events []Event, job types.UID) []v1alpha1.Transition {
	told := map[int64]v1alpha1.Transition{}
	for _, e := range events {
		if e.Job == nil || e.Job.UID != job {
			continue
		}
		for _, t := range e.Job.Status.Journal.Entries {
			told[t.Sequence] = t
		}
	}
	all := make([]v1alpha1.Transition, 0, len(told))
	for _, t := range told {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b v1alpha1.Transition) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return all
}

// world is what exists at one revision.
type world struct {
	jobs   map[types.UID]*v1alpha1.Job
	pods   map[types.UID]*corev1.Pod
	quotas map[string]*v1alpha1.Quota
	nodes  map[string]*corev1.Node
	told   map[types.UID]map[int64]v1alpha1.Transition
	// accounts are what quotas settled, by UID.
	accounts map[types.UID]*account
	broken   []error
}

func newWorld() *world {
	return &world{
		jobs: map[types.UID]*v1alpha1.Job{}, pods: map[types.UID]*corev1.Pod{}, quotas: map[string]*v1alpha1.Quota{},
		nodes: map[string]*corev1.Node{}, told: map[types.UID]map[int64]v1alpha1.Transition{}, accounts: map[types.UID]*account{},
	}
}

func (w *world) report(e Event, format string, args ...any) {
	w.broken = append(w.broken, fmt.Errorf("revision %d: "+format, append([]any{e.Revision}, args...)...))
}

func (w *world) job(e Event) {
	job := e.Job
	before := w.jobs[job.UID]
	if before == nil {
		before = &v1alpha1.Job{}
	}
	w.journal(e, before)
	if before.Status.Phase.Finished() && job.Status.Phase != before.Status.Phase {
		w.report(e, "job %s was %s and became %s", job.Name, before.Status.Phase, job.Status.Phase)
	}
	if e.Deleted {
		if !job.Status.Phase.Finished() || job.Status.Reservation != nil {
			w.report(e, "job %s was removed while %q, with a reservation: %t", job.Name, job.Status.Phase, job.Status.Reservation != nil)
		}
		w.unsettled(e)
		delete(w.jobs, job.UID)
		return
	}
	w.jobs[job.UID] = job
	held, holds := before.Status.Reservation, job.Status.Reservation
	released := held != nil && (holds == nil || holds.Attempt != held.Attempt)
	reserved := holds != nil && (held == nil || holds.Attempt != held.Attempt)
	if released {
		for _, pod := range w.alive(job.UID) {
			w.report(e, "job %s released attempt %d while its pod %s was alive", job.Name, held.Attempt, pod.Name)
		}
	}
	if reserved {
		w.reservation(e, before)
	}
}

func (w *world) reservation(e Event, before *v1alpha1.Job) {
	job, reservation := e.Job, e.Job.Status.Reservation
	if reservation.Attempt != before.Status.Attempt+1 {
		w.report(e, "job %s reserved attempt %d after %d", job.Name, reservation.Attempt, before.Status.Attempt)
	}
	if n := replicas(reservation); n != int64(job.Spec.ReplicaCount()) {
		w.report(e, "job %s reserved %d of %d replicas", job.Name, n, job.Spec.ReplicaCount())
	}
	for _, pod := range w.alive(job.UID) {
		w.report(e, "job %s reserved attempt %d while pod %s was alive", job.Name, reservation.Attempt, pod.Name)
	}
	for _, share := range reservation.Nodes {
		w.room(e, share.Node)
	}
	quota := w.quotas[reservation.Quota]
	if quota == nil {
		w.report(e, "job %s reserved from quota %s, which does not exist", job.Name, reservation.Quota)
		return
	}
	w.limits(e, quota)
	w.budgets(e, quota)
}

func (w *world) journal(e Event, before *v1alpha1.Job) {
	job := e.Job
	told := w.told[job.UID]
	if told == nil {
		told = map[int64]v1alpha1.Transition{}
		w.told[job.UID] = told
	}
	newest := before.Status.Journal.Sequence
	if job.Status.Journal.Sequence < newest {
		w.report(e, "the journal of job %s fell from %d to %d", job.Name, newest, job.Status.Journal.Sequence)
	}
	untouched := job.Status.ObservedGeneration == -1 && newest == 0 // the schema's defaults are no transition
	if job.Status.Phase != before.Status.Phase && job.Status.Journal.Sequence == newest && !untouched {
		w.report(e, "job %s went from %q to %q without an entry in its journal", job.Name, before.Status.Phase, job.Status.Phase)
	}
	for _, t := range job.Status.Journal.Entries {
		if known, there := told[t.Sequence]; there && !equality.Semantic.DeepEqual(known, t) {
			w.report(e, "transition %d of job %s was %s/%s and became %s/%s", t.Sequence, job.Name, known.Phase, known.Reason, t.Phase, t.Reason)
		}
		told[t.Sequence] = t
	}
	for sequence := newest + 1; sequence <= job.Status.Journal.Sequence; sequence++ {
		if _, there := told[sequence]; !there {
			w.report(e, "transition %d of job %s was never told", sequence, job.Name)
		}
	}
}

func (w *world) pod(e Event) {
	pod := e.Pod
	uid := types.UID(pod.Labels[v1alpha1.LabelJobUID])
	if uid == "" {
		return
	}
	_, known := w.pods[pod.UID]
	if e.Deleted {
		delete(w.pods, pod.UID)
		return
	}
	w.pods[pod.UID] = pod
	if known {
		return
	}
	job := w.jobs[uid]
	if job == nil || job.Status.Reservation == nil || strconv.Itoa(int(job.Status.Reservation.Attempt)) != pod.Labels[v1alpha1.LabelAttempt] {
		w.report(e, "pod %s was made without a reservation", pod.Name)
	} else if job.Status.Reservation.Ending != "" {
		w.report(e, "pod %s was made while its attempt was being ended", pod.Name)
	}
	for _, other := range w.alive(uid) {
		if other.Labels[v1alpha1.LabelAttempt] != pod.Labels[v1alpha1.LabelAttempt] {
			w.report(e, "pod %s was made while pod %s of another attempt was alive", pod.Name, other.Name)
		}
	}
}

// alive are the pods of a job that have not ended.
func (w *world) alive(job types.UID) []*corev1.Pod {
	var alive []*corev1.Pod
	for _, pod := range w.pods {
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if !ended && pod.Labels[v1alpha1.LabelJobUID] == string(job) {
			alive = append(alive, pod)
		}
	}
	return alive
}

func replicas(reservation *v1alpha1.Reservation) int64 {
	n := int64(0)
	for _, share := range reservation.Nodes {
		n += int64(share.Replicas)
	}
	return n
}
