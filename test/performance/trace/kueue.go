package main

import (
	"cmp"
	"time"
)

// kueue is the order of Kueue with its defaults (BestEffortFIFO, one cohort, no preemption): in every cycle it looks at the first job of
// each queue, those that do not borrow first, then by submission. Who does not fit is set aside until something ends, and
// nothing is kept for it. As with topology-aware scheduling, fitting means the nodes as well.
type kueue struct {
	fifo
	own     int64
	used    map[string]int64
	waiting map[string][]*job
	aside   map[string][]*job
}

func newKueue(c shape) *kueue {
	return &kueue{fifo: *newFIFO(c), own: c.own(), used: map[string]int64{}, waiting: map[string][]*job{}, aside: map[string][]*job{}}
}

func (k *kueue) submit(j *job) { k.waiting[j.queue] = append(k.waiting[j.queue], j) }

// end takes all that were set aside back to their places: whatever ends in the cohort may let them start.
func (k *kueue) end(j *job) {
	k.fifo.end(j)
	k.used[j.queue] -= j.total()
	for queue, aside := range k.aside {
		k.waiting[queue] = append(aside, k.waiting[queue]...)
	}
	clear(k.aside)
}

func (k *kueue) decide(time.Duration) (starts []start, again time.Duration) {
	failed := map[[2]int64]bool{}
	for first := k.first(); first != nil; first = k.first() {
		k.waiting[first.queue] = k.waiting[first.queue][1:]
		size := [2]int64{first.gpus, first.replicas}
		var p placement
		if !failed[size] {
			p = k.free.place(first)
		}
		if p == nil {
			failed[size] = true
			k.aside[first.queue] = append(k.aside[first.queue], first)
			continue
		}
		k.used[first.queue] += first.total()
		starts = append(starts, k.start(first, p))
	}
	return starts, 0
}

// first is the best of the first jobs of all queues.
func (k *kueue) first() *job {
	var best *job
	for _, waiting := range k.waiting {
		if len(waiting) > 0 && (best == nil || k.compare(waiting[0], best) < 0) {
			best = waiting[0]
		}
	}
	return best
}

func (k *kueue) compare(a, b *job) int {
	return cmp.Or(cmp.Compare(k.borrows(a), k.borrows(b)), cmp.Compare(a.submitted, b.submitted), cmp.Compare(a.name, b.name))
}

// borrows is 1 for a job that its queue has not enough of its own for.
func (k *kueue) borrows(j *job) int {
	if k.used[j.queue]+j.total() > k.own {
		return 1
	}
	return 0
}
