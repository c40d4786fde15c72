package scheduling

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"time"
)

// Node is one node on which jobs may start.
type Node struct {
	Name string
	// Cluster and Pool that the node is in.
	Cluster, Pool string
	// GPUModel of the node's GPUs; empty where it has none.
	GPUModel string
	// Domains are the topology domains that the node is in, the widest first.
	Domains []string
	// Spot nodes can be taken away at any time.
	Spot bool
	// GPUOnly nodes take no jobs without GPUs.
	GPUOnly bool
	// Allocatable is what the node can give to jobs at all.
	Allocatable Amounts
	// Foreign is what the pods of others hold.
	Foreign Amounts
}

// Carry counts what a pod of others holds. Of a pod that belongs to the node, that is what the node can never give to jobs.
func (n *Node) Carry(holds Amounts, belongs bool) {
	if belongs {
		n.Allocatable = n.Allocatable.Minus(holds)
	} else {
		n.Foreign = n.Foreign.Plus(holds)
	}
}

// kind is all of a node that matters to which jobs may run on it.
type kind struct {
	cluster, pool, model string
	spot, gpuOnly, gpus  bool
}

func (n *Node) kind() kind {
	return kind{n.Cluster, n.Pool, n.GPUModel, n.Spot, n.GPUOnly, n.Allocatable.GPUs > 0}
}

// node is a node with what is free on it.
type node struct {
	Node
	// within are its topology domains, the widest first.
	within []string
	free   Amounts
	group  *group
	// jobs are those that run there, drained is when the last of them ends at the latest: on nodes with GPUs, zero on others.
	jobs    []*running
	drained time.Time
	// holds are what reservations leave of the node to others.
	holds []*hold
}

// hold is what a reservation takes of a node from a time on, and what that leaves to others, as if there were no other reservations.
type hold struct {
	of          *class
	on          *node
	from        time.Time
	takes, left Amounts
}

// leaves is what there is on the node when the hold begins, beside it and the others that count and are there then.
func (h *hold) leaves(counts func(*class) bool) Amounts {
	left := h.left
	for _, o := range h.on.holds {
		if o != h && o.of.reservation.covers(h.from) && counts(o.of) {
			left = left.Minus(o.takes)
		}
	}
	return left
}

// available is what the node can give to a job of the class that has ended by then.
func (n *node) available(c *class, end time.Time) Amounts {
	free := n.free
	for _, h := range n.holds {
		if end.After(h.from) && c.waitsBehind(h.of) {
			free = free.least(h.leaves(c.waitsBehind))
		}
	}
	return free
}

// group is the nodes of one kind, those with as many free GPUs together: so the node that a job fills best is found without
// a look at all of them.
type group struct {
	kind
	nodes []*node
	// sizes is how many nodes there are of each size.
	sizes  map[Amounts]int64
	byFree []sortedBy[*node]
	park   *park
	// room is how many replicas of a size its nodes have free, where that was counted since they last changed: many wait for the same.
	room map[Amounts]int64
}

// add puts a node into the group, remove takes it out.
func (g *group) add(n *node) {
	g.nodes = slices.Insert(g.nodes, g.find(n.Name), n)
	g.sizes[n.Allocatable]++
	g.bucket(n).insert(n)
	g.room = nil
}

func (g *group) remove(n *node) {
	at := g.find(n.Name)
	g.nodes = slices.Delete(g.nodes, at, at+1)
	if g.sizes[n.Allocatable]--; g.sizes[n.Allocatable] == 0 {
		delete(g.sizes, n.Allocatable)
	}
	g.bucket(n).remove(n)
	g.room = nil
}

// find is where a node of the name is, or belongs: they are in the order of their names.
func (g *group) find(name string) int {
	at, _ := slices.BinarySearchFunc(g.nodes, name, func(n *node, name string) int { return cmp.Compare(n.Name, name) })
	return at
}

// roomFor is how many replicas of a size the group's nodes have free.
func (g *group) roomFor(replica Amounts) int64 {
	room, counted := g.room[replica]
	if counted {
		return room
	}
	for _, n := range g.nodes {
		room += replica.count(n.free)
	}
	if g.room == nil {
		g.room = map[Amounts]int64{}
	}
	g.room[replica] = room
	return room
}

func (g *group) bucket(n *node) *sortedBy[*node] {
	gpus := max(n.free.GPUs, 0)
	for int64(len(g.byFree)) <= gpus {
		g.byFree = append(g.byFree, sortedBy[*node]{compare: g.order()})
	}
	return &g.byFree[gpus]
}

