package main

import "time"

// fifo starts jobs strictly in the order of submission: who does not fit holds up all behind it.
type fifo struct {
	free    nodes
	waiting []*job
	on      map[*job]placement
}

func newFIFO(c shape) *fifo { return &fifo{free: c.empty(), on: map[*job]placement{}} }

func (f *fifo) submit(j *job) { f.waiting = append(f.waiting, j) }

func (f *fifo) end(j *job) {
	f.free.giveBack(f.on[j])
	delete(f.on, j)
}

func (f *fifo) decide(time.Duration) (starts []start, again time.Duration) {
	for len(f.waiting) > 0 {
		first := f.waiting[0]
		p := f.free.place(first)
		if p == nil {
			break
		}
		starts = append(starts, f.start(first, p))
		f.waiting = f.waiting[1:]
	}
	return starts, 0
}

func (f *fifo) start(j *job, p placement) start {
	f.free.take(p)
	f.on[j] = p
	return start{j, p}
}
