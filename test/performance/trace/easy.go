package main

import (
	"cmp"
	"slices"
	"time"
)

// easy is backfill as in EASY (Lifka, JSSPP '95): jobs start in the order of submission; the first that does not fit gets the time at which
// it will at the latest, from the life spans of those that run, and others start before it only if they end by then or do
// not need what it needs.
type easy struct {
	fifo
	endsBy map[*job]time.Duration
}

func newEASY(c shape) *easy { return &easy{fifo: *newFIFO(c), endsBy: map[*job]time.Duration{}} }

func (e *easy) end(j *job) {
	e.fifo.end(j)
	delete(e.endsBy, j)
}

func (e *easy) decide(now time.Duration) (starts []start, again time.Duration) {
	starts, _ = e.fifo.decide(now)
	for _, s := range starts {
		e.endsBy[s.job] = now + s.job.span
	}
	if len(e.waiting) == 0 {
		return starts, 0
	}
	shadow, left := e.reserve(e.waiting[0])
	type try struct {
		gpus, replicas int64
		inTime         bool
	}
	failed := map[try]bool{}
	rest := e.waiting[:1:1]
	for _, j := range e.waiting[1:] {
		t := try{j.gpus, j.replicas, now+j.span <= shadow}
		if failed[t] {
			rest = append(rest, j)
			continue
		}
		room := e.free
		if !t.inTime {
			room = room.least(left)
		}
		p := room.place(j)
		if p == nil {
			failed[t] = true
			rest = append(rest, j)
			continue
		}
		if !t.inTime {
			left.take(p)
		}
		starts = append(starts, e.start(j, p))
		e.endsBy[j] = now + j.span
	}
	e.waiting = rest
	return starts, 0
}

// reserve finds when the job can start, and what is left of each node from then on.
func (e *easy) reserve(j *job) (shadow time.Duration, left nodes) {
	running := make([]*job, 0, len(e.on))
	for r := range e.on {
		running = append(running, r)
	}
	slices.SortFunc(running, func(a, b *job) int {
		return cmp.Or(cmp.Compare(e.endsBy[a], e.endsBy[b]), cmp.Compare(a.name, b.name))
	})
	left = slices.Clone(e.free)
	for _, r := range running {
		left.giveBack(e.on[r])
		shadow = e.endsBy[r]
		if p := left.place(j); p != nil {
			left.take(p)
			break
		}
	}
	return shadow, left
}
