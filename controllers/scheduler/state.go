package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/workload"
)

// journalReserve is the room that a job's journal must have before another attempt begins: every transition of an attempt
// and the job's last one must find a place, also when the history is away.
const journalReserve = 6

// candidate is a waiting job with what it would start as.
type candidate struct {
	job     *platformv1.Job
	quota   string
	cluster *platformv1.Cluster
	request workload.Request
}

// state is the world in the words of the engine.
type state struct {
	waiting    []*scheduling.Waiting
	nodes      []*scheduling.Node
	candidates map[string]candidate
	// again is when a job that waits before its retry is due; zero for none.
	again time.Duration
}

func (w *world) state(now time.Time) state {
	s := state{candidates: map[string]candidate{}}
	quotas := w.held()
	s.nodes = w.ledger()
	alive := w.alivePods()
	for _, job := range w.jobs {
		if !waits(job) || alive[string(job.UID)] {
			continue
		}
		if job.Status.RetryTime != nil {
			if left := job.Status.RetryTime.Sub(now); left > 0 {
				s.again = sooner(s.again, left)
				continue
			}
		}
		waiting, c := w.candidate(job, quotas)
		s.waiting = append(s.waiting, waiting)
		s.candidates[waiting.Key] = c
	}
	return s
}

// waits reports whether a job wants a reservation.
func waits(job *platformv1.Job) bool {
	return (job.Status.Phase == "" || job.Status.Phase == platformv1.JobPending) && job.Status.Reservation == nil &&
		job.DeletionTimestamp == nil && !job.Spec.CancelRequested() && !job.Spec.SuspendRequested()
}

func (w *world) candidate(job *platformv1.Job, quotas map[string]*scheduling.Quota) (*scheduling.Waiting, candidate) {
	waiting := &scheduling.Waiting{
		Key: string(job.UID), Priority: job.Spec.Priority, Since: since(job), User: job.Spec.SubmittedBy,
	}
	c := candidate{job: job}
	refuse := func(reason platformv1.JobReason, format string, args ...any) (*scheduling.Waiting, candidate) {
		waiting.Refusal = &scheduling.Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
		return waiting, c
	}

	project := w.projects[job.Namespace]
	if project == nil || project.DeletionTimestamp != nil || project.Status.Namespace == nil {
		return refuse(platformv1.JobReasonProjectNotReady, "namespace %q belongs to no project that is ready; ask an administrator for a project", job.Namespace)
	}
	if project.Spec.Quota == "" {
		return refuse(platformv1.JobReasonQuotaMissing, "project %q has no quota, so nothing may run in it; an administrator sets spec.quota of the project", project.Name)
	}
	waiting.Quota = quotas[project.Spec.Quota]
	if waiting.Quota == nil {
		return refuse(platformv1.JobReasonQuotaMissing, "quota %q of project %q does not exist, so nothing may run in it", project.Spec.Quota, project.Name)
	}
	c.quota = project.Spec.Quota
	cluster, refusal := w.cluster(job)
	if refusal != nil {
		waiting.Refusal = refusal
		return waiting, c
	}
	c.cluster = cluster
	for _, name := range workload.SecretNames(&job.Spec) {
		if !w.secrets[client.ObjectKey{Namespace: job.Namespace, Name: name}] {
			return refuse(platformv1.JobReasonSecretMissing, "secret %q does not exist in project %q, or has no label %s=%s", name, job.Namespace, platformv1.LabelSecret, platformv1.SecretLabelValue)
		}
	}
	request, unresolved := workload.Resolve(&job.Spec, &cluster.Spec)
	if unresolved != nil {
		return refuse(unresolved.Reason, "%s", unresolved.Message)
	}
	if job.Status.Journal.Room() < journalReserve {
		return refuse(platformv1.JobReasonHistoryBacklog, "the history has not taken up what happened to the job; its next attempt waits for that")
	}
	c.request = request
	waiting.Replica = amounts(request.Replica)
	waiting.Model, waiting.Replicas = request.Replica.GPUModel, int64(request.Replicas)
	return waiting, c
}

