package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/workload"
)

// journalReserve is the room that a job's journal must have before another attempt begins: every transition of an attempt
// and the job's last one must find a place, also when the history is away.
const journalReserve = 6

// defaultLongestWait is how long a job waits that gave way, where its quotas do not say; maxDepth bounds how far up is looked.
const (
	defaultLongestWait = 2 * time.Hour
	maxDepth           = 64
)

// slowStart is how long it takes at most, by what is reckoned with, until a job runs that was given a reservation.
const slowStart = 30 * time.Second

// margin is what an attempt takes beyond its life span at most: to start, and to end.
func margin(job *platformv1.Job) time.Duration { return slowStart + workload.GracePeriod(job) }

// candidate is a waiting job with what it would start as. There are as many as jobs wait: what can be told again is not kept.
type candidate struct {
	job     *platformv1.Job
	quota   string
	cluster *platformv1.Cluster
	// schedule is the energy schedule that the job is bound to; nil for none.
	schedule *platformv1.EnergySchedule
	// refusal is why the job cannot start whatever is free; nil where that is for the engine to say.
	refusal *scheduling.Refusal
	// hindered is why it is left alone in this round, though the engine could start it.
	hindered *scheduling.Refusal
	// held reports that it keeps its place in this round and does not start, nor does anybody give way to it.
	held bool
	// closes is when it has made its pause if it starts now; zero for never.
	closes time.Time
	// overdue reports that the job gave way to another and has waited for longer than it should.
	overdue bool
	// asked reports that the engine was told of it, changed that it is to be told again.
	asked, changed bool
	// alive reports that pods of it live, of an attempt that is over.
	alive bool
}

func (c *candidate) key() string { return string(c.job.UID) }

// request is what the job asks for. That this can be told of it was found out when it was judged.
func (c *candidate) request() workload.Request {
	request, _ := workload.Resolve(&c.job.Spec, &c.cluster.Spec)
	return request
}

// why is what keeps the job from its start whatever is free; nil where that is for the engine to say.
func (c *candidate) why() *scheduling.Refusal {
	if c.refusal != nil {
		return c.refusal
	}
	return c.hindered
}

// waits reports whether a job wants a reservation.
func waits(job *platformv1.Job) bool {
	return (job.Status.Phase == "" || job.Status.Phase == platformv1.JobPending) && job.Status.Reservation == nil &&
		job.DeletionTimestamp == nil && !job.Spec.CancelRequested() && !job.Spec.SuspendRequested()
}

func (w *world) candidate(job *platformv1.Job) *candidate {
	c := &candidate{job: job}
	refuse := func(reason platformv1.JobReason, format string, args ...any) *candidate {
		c.refusal = &scheduling.Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
		return c
	}

	project := w.projects[job.Namespace]
	if project == nil || project.DeletionTimestamp != nil || project.Status.Namespace == nil {
		return refuse(platformv1.JobReasonProjectNotReady, "namespace %q belongs to no project that is ready; ask an administrator for a project", job.Namespace)
	}
	if project.Spec.Quota == "" {
		return refuse(platformv1.JobReasonQuotaMissing, "project %q has no quota, so nothing may run in it; an administrator sets spec.quota of the project", project.Name)
	}
	if w.quotas[project.Spec.Quota] == nil {
		return refuse(platformv1.JobReasonQuotaMissing, "quota %q of project %q does not exist, so nothing may run in it", project.Spec.Quota, project.Name)
	}
	if c.refusal = w.leaving(project.Spec.Quota, project.Name); c.refusal != nil {
		return c
	}
	c.quota = project.Spec.Quota
	if c.cluster, c.refusal = w.cluster(job); c.refusal != nil {
		return c
	}
	for _, name := range workload.SecretNames(&job.Spec) {
		if !w.secrets[client.ObjectKey{Namespace: job.Namespace, Name: name}] {
			return refuse(platformv1.JobReasonSecretMissing, "secret %q does not exist in project %q, or has no label %s=%s", name, job.Namespace, platformv1.LabelSecret, platformv1.SecretLabelValue)
		}
	}
	if c.schedule, c.refusal = energySchedule(job, c.cluster); c.refusal != nil {
		return c
	}
	_, unresolved := workload.Resolve(&job.Spec, &c.cluster.Spec)
	if unresolved != nil {
		return refuse(unresolved.Reason, "%s", unresolved.Message)
	}
	if job.Status.Journal.Room() < journalReserve {
		return refuse(platformv1.JobReasonHistoryBacklog, "the history has not taken up what happened to the job; its next attempt waits for that")
	}
	if c.refusal = w.closed(job, c.cluster); c.refusal != nil {
		return c
	}
	c.closes = w.closes(job, c.cluster.Name)
	if unknown := unknownLevel(job, &c.cluster.Spec); unknown != "" {
		return refuse(platformv1.JobReasonUnschedulable, "%s", unknown)
	}
	return c
}

