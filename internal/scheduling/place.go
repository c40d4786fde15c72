package scheduling

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Placement is where a job starts.
type Placement struct {
	// Pool of the first node, and the model of all GPUs.
	Pool, Model string
	Nodes       []Share
}

// Share is a number of replicas on a node.
type Share struct {
	Node     string
	Replicas int64
}

// share is a number of replicas on a node of the ledger.
type share struct {
	node     *node
	replicas int64
}

// place finds nodes for all replicas of a class's job, with GPUs of the model, or none. The job will have ended by end.
func (e *Engine) place(c *class, model string, end time.Time) []share {
	groups := e.groupsFor(c, model)
	if c.pools != "" {
		for pool := range strings.SplitSeq(c.pools, ",") {
			var one []*group
			for _, g := range groups {
				if g.pool == pool {
					one = append(one, g)
				}
			}
			if shares := placeIn(one, c, end); shares != nil {
				return shares
			}
		}
	}
	return placeIn(groups, c, end)
}

// groupsFor are the groups on whose nodes a class's job may run.
func (e *Engine) groupsFor(c *class, model string) []*group {
	var groups []*group
	for _, g := range e.groups {
		if g.takes(c, model) {
			groups = append(groups, g)
		}
	}
	return groups
}

// placeIn places the job. Nodes that come first by their kind are full before others are looked at: jobs without GPUs keep off
// nodes with GPUs, and nobody runs on spot nodes without need.
func placeIn(groups []*group, c *class, end time.Time) []share {
	for i, g := range groups {
		if last := i == len(groups)-1; last || g.gpus != groups[i+1].gpus || g.spot != groups[i+1].spot {
			if shares := placeOn(groups[:i+1], c, end); shares != nil {
				return shares
			}
		}
	}
	return nil
}

// placeOn places the job on one node where it can, and otherwise on as few as it can, as near to each other as it can; on the node to
// avoid where it cannot without.
func placeOn(groups []*group, c *class, end time.Time) []share {
	for _, avoid := range slices.Compact([]string{c.avoid, ""}) {
		if c.within == 0 || c.replicas == 1 {
			if n := bestFit(groups, c, c.replica.Times(c.replicas), end, avoid); n != nil {
				return []share{{n, c.replicas}}
			}
		}
		if c.replicas == 1 {
			continue
		}
		if shares := spread(groups, c, end, avoid); shares != nil {
			return shares
		}
	}
	return nil
}

// spread places the job on as few nodes as it can, as near to each other as it can, and none on the one to avoid.
func spread(groups []*group, c *class, end time.Time, avoid string) []share {
	var slots []share
	total, levels := int64(0), 0
	for _, g := range groups {
		for _, n := range g.nodes {
			if free := c.replica.count(n.available(c, end)); free > 0 && n.Name != avoid {
				slots = append(slots, share{n, free})
				total += free
				levels = max(levels, len(n.Domains))
			}
		}
	}
	if total < c.replicas {
		return nil
	}
	for level := levels; level >= max(c.within, 1); level-- {
		if domain := smallestDomain(slots, level, c.replicas); domain != nil {
			return fewest(domain, c.replicas)
		}
	}
	if c.within > 0 {
		return nil
	}
	return fewest(slots, c.replicas)
}

// bestFit is the best node of all groups, other than the one to avoid, for what a job of the class needs.
func bestFit(groups []*group, c *class, need Amounts, end time.Time, avoid string) (best *node) {
	for _, g := range groups {
		if n := g.bestFit(c, need, end, avoid); n != nil && (best == nil || byFit(n, best, end) < 0) {
			best = n
		}
	}
	return best
}

// smallestDomain is the slots of the topology domain, at a level from the widest, that has room for the replicas and the
// least room beyond; nil where none has.
func smallestDomain(slots []share, level int, replicas int64) []share {
	room := map[string]int64{}
	for _, s := range slots {
		if len(s.node.within) >= level {
			room[s.node.within[level-1]] += s.replicas
		}
	}
	best := ""
	for domain, n := range room {
		if n >= replicas && (best == "" || n < room[best] || n == room[best] && domain < best) {
			best = domain
		}
	}
	if best == "" {
		return nil
	}
	var in []share
	for _, s := range slots {
		if len(s.node.within) >= level && s.node.within[level-1] == best {
			in = append(in, s)
		}
	}
	return in
}

// domains are the node's domains at each level, by the names of all that it lies in: a rack of the same name in another block is
// another rack.
func (n *Node) domains() []string {
	all, in := make([]string, len(n.Domains)), n.Cluster
	for i, name := range n.Domains {
		in += "\x00" + name
		all[i] = in
	}
	return all
}

// fewest spreads the replicas over as few nodes as will do: those with most room first, and for the rest the one that it
// fills best.
func fewest(slots []share, replicas int64) []share {
	slices.SortFunc(slots, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.replicas, a.replicas), cmp.Compare(a.node.Name, b.node.Name))
	})
	var shares []share
	for i, s := range slots {
		if s.replicas >= replicas {
			last := s
			for _, smaller := range slots[i:] {
				if smaller.replicas < replicas {
					break
				}
				if smaller.replicas < last.replicas {
					last = smaller
				}
			}
			return append(shares, share{last.node, replicas})
		}
		shares = append(shares, s)
		replicas -= s.replicas
	}
	return nil
}