// since is when the job began to wait.
func since(job *platformv1.Job) time.Time {
	if job.Status.Queue != nil && job.Status.Queue.Since != nil {
		return job.Status.Queue.Since.Time
	}
	return job.CreationTimestamp.Time
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

// held is every quota with what reservations hold of it. It is counted anew each time from the jobs themselves: a counter
// could drift.
func (w *world) held() map[string]*scheduling.Quota {
	quotas := map[string]*scheduling.Quota{}
	for name, q := range w.quotas {
		if q.DeletionTimestamp != nil {
			continue
		}
		quotas[name] = &scheduling.Quota{
			Name: name, Nominal: scheduling.NominalLimits(q.Spec.Nominal), PerUser: scheduling.PerUserLimits(q.Spec.PerUser),
		}
	}
	for _, job := range w.jobs {
		reservation := job.Status.Reservation
		if reservation == nil {
			continue
		}
		if q := quotas[reservation.Quota]; q != nil {
			q.Hold(job.Spec.SubmittedBy, amounts(reservation.Replica).Times(replicas(reservation)), reservation.Replica.GPUModel)
		}
	}
	return quotas
}

func replicas(reservation *platformv1.Reservation) int64 {
	n := int64(0)
	for _, share := range reservation.Nodes {
		n += int64(share.Replicas)
	}
	return n
}

func amounts(replica platformv1.ReplicaResources) scheduling.Amounts {
	return scheduling.Amounts{MilliCPU: replica.CPU.MilliValue(), Memory: replica.Memory.Value(), GPUs: int64(replica.GPUs)}
}

// ledger is the nodes on which jobs can start, with what is free on them: what they can give, less what reservations hold,
// less the pods of everybody else. What the node's own pods hold, those of daemons, it can never give.
func (w *world) ledger() []*scheduling.Node {
	byName := map[string]*scheduling.Node{}
	var nodes []*scheduling.Node
	tolerations := w.tolerations()
	for _, n := range w.nodes {
		if !workload.Schedulable(n, tolerations) {
			continue
		}
		can := sumOf(accounting.Allocatable(n))
		node := &scheduling.Node{
			Name: n.Name, Pool: workload.Pool(n), GPUModel: n.Labels[platformv1.LabelGPUModel], GPUOnly: workload.GPUOnly(n),
			Allocatable: can, Free: can, Pods: n.Status.Allocatable.Pods().Value(),
		}
		byName[n.Name] = node
		nodes = append(nodes, node)
	}
	reserved := map[string]bool{}
	for _, job := range w.jobs {
		reservation := job.Status.Reservation
		if reservation == nil {
			continue
		}
		reserved[string(job.UID)] = true
		for _, share := range reservation.Nodes {
			if node := byName[share.Node]; node != nil {
				node.Free = node.Free.Minus(amounts(reservation.Replica).Times(int64(share.Replicas)))
				node.Pods -= int64(share.Replicas)
			}
		}
	}
	for _, pod := range w.pods {
		node := byName[pod.Spec.NodeName]
		if node == nil || !accounting.Occupies(pod) || reserved[pod.Labels[platformv1.LabelJobUID]] {
			continue
		}
		holds := sumOf(accounting.Requested(pod, ""))
		node.Free = node.Free.Minus(holds)
		node.Pods--
		if belongsToNode(pod) {
			node.Allocatable = node.Allocatable.Minus(holds)
		}
	}
	return nodes
}

// belongsToNode reports whether a pod is there as long as its node is: what it holds is never free for a job.
func belongsToNode(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && (owner.Kind == "DaemonSet" || owner.Kind == "Node") // static pods belong to the Node
}

func (w *world) tolerations() []corev1.Toleration {
	var all []corev1.Toleration
	for _, c := range w.clusters {
		all = append(all, workload.Tolerations(c.Spec.Tolerations)...)
	}
	return all
}

func sumOf(sum accounting.Sum) scheduling.Amounts {
	return scheduling.Amounts{MilliCPU: sum.CPU.MilliValue(), Memory: sum.Memory.Value(), GPUs: sum.GPUs}
}

// alivePods are the jobs, by UID, that have pods which have not ended. Such a job is not started again.
func (w *world) alivePods() map[string]bool {
	alive := map[string]bool{}
	for _, pod := range w.pods {
		if uid := pod.Labels[platformv1.LabelJobUID]; uid != "" && !workload.Ended(pod) {
			alive[uid] = true
		}
	}
	return alive
}
