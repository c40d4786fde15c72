package scheduler

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/workload"
)

// tree is every quota. One that is being deleted stays for the jobs that hold something under it, and binds as long.
func (w *world) tree() []scheduling.Quota {
	var quotas []scheduling.Quota
	for _, q := range w.quotas {
		quotas = append(quotas, scheduling.ReadQuota(q))
	}
	return quotas
}

// holding is what a job that holds a reservation is to the engine. What is held is the sum of these: a counter could drift.
func (w *world) holding(job *platformv1.Job) scheduling.Running {
	held := job.Status.Reservation
	r := scheduling.Running{
		Key: string(job.UID), Quota: held.Quota, User: job.Spec.SubmittedBy, Priority: priority(job), Preemptible: preemptible(job),
		Replica: amounts(held.Replica), Model: held.Replica.GPUModel, Ending: held.Ending != "",
		Start: held.Time.Time, Starting: held.StartTime == nil, Since: job.CreationTimestamp.Time, Grace: workload.GracePeriod(job),
	}
	if held.QueuedSince != nil {
		r.Since = held.QueuedSince.Time
	}
	if held.StartTime != nil {
		r.Start = held.StartTime.Time
	}
	for _, share := range held.Nodes {
		r.Nodes = append(r.Nodes, scheduling.Share{Node: share.Node, Replicas: int64(share.Replicas)})
	}
	if i := slices.IndexFunc(w.clusters, func(c *platformv1.Cluster) bool { return c.Name == held.Cluster }); i >= 0 {
		if asks, refused := workload.Resolve(&job.Spec, &w.clusters[i].Spec); refused == nil {
			r.Models, r.Pools, r.Spot, r.Within = asks.Models, asks.Pools, asks.Spot, within(job, w.clusters[i])
		}
	}
	if most := span(job); most > 0 {
		r.End = r.Start.Add(most)
	}
	if closes := w.closes(job, held.Cluster); !closes.IsZero() && (r.End.IsZero() || closes.Before(r.End)) {
		r.End = closes
	}
	return r
}

func amounts(replica platformv1.ReplicaResources) scheduling.Amounts {
	return scheduling.AmountsOf(replica.CPU, replica.Memory, int64(replica.GPUs))
}

// node is what a node is to the engine, with what the given pods hold on it.
func (w *world) node(n *corev1.Node, pods []corev1.Pod) scheduling.Node {
	var levels []platformv1.TopologyLevel
	if len(w.clusters) > 0 {
		levels = w.clusters[0].Spec.Topology // all nodes are those of the one cluster there is
	}
	can := sumOf(accounting.Allocatable(n))
	can.Pods = n.Status.Allocatable.Pods().Value()
	node := scheduling.Node{
		Name: n.Name, Pool: workload.Pool(n), GPUModel: n.Labels[platformv1.LabelGPUModel], GPUOnly: workload.GPUOnly(n),
		Spot: workload.Spot(n), Domains: workload.Domains(n, levels), Allocatable: can,
	}
	for i := range pods {
		if !accounting.Occupies(&pods[i]) {
			continue
		}
		holds := sumOf(accounting.Requested(&pods[i], ""))
		holds.Pods = 1
		node.Carry(holds, accounting.BelongsToNode(&pods[i]))
	}
	return node
}

func (w *world) tolerations() []corev1.Toleration {
	var all []corev1.Toleration
	for _, c := range w.clusters {
		all = append(all, workload.Tolerations(c.Spec.Tolerations)...)
	}
	return all
}

func sumOf(sum accounting.Sum) scheduling.Amounts {
	return scheduling.AmountsOf(sum.CPU, sum.Memory, sum.GPUs)
}