// leaving says that the project's quota, or one above it, is being deleted, if so.
func (w *world) leaving(quota, project string) *scheduling.Refusal {
	at := w.quotas[quota]
	for range maxDepth {
		if at == nil {
			break
		}
		if at.DeletionTimestamp != nil {
			return &scheduling.Refusal{Reason: platformv1.JobReasonQuotaMissing, Message: fmt.Sprintf(
				"quota %q is being deleted, and project %q is under it, so nothing new may run in the project; an administrator gives it another quota", at.Name, project)}
		}
		at = w.quotas[at.Spec.Parent]
	}
	return nil
}

// cluster is where the job would run: the one that it names, or the first that is ready.
func (w *world) cluster(job *platformv1.Job) (*platformv1.Cluster, *scheduling.Refusal) {
	slices.SortFunc(w.clusters, func(a, b *platformv1.Cluster) int { return cmp.Compare(a.Name, b.Name) })
	found := false
	for _, c := range w.clusters {
		if job.Spec.Cluster != "" && c.Name != job.Spec.Cluster {
			continue
		}
		found = true
		if c.DeletionTimestamp == nil && meta.IsStatusConditionTrue(c.Status.Conditions, platformv1.ConditionReady) {
			return c, nil
		}
	}
	switch {
	case found:
		return nil, &scheduling.Refusal{Reason: platformv1.JobReasonClusterUnreachable, Message: "the cluster is not ready; see `soma cluster status`"}
	case job.Spec.Cluster != "":
		return nil, &scheduling.Refusal{Reason: platformv1.JobReasonClusterNotFound, Message: fmt.Sprintf("there is no cluster %q", job.Spec.Cluster)}
	default:
		return nil, &scheduling.Refusal{Reason: platformv1.JobReasonClusterNotFound, Message: "there is no cluster; an administrator attaches one"}
	}
}

// setOverdue says whether a job that gave way goes ahead of others by now, or in how long it will.
func (w *world) setOverdue(c *candidate, now time.Time) (left time.Duration) {
	displaced := displacedSince(c.job)
	if c.refusal != nil || displaced == nil || pauses(c.job) {
		return 0
	}
	left = displaced.Add(w.longestWait(c.quota)).Sub(now)
	overdue := left <= 0
	c.overdue, c.changed = overdue, c.changed || overdue != c.overdue
	return max(left, 0)
}

// pauses reports whether a job waits because it had to make a pause, and gave way to nobody: it has its place, and nothing is
// due to it for the time. Attempts since then that could not start change nothing of that.
func pauses(job *platformv1.Job) bool {
	for i := len(job.Status.Attempts) - 1; i >= 0; i-- {
		switch last := &job.Status.Attempts[i]; {
		case last.Reason == platformv1.JobReasonBudgetExhausted || last.Reason == platformv1.JobReasonEnergyWindow:
			return true
		case last.StartTime != nil || last.Reason == platformv1.JobReasonPreempted:
			return false
		}
	}
	return false
}

