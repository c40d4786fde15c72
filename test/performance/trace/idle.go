package main

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// size is what a job asks for.
type size struct{ gpus, replicas int64 }

// idle is why GPUs were not in use while jobs asked for at least as many as there are, in GPU-seconds.
type idle struct {
	// loaded is all GPU time meanwhile.
	loaded float64
	// kept is what waiting jobs would fit on. On the rest none does: on nodes in part in use, and on empty ones.
	kept, part, empty float64
}

// pass counts a time in which nothing happened. What fits is found by placing the largest waiting jobs first.
func (i *idle) pass(lasted time.Duration, free nodes, waiting map[size]int, c shape) {
	unused, wanted := int64(0), int64(0)
	for _, gpus := range free {
		unused += gpus
	}
	for s, n := range waiting {
		wanted += s.gpus * s.replicas * int64(n)
	}
	if wanted < unused {
		return
	}
	left := slices.Clone(free)
	sizes := slices.SortedFunc(maps.Keys(waiting), func(a, b size) int {
		return cmp.Or(cmp.Compare(b.gpus*b.replicas, a.gpus*a.replicas), cmp.Compare(b.gpus, a.gpus))
	})
	for _, s := range sizes {
		for range waiting[s] {
			p := left.place(&job{gpus: s.gpus, replicas: s.replicas})
			if p == nil {
				break
			}
			left.take(p)
		}
	}
	i.loaded += lasted.Seconds() * float64(c.gpus())
	for n := range free {
		i.kept += lasted.Seconds() * float64(free[n]-left[n])
		if left[n] == c.gpusPerNode {
			i.empty += lasted.Seconds() * float64(left[n])
		} else {
			i.part += lasted.Seconds() * float64(left[n])
		}
	}
}
