package cluster

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/workload"
)

// maxPools is the number of pools that the status tells of.
const maxPools = 24

// inventory is what the nodes of a cluster have and what of it is taken.
type inventory struct {
	pools          []v1alpha1.Pool
	capacity, used accounting.Sum
	// omitted is the number of pools beyond those that the status can hold; they are in capacity and used.
	omitted int
}

// pool gathers the nodes of one name.
type pool struct {
	nodes, ready            int32
	models                  map[string]bool
	largest, capacity, used accounting.Sum
}

// pools groups nodes and tells what each group can give and what pods have asked for. Only nodes on which jobs can start
// count as capacity, and only pods on those as use of it. Neither list is changed.
func pools(nodes []corev1.Node, pods []corev1.Pod, tolerations []v1alpha1.Toleration) inventory {
	byName := map[string]*pool{}
	usable := map[string]*corev1.Node{}
	tolerated := workload.Tolerations(tolerations)
	var result inventory
	for i := range nodes {
		node := &nodes[i]
		name := workload.Pool(node)
		if byName[name] == nil {
			byName[name] = &pool{models: map[string]bool{}}
		}
		group := byName[name]
		gives := accounting.Allocatable(node)
		group.nodes++
		group.largest.Max(gives)
		if gives.GPUs > 0 {
			group.models[node.Labels[v1alpha1.LabelGPUModel]] = true
		}
		if workload.Schedulable(node, tolerated) {
			usable[node.Name] = node
			group.ready++
			group.capacity.Add(gives)
			result.capacity.Add(gives)
		}
	}
	for i := range pods {
		node := usable[pods[i].Spec.NodeName]
		if node == nil || !accounting.Occupies(&pods[i]) {
			continue
		}
		asked := accounting.Requested(&pods[i], node.Labels[v1alpha1.LabelGPUModel])
		byName[workload.Pool(node)].used.Add(asked)
		result.used.Add(asked)
	}
	for name, group := range byName {
		result.pools = append(result.pools, group.status(name))
	}
	result.bound()
	return result
}

func (p *pool) status(name string) v1alpha1.Pool {
	status := v1alpha1.Pool{
		Name: name, Nodes: p.nodes, ReadyNodes: p.ready,
		LargestNode: p.largest.Resources(), Capacity: p.capacity.Resources(), Used: p.used.Resources(),
	}
	if len(p.models) == 1 {
		for model := range p.models {
			status.GPUModel = model
		}
	}
	return status
}

// bound keeps the pools with the most nodes where there are too many, and sorts what is kept by name.
func (i *inventory) bound() {
	byName := func(a, b v1alpha1.Pool) int { return cmp.Compare(a.Name, b.Name) }
	if len(i.pools) > maxPools {
		slices.SortFunc(i.pools, func(a, b v1alpha1.Pool) int { return cmp.Or(cmp.Compare(b.Nodes, a.Nodes), byName(a, b)) })
		i.omitted = len(i.pools) - maxPools
		i.pools = i.pools[:maxPools]
	}
	slices.SortFunc(i.pools, byName)
}
