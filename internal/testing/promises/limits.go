package promises

import (
	"math"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// amounts are millicores, bytes, GPUs and jobs. What is bounded by nothing is unlimited.
type amounts [4]int64

const (
	unlimited = math.MaxInt64
	jobs      = 3
)

func (a amounts) plus(b amounts) amounts {
	for i := range a {
		if a[i] == unlimited || b[i] == unlimited {
			a[i] = unlimited
		} else {
			a[i] += b[i]
		}
	}
	return a
}

// limits reports where a reservation that was just made takes more than the tree of quotas allows. It sums up everything
// that is held under each quota, in the plainest way.
func (w *world) limits(e Event, quota *v1alpha1.Quota) {
	for depth := 0; quota != nil && depth <= len(w.quotas); depth++ {
		held, most := w.held(quota.Name), w.has(quota).plus(borrowed(quota))
		if at := exceeds(held, most); at >= 0 {
			w.report(e, "job %s exceeded quota %s: %v are held of %v", e.Job.Name, quota.Name, held, most)
		}
		for _, child := range w.below(quota.Name) {
			lends := given(child.Spec.Lending, unlimited)
			others, keeps := held, w.has(child)
			for i, n := range w.held(child.Name) {
				others[i] -= n
			}
			for i := range held {
				if i != jobs && lends[i] != unlimited && most[i] != unlimited && others[i] > most[i]-max(0, keeps[i]-lends[i]) {
					w.report(e, "job %s took what quota %s does not lend: others hold %v of %v, of which it keeps %v and lends %v",
						e.Job.Name, child.Name, others, most, keeps, lends)
				}
			}
		}
		quota = w.quotas[quota.Spec.Parent]
	}
}

// room reports where a reservation that was just made takes more of a node than it has. A node that nobody told of, or that
// went away, has no bound here.
func (w *world) room(e Event, name string) {
	node := w.nodes[name]
	if node == nil {
		return
	}
	sum, has := amounts{}, amounts{
		node.Status.Allocatable.Cpu().MilliValue(), node.Status.Allocatable.Memory().Value(),
		ptr.To(node.Status.Allocatable[v1alpha1.ResourceGPU]).Value(), unlimited,
	}
	for _, job := range w.jobs {
		if r := job.Status.Reservation; r != nil {
			for _, share := range r.Nodes {
				if share.Node == name {
					sum = sum.plus(replica(r, int64(share.Replicas)))
				}
			}
		}
	}
	if exceeds(sum, has) >= 0 {
		w.report(e, "job %s took more of node %s than it has: %v are held of %v", e.Job.Name, name, sum, has)
	}
}

// replica is what so many replicas hold.
func replica(r *v1alpha1.Reservation, n int64) amounts {
	return amounts{n * r.Replica.CPU.MilliValue(), n * r.Replica.Memory.Value(), n * int64(r.Replica.GPUs), 1}
}

func exceeds(held, most amounts) int {
	for i := range held {
		if held[i] > most[i] {
			return i
		}
	}
	return -1
}

// held is what is held under a quota and those below it.
func (w *world) held(quota string) amounts {
	sum := amounts{}
	for _, job := range w.jobs {
		if r := job.Status.Reservation; r != nil && r.Quota == quota {
			sum = sum.plus(replica(r, replicas(r)))
		}
	}
	for _, child := range w.below(quota) {
		sum = sum.plus(w.held(child.Name))
	}
	return sum
}

// has is what a quota and those below it have together. The number of jobs is each quota's own.
func (w *world) has(quota *v1alpha1.Quota) amounts {
	nominal := quota.Spec.Nominal
	own := given(&nominal, 0)
	if nominal.GPUs == nil && len(nominal.GPUModels) > 0 {
		own[2] = unlimited // by model, which is not looked at here
	}
	sum := own
	for _, child := range w.below(quota.Name) {
		sum = sum.plus(w.has(child))
	}
	sum[jobs] = unlimited
	if nominal.RunningJobs != nil {
		sum[jobs] = int64(*nominal.RunningJobs)
	}
	return sum
}

// borrowed is what a quota may hold beyond what it has.
func borrowed(quota *v1alpha1.Quota) amounts {
	if quota.Spec.Parent == "" {
		return amounts{}
	}
	most := given(quota.Spec.Borrowing, unlimited)
	most[jobs] = 0
	return most
}

// given reads amounts, of which those that are not given are as many as said.
func given(a *v1alpha1.ResourceAmounts, otherwise int64) amounts {
	all := amounts{otherwise, otherwise, otherwise, otherwise}
	if a == nil {
		return all
	}
	set := func(i int, q *resource.Quantity, value func(*resource.Quantity) int64) {
		if q != nil {
			all[i] = value(q)
		}
	}
	set(0, a.CPU, (*resource.Quantity).MilliValue)
	set(1, a.Memory, (*resource.Quantity).Value)
	if a.GPUs != nil {
		all[2] = int64(*a.GPUs)
	}
	return all
}

// below are the quotas right below one.
func (w *world) below(quota string) []*v1alpha1.Quota {
	var all []*v1alpha1.Quota
	for _, q := range w.quotas {
		if q.Spec.Parent == quota && q.Name != quota {
			all = append(all, q)
		}
	}
	return all
}