// longestWait is how long a job under the quota waits at most, before it goes ahead of others, once it gave way: as the
// quota says, or the nearest above it that does.
func (w *world) longestWait(name string) time.Duration {
	for range maxDepth {
		q := w.quotas[name]
		if q == nil {
			break
		}
		if p := q.Spec.Preemption; p != nil && p.LongestWaitSeconds != nil {
			return time.Duration(*p.LongestWaitSeconds) * time.Second
		}
		name = q.Spec.Parent
	}
	return defaultLongestWait
}

// unknownLevel says that the cluster does not know the level of topology that the job names, if so.
func unknownLevel(job *platformv1.Job, cluster *platformv1.ClusterSpec) string {
	if job.Spec.Placement == nil || job.Spec.Placement.Within == "" {
		return ""
	}
	var names []string
	for _, level := range cluster.Topology {
		if level.Name == job.Spec.Placement.Within {
			return ""
		}
		names = append(names, level.Name)
	}
	if len(names) == 0 {
		return fmt.Sprintf("the job asks to be within one %q, and the cluster tells nothing of its topology; leave placement.within out", job.Spec.Placement.Within)
	}
	return fmt.Sprintf("the cluster's topology has no level %q; it has: %s", job.Spec.Placement.Within, strings.Join(names, ", "))
}

// asks is what the job asks of the engine.
func (c *candidate) asks() scheduling.Waiting {
	request := c.request()
	w := scheduling.Waiting{
		Key: c.key(), User: c.job.Spec.SubmittedBy, Quota: c.quota, Priority: priority(c.job), Since: since(c.job), Span: span(c.job), Until: c.closes,
		Request: scheduling.Request{
			Replica: amounts(request.Replica), Replicas: int64(request.Replicas), Models: request.Models, Pools: request.Pools, Spot: request.Spot,
		},
	}
	w.Within = within(c.job, c.cluster)
	w.Preemptible, w.Overdue, w.Avoid = preemptible(c.job), c.overdue, lately(c.job)
	return w
}

// within is the number of levels of topology whose domain all replicas of the job must share.
func within(job *platformv1.Job, cluster *platformv1.Cluster) int {
	if job.Spec.Placement == nil {
		return 0
	}
	return 1 + slices.IndexFunc(cluster.Spec.Topology, func(l platformv1.TopologyLevel) bool { return l.Name == job.Spec.Placement.Within })
}

// lately is the node on which the job failed last; it is tried on another where there is one. Empty where it did not fail.
func lately(job *platformv1.Job) string {
	if len(job.Status.Attempts) == 0 {
		return ""
	}
	switch last := &job.Status.Attempts[len(job.Status.Attempts)-1]; last.Reason {
	case platformv1.JobReasonCompleted, platformv1.JobReasonSuspended, platformv1.JobReasonSecretMissing, platformv1.JobReasonPreempted,
		platformv1.JobReasonBudgetExhausted, platformv1.JobReasonEnergyWindow:
		return ""
	default:
		return last.Node
	}
}

func preemptible(job *platformv1.Job) bool { return ptr.Deref(job.Spec.Preemptible, false) }

// priority is the job's as a number.
func priority(job *platformv1.Job) int {
	switch job.Spec.Priority {
	case platformv1.PriorityHigh:
		return 1
	case platformv1.PriorityLow:
		return -1
	default:
		return 0
	}
}

// span is for how long an attempt that starts now holds what it is given, at most; 0 where the job says nothing of it.
func span(job *platformv1.Job) time.Duration {
	if job.Spec.LifeSpanSeconds == nil {
		return 0
	}
	return time.Duration(*job.Spec.LifeSpanSeconds-job.Status.RunSeconds)*time.Second + margin(job)
}

// since is when the job began to wait.
func since(job *platformv1.Job) time.Time {
	if job.Status.Queue != nil && job.Status.Queue.Since != nil {
		return job.Status.Queue.Since.Time
	}
	return job.CreationTimestamp.Time
}

// displacedSince is when the job gave way, if it did not run since; nil where it did not give way.
func displacedSince(job *platformv1.Job) *metav1.Time {
	if job.Status.Queue == nil {
		return nil
	}
	return job.Status.Queue.Displaced
}
