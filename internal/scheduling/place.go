package scheduling

import (
	"cmp"
	"slices"
)

// sorted is the nodes by name: decisions must not depend on the order in which a cache lists them.
func sorted(nodes []*Node) []*Node {
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b *Node) int { return cmp.Compare(a.Name, b.Name) })
	return nodes
}

// takes reports whether the node is of the kind that the job wants.
func (n *Node) takes(job *Waiting, model string) bool {
	if job.Replica.GPUs == 0 {
		return !n.GPUOnly
	}
	return n.Allocatable.GPUs > 0 && n.GPUModel == model
}

// slots is how many replicas of the job the node has room for now.
func (n *Node) slots(job *Waiting) int64 {
	return min(job.Replica.count(n.Free), n.Pods)
}

// place finds nodes for all replicas or for none, and takes what they need.
func (e *engine) place(job *Waiting, model string) *Placement {
	key := shape{job.Replica, model, job.Replicas}
	if e.full[key] {
		return nil
	}
	shares := e.shares(job, model)
	if shares == nil {
		e.full[key] = true
		return nil
	}
	placement := &Placement{Pool: shares[0].node.Pool, Model: model}
	for _, share := range shares {
		share.node.Free = share.node.Free.Minus(job.Replica.Times(share.replicas))
		share.node.Pods -= share.replicas
		placement.Nodes = append(placement.Nodes, Share{Node: share.node.Name, Replicas: share.replicas})
	}
	return placement
}

type nodeShare struct {
	node     *Node
	replicas int64
}

// shares packs the replicas onto as few nodes as it can, the fullest first, so that whole nodes stay whole for large jobs.
func (e *engine) shares(job *Waiting, model string) []nodeShare {
	var candidates []*Node
	for _, node := range e.nodes {
		if node.takes(job, model) && node.slots(job) > 0 {
			candidates = append(candidates, node)
		}
	}
	slices.SortStableFunc(candidates, func(a, b *Node) int { return preference(job, a, b) })
	var shares []nodeShare
	left := job.Replicas
	for _, node := range candidates {
		if left == 0 {
			break
		}
		replicas := min(node.slots(job), left)
		shares = append(shares, nodeShare{node, replicas})
		left -= replicas
	}
	if left > 0 {
		return nil
	}
	return shares
}

// preference puts the better node first. A job that fits whole goes where the least is left over; one that does not begins
// where the most of it fits. Jobs without GPUs keep away from GPU nodes.
func preference(job *Waiting, a, b *Node) int {
	if job.Replica.GPUs == 0 && (a.Allocatable.GPUs > 0) != (b.Allocatable.GPUs > 0) {
		if a.Allocatable.GPUs > 0 {
			return 1
		}
		return -1
	}
	slotsA, slotsB := a.slots(job), b.slots(job)
	wholeA, wholeB := slotsA >= job.Replicas, slotsB >= job.Replicas
	switch {
	case wholeA && !wholeB:
		return -1
	case !wholeA && wholeB:
		return 1
	case wholeA:
		return cmp.Or(cmp.Compare(a.Free.GPUs, b.Free.GPUs), cmp.Compare(a.Free.MilliCPU, b.Free.MilliCPU), cmp.Compare(a.Free.Memory, b.Free.Memory))
	default:
		return cmp.Compare(slotsB, slotsA)
	}
}
