package main

import (
	"fmt"
	"slices"
)

// shape is the cluster that the trace runs on. Each queue owns the same part of it and may use what others leave free.
type shape struct {
	nodes, queues int
	gpusPerNode   int64
}

func (s shape) gpus() int64 { return int64(s.nodes) * s.gpusPerNode }

func (s shape) own() int64 { return s.gpus() / int64(s.queues) }

func (s shape) queueNames() []string {
	names := make([]string, s.queues)
	for i := range names {
		names[i] = fmt.Sprintf("q%d", i)
	}
	return names
}

// nodes is how many GPUs are free on each node.
type nodes []int64

func (s shape) empty() nodes {
	free := make(nodes, s.nodes)
	for i := range free {
		free[i] = s.gpusPerNode
	}
	return free
}

// placement is how many GPUs of each node a job holds, by the number of the node.
type placement map[int]int64

// place finds room for all replicas of a job, each on the node that it fills best; nil where there is none. All of the schedulers
// that Soma is compared with place jobs so.
func (n nodes) place(j *job) placement {
	left := slices.Clone(n)
	p := placement{}
	for range j.replicas {
		best := -1
		for i, free := range left {
			if free >= j.gpus && (best < 0 || free < left[best]) {
				best = i
			}
		}
		if best < 0 {
			return nil
		}
		left[best] -= j.gpus
		p[best] += j.gpus
	}
	return p
}

func (n nodes) take(p placement) {
	for i, gpus := range p {
		n[i] -= gpus
	}
}

func (n nodes) giveBack(p placement) {
	for i, gpus := range p {
		n[i] += gpus
	}
}

// least is the smaller of both on each node.
func (n nodes) least(other nodes) nodes {
	both := make(nodes, len(n))
	for i := range n {
		both[i] = min(n[i], other[i])
	}
	return both
}
