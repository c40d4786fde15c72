package promises

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// dimension is one thing that quotas count.
type dimension struct {
	name string
	// model is set where it is the GPUs of one model.
	model string
	// alone reports that it is neither lent nor borrowed, and of no node: the number of jobs.
	alone bool
	// of is what so many replicas hold of it.
	of func(replica v1alpha1.ReplicaResources, n int64) int64
	// on is what a node has of it; nil for what nodes do not tell.
	on func(corev1.ResourceList) int64
	// read is what amounts name of it; nil where they do not.
	read func(*v1alpha1.ResourceAmounts) *int64
}

// dimensions are all that a job holds, with the GPUs of the model that it has.
func dimensions(model string) []dimension {
	gpus := func(replica v1alpha1.ReplicaResources, n int64) int64 { return n * int64(replica.GPUs) }
	all := []dimension{
		{
			name: "millicores",
			of:   func(replica v1alpha1.ReplicaResources, n int64) int64 { return times(n, milli(&replica.CPU)) },
			on:   func(list corev1.ResourceList) int64 { return milli(list.Cpu()) },
			read: func(a *v1alpha1.ResourceAmounts) *int64 {
				if a.CPU == nil {
					return nil
				}
				return new(milli(a.CPU))
			},
		},
		{
			name: "bytes",
			of:   func(replica v1alpha1.ReplicaResources, n int64) int64 { return times(n, whole(&replica.Memory)) },
			on:   func(list corev1.ResourceList) int64 { return whole(list.Memory()) },
			read: func(a *v1alpha1.ResourceAmounts) *int64 {
				if a.Memory == nil {
					return nil
				}
				return new(whole(a.Memory))
			},
		},
		{
			name: "GPUs", of: gpus,
			on: func(list corev1.ResourceList) int64 {
				amount := list[v1alpha1.ResourceGPU]
				return amount.Value()
			},
			read: func(a *v1alpha1.ResourceAmounts) *int64 { return number(a.GPUs) },
		},
		{
			name: "jobs", alone: true,
			of:   func(v1alpha1.ReplicaResources, int64) int64 { return 1 },
			read: func(a *v1alpha1.ResourceAmounts) *int64 { return number(a.RunningJobs) },
		},
	}
	if model == "" {
		return all
	}
	return append(all, dimension{
		name: "GPUs " + model, model: model, of: gpus,
		read: func(a *v1alpha1.ResourceAmounts) *int64 {
			for _, m := range a.GPUModels {
				if m.Model == model {
					return number(&m.Count)
				}
			}
			return nil
		},
	})
}

// milli and whole are quantities as integers, and unlimited where they are more than any machines have.
func milli(q *resource.Quantity) int64 {
	if q.CmpInt64(1<<50) > 0 {
		return unlimited
	}
	return q.MilliValue()
}

func whole(q *resource.Quantity) int64 {
	if q.CmpInt64(1<<50) > 0 {
		return unlimited
	}
	return q.Value()
}

func number(n *int32) *int64 {
	if n == nil {
		return nil
	}
	return new(int64(*n))
}

// given is what amounts name of it, also where there are none.
func (r dimension) given(a *v1alpha1.ResourceAmounts) *int64 {
	if a == nil {
		return nil
	}
	return r.read(a)
}

// held is what a reservation holds of it.
func (r dimension) held(reservation *v1alpha1.Reservation) int64 {
	if r.model != "" && reservation.Replica.GPUModel != r.model {
		return 0
	}
	return r.of(reservation.Replica, replicas(reservation))
}

// nominal is what a quota has of its own, without those below it. What it does not name it does not have, but for the number of
// jobs, and for GPUs of a model: it has those where it names no models at all and there is none above it to grant them.
func (r dimension) nominal(quota *v1alpha1.Quota) int64 {
	nominal := &quota.Spec.Nominal
	if named := r.read(nominal); named != nil {
		return *named
	}
	onlyModels := nominal.GPUs == nil && len(nominal.GPUModels) > 0
	switch {
	case r.alone, r.model != "" && !onlyModels && quota.Spec.Parent == "":
		return unlimited
	case r.name == "GPUs" && onlyModels:
		sum := int64(0)
		for _, m := range nominal.GPUModels {
			sum += int64(m.Count)
		}
		return sum
	}
	return 0
}
