package scheduling

import (
	"cmp"
	"slices"
)

// parts are what may influence each other: trees of quotas, by their numbers, and kinds of nodes, by numbers behind those. Each says which
// one stands for it.
type parts struct {
	by []int
	// kinds are the numbers of the kinds of nodes, nodes those of each one's, by its name.
	kinds map[kind]int
	nodes map[string]int
}

// of is the number that stands for all that are in one part with another.
func (p *parts) of(n int) int {
	for p.by[n] != n {
		p.by[n] = p.by[p.by[n]]
		n = p.by[n]
	}
	return n
}

func (p *parts) join(one, other int) { p.by[p.of(one)] = p.of(other) }

func (p *parts) add() int {
	p.by = append(p.by, len(p.by))
	return len(p.by) - 1
}

// apart splits the future into parts of which none influences another, as their jobs share neither quotas nor nodes. Where nobody waits
// there is none.
func (f *Future) apart() (split []*Future) {
	joined, all, nobodys := f.joined(), map[int]*Future{}, &Future{}
	for i := range f.waiting {
		w := &f.waiting[i]
		n := joined.of(f.trees[w.Quota])
		if all[n] == nil {
			all[n] = &Future{options: f.options, left: f.left, kept: f.kept, pastAt: f.pastAt}
			split = append(split, all[n])
		}
		all[n].waiting = append(all[n].waiting, *w)
	}
	partOf := func(n int) *Future { return cmp.Or(all[joined.of(n)], nobodys) }
	for i := range f.quotas {
		part := partOf(f.trees[f.quotas[i].Name])
		part.quotas = append(part.quotas, f.quotas[i])
	}
	for i := range f.nodes {
		part := partOf(joined.nodes[f.nodes[i].Name])
		part.nodes = append(part.nodes, f.nodes[i])
	}
	for i := range f.running {
		if at := f.touches(joined, &f.running[i]); len(at) > 0 {
			part := partOf(at[0])
			part.running = append(part.running, f.running[i])
		}
	}
	for _, p := range f.past {
		part := partOf(f.trees[p.Quota])
		part.past = append(part.past, p)
	}
	return split
}

// joined joins each tree with the nodes that its jobs may run on, and with those on which they run.
func (f *Future) joined() *parts {
	all := &parts{kinds: map[kind]int{}, nodes: make(map[string]int, len(f.nodes))}
	for range f.displacing {
		all.add()
	}
	for i := range f.nodes {
		k := f.nodes[i].kind()
		n, known := all.kinds[k]
		if !known {
			n = all.add()
			all.kinds[k] = n
		}
		all.nodes[f.nodes[i].Name] = n
	}
	looked := map[*Waiting]bool{} // those of a class have it in common
	for i := range f.waiting {
		if w := f.waiting[i].Waiting; !looked[w] {
			looked[w] = true
			f.joinNodes(all, w)
		}
	}
	for i := range f.running {
		r := &f.running[i]
		if tree, known := f.trees[r.Quota]; known && (f.displacing[tree] || r.For != "") {
			again := r.again()
			f.joinNodes(all, &again)
		}
		at := f.touches(all, r)
		for _, n := range at {
			all.join(n, at[0])
		}
	}
	return all
}

// joinNodes joins the tree of a waiting job with the nodes that it may run on.
func (f *Future) joinNodes(all *parts, w *Waiting) {
	c := class{shape: w.shape()}
	for k, n := range all.kinds {
		if k.takes(&c, k.model) && (w.Replica.GPUs == 0 || len(w.Models) == 0 || slices.Contains(w.Models, k.model)) {
			all.join(f.trees[w.Quota], n)
		}
	}
}

// touches are the numbers of the tree of a job that runs and of the nodes on which it does, as far as they are known.
func (f *Future) touches(all *parts, r *running) (numbers []int) {
	if tree, known := f.trees[r.Quota]; known {
		numbers = append(numbers, tree)
	}
	for _, s := range r.Nodes {
		if n, known := all.nodes[s.Node]; known {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