// order is how nodes with as many free GPUs are searched: those with GPUs by when they will be empty, the others by what is free.
func (g *group) order() func(a, b *node) int {
	if g.gpus {
		return byDrained
	}
	return byFree
}

func byDrained(a, b *node) int { return cmp.Or(a.drained.Compare(b.drained), byFree(a, b)) }

func byFree(a, b *node) int {
	return cmp.Or(cmp.Compare(a.free.MilliCPU, b.free.MilliCPU), cmp.Compare(a.free.Memory, b.free.Memory), cmp.Compare(a.Name, b.Name))
}

// take changes what is free on the node.
func (n *node) take(amounts Amounts) {
	n.group.bucket(n).remove(n)
	n.free = n.free.Minus(amounts)
	n.group.bucket(n).insert(n)
	n.group.room = nil
}

// starts and ends tell the node of a job on it. What is only tried out does not count.
func (n *node) starts(r *running) {
	n.jobs = append(n.jobs, r)
	n.settle()
}

func (n *node) ends(r *running) {
	n.jobs = slices.DeleteFunc(n.jobs, func(other *running) bool { return other == r })
	n.settle()
}

// settle brings up to date when the node will be empty.
func (n *node) settle() {
	if !n.group.gpus {
		return
	}
	drained := time.Time{}
	for _, r := range n.jobs {
		if until := r.until(); until.After(drained) {
			drained = until
		}
	}
	if !drained.Equal(n.drained) {
		n.group.bucket(n).remove(n)
		n.drained = drained
		n.group.bucket(n).insert(n)
	}
}

// bestFit is the node of the group, other than the one to avoid, that is best for the need of a job of the class until the end: on GPUs by byFit, and of those
// that are in use for as long anyway and have as many GPUs free the one that is empty first; otherwise the one on which the least is left.
// nil where it fits nowhere.
func (g *group) bestFit(c *class, need Amounts, end time.Time, avoid string) (best *node) {
	first := func(nodes []*node) *node {
		for _, n := range nodes {
			if need.Fits(n.available(c, end)) && n.Name != avoid {
				return n
			}
		}
		return nil
	}
	for gpus := need.GPUs; gpus < int64(len(g.byFree)); gpus++ {
		bucket := g.byFree[gpus].items
		if !g.gpus {
			from := sort.Search(len(bucket), func(i int) bool { return bucket[i].free.MilliCPU >= need.MilliCPU })
			if n := first(bucket[from:]); n != nil {
				return n
			}
			continue
		}
		inUseUntil := func(t time.Time) int {
			return sort.Search(len(bucket), func(i int) bool { return !bucket[i].drained.Before(t) })
		}
		from := inUseUntil(end)
		if n := first(bucket[from:]); n != nil {
			return n
		}
		for from > 0 && (best == nil || bucket[from-1].drained.After(best.drained)) {
			to := from
			from = inUseUntil(bucket[to-1].drained)
			best = cmp.Or(first(bucket[from:to]), best)
		}
	}
	return best
}

// byFit compares nodes for a job until the end: first the one that will be empty the least later for it, so that nodes become whole for
// large jobs; then the one on which less is left.
func byFit(a, b *node, end time.Time) int {
	x, y := a.drained, b.drained
	if x.After(end) {
		x = end
	}
	if y.After(end) {
		y = end
	}
	return cmp.Or(y.Compare(x), cmp.Compare(a.free.GPUs, b.free.GPUs), byFree(a, b))
}

// takes reports whether jobs of the class, with GPUs of the model, may run on nodes of the kind.
func (k *kind) takes(c *class, model string) bool {
	switch {
	case k.spot && !c.spot:
		return false
	case c.cluster != "" && k.cluster != c.cluster:
		return false
	case c.pools != "" && !slices.Contains(strings.Split(c.pools, ","), k.pool):
		return false
	case c.replica.GPUs == 0:
		return !k.gpuOnly
	}
	return k.gpus && k.model == model
}

// compareKinds puts nodes without GPUs first: jobs that need none keep off the others. Nodes that stay go before spot nodes.
func compareKinds(a, b *group) int {
	return cmp.Or(compareBool(a.gpus, b.gpus), compareBool(a.spot, b.spot), cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.pool, b.pool),
		cmp.Compare(a.model, b.model), compareBool(a.gpuOnly, b.gpuOnly))
}
