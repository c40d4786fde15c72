package main

import (
	"cmp"
	"container/heap"
	"fmt"
	"time"
)

// scheduler is what is compared. Times are from the beginning of the trace.
type scheduler interface {
	// submit and end tell of a job that waits from now on, and of one that has ended.
	submit(j *job)
	end(j *job)
	// decide starts jobs. again is when it wants to be asked though nothing happens; 0 for never.
	decide(now time.Duration) (starts []start, again time.Duration)
}

type start struct {
	job *job
	on  placement
}

// played is what became of a job.
type played struct {
	*job
	started time.Duration
	// ahead is how many jobs of its queue waited when it was submitted.
	ahead int
}

func (p *played) wait() time.Duration  { return p.started - p.submitted }
func (p *played) ended() time.Duration { return p.started + p.run }

// schedule is a trace as a scheduler played it.
type schedule struct {
	name string
	jobs []*played
	// deciding is the real time that the scheduler took for all of it, decisions how often it was asked, slowest the longest of them.
	deciding, slowest time.Duration
	decisions         int
	idle              idle
}

// ends is a heap of running jobs by their end.
type ends []*played

func (e ends) Len() int { return len(e) }
func (e ends) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].ended(), e[j].ended()), cmp.Compare(e[i].name, e[j].name)) < 0
}
func (e ends) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)   { *e = append(*e, x.(*played)) }
func (e *ends) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// simulate plays a trace to a scheduler until all jobs have ended. It keeps its own account of the nodes: a scheduler that gives
// something away twice, or leaves jobs waiting on an empty cluster, is an error.
func simulate(name string, s scheduler, trace []*job, c shape) (*schedule, error) {
	result := &schedule{name: name}
	free, on := c.empty(), map[*job]placement{}
	jobs, waiting, sizes := map[*job]*played{}, map[string]int{}, map[size]int{}
	var running ends
	now, next, again := time.Duration(0), 0, time.Duration(0)
	for next < len(trace) || len(running) > 0 {
		last := now
		now = soonest(last, trace, next, running, again)
		result.idle.pass(now-last, free, sizes, c)
		began := time.Now()
		for len(running) > 0 && running[0].ended() <= now {
			p := heap.Pop(&running).(*played)
			free.giveBack(on[p.job])
			s.end(p.job)
		}
		for ; next < len(trace) && trace[next].submitted <= now; next++ {
			j := trace[next]
			jobs[j] = &played{job: j, started: -1, ahead: waiting[j.queue]}
			result.jobs = append(result.jobs, jobs[j])
			waiting[j.queue]++
			sizes[size{j.gpus, j.replicas}]++
			s.submit(j)
		}
		var starts []start
		starts, again = s.decide(now)
		took := time.Since(began)
		result.decisions++
		result.deciding += took
		result.slowest = max(result.slowest, took)
		for _, started := range starts {
			p := jobs[started.job]
			if err := check(p, started.on, free); err != nil {
				return nil, fmt.Errorf("%s at %s: %w", name, now, err)
			}
			p.started = now
			on[p.job] = started.on
			free.take(started.on)
			waiting[p.queue]--
			sizes[size{p.gpus, p.replicas}]--
			heap.Push(&running, p)
		}
	}
	for _, p := range result.jobs {
		if p.started < 0 {
			return nil, fmt.Errorf("%s: %s has never started", name, p.name)
		}
	}
	return result, nil
}

// soonest is when something happens next.
func soonest(now time.Duration, trace []*job, next int, running ends, again time.Duration) time.Duration {
	at := time.Duration(-1)
	consider := func(t time.Duration) {
		if at < 0 || t < at {
			at = t
		}
	}
	if next < len(trace) {
		consider(trace[next].submitted)
	}
	if len(running) > 0 {
		consider(running[0].ended())
	}
	if again > now {
		consider(again)
	}
	return at
}

func check(p *played, on placement, free nodes) error {
	if p.started >= 0 {
		return fmt.Errorf("%s starts twice", p.name)
	}
	held := int64(0)
	for node, gpus := range on {
		if held += gpus; gpus > free[node] {
			return fmt.Errorf("%s takes %d GPUs of node %d, which has %d", p.name, gpus, node, free[node])
		}
	}
	if held != p.total() {
		return fmt.Errorf("%s asks for %d GPUs and gets %d", p.name, p.total(), held)
	}
	return nil
}
