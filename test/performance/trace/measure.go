package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/soma-platform/soma/test/performance/report"
)

// measures tell how well a trace was played.
type measures struct {
	// loaded is the part of the GPUs in use while jobs, running and waiting together, asked for at least as many as there are.
	loaded float64
	// kept, part and empty are the parts idle meanwhile, by why.
	kept, part, empty float64
	// submitting is the part in use from a tenth of the time in which jobs were submitted to its end.
	submitting float64
	// makespan is from the first submission to the last end.
	makespan float64
	// Waits are in hours: of all jobs, and of those of 64 GPUs and more.
	mean, p99, longest, large, longestLarge float64
	slowdown                                float64
	// own is, of the queue that was served worst, which part it held of what is its own while it had jobs waiting.
	own float64
	// bound is the longest wait as a part of what is promised: the longest life span for each job that waited in the queue when the job came,
	// and one more.
	bound float64
	// deciding is all time that the scheduler took, slowest the longest for one decision, in seconds.
	deciding, slowest float64
}

// largeJob is from how many GPUs on a job is large.
const largeJob = 64

// shortest is the run time below which a job counts as that long in its slowdown (Feitelson et al., JSSPP '97).
const shortest = 10 * time.Second

func measure(s *schedule, c shape) measures {
	m := measures{deciding: s.deciding.Seconds(), slowest: s.slowest.Seconds()}
	var waits, larges []float64
	longestSpan := time.Duration(0)
	for _, j := range s.jobs {
		longestSpan = max(longestSpan, j.span)
	}
	for _, j := range s.jobs {
		wait := j.wait()
		waits = append(waits, wait.Hours())
		if j.total() >= largeJob {
			larges = append(larges, wait.Hours())
		}
		m.slowdown += max(1, float64(wait+j.run)/float64(max(j.run, shortest))) / float64(len(s.jobs))
		m.bound = max(m.bound, float64(wait)/(float64(j.ahead+1)*float64(longestSpan)))
		m.makespan = max(m.makespan, j.ended().Hours())
	}
	m.mean, m.p99, m.longest = mean(waits), report.Quantile(waits, 0.99), report.Quantile(waits, 1)
	m.large, m.longestLarge = mean(larges), report.Quantile(larges, 1)
	m.submitting = whileSubmitting(s, c)
	m.loaded, m.own = overTime(s, c)
	if s.idle.loaded > 0 {
		m.kept, m.part, m.empty = s.idle.kept/s.idle.loaded, s.idle.part/s.idle.loaded, s.idle.empty/s.idle.loaded
	}
	return m
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}

func whileSubmitting(s *schedule, c shape) float64 {
	last := s.jobs[len(s.jobs)-1].submitted
	from, used := last/10, 0.0
	for _, j := range s.jobs {
		if lasted := min(j.ended(), last) - max(j.started, from); lasted > 0 {
			used += lasted.Seconds() * float64(j.total())
		}
	}
	return used / ((last - from).Seconds() * float64(c.gpus()))
}

// change is of what a queue holds and wants at a time.
type change struct {
	at           time.Duration
	queue        string
	held, wanted int64
}

func changes(s *schedule) []change {
	all := make([]change, 0, 3*len(s.jobs))
	for _, j := range s.jobs {
		n := j.total()
		all = append(all, change{j.submitted, j.queue, 0, n}, change{j.started, j.queue, n, -n}, change{j.ended(), j.queue, -n, 0})
	}
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	return all
}

// overTime derives loaded and own.
func overTime(s *schedule, c shape) (loaded, own float64) {
	held, wanted := map[string]int64{}, map[string]int64{}
	heldWhile, waited := map[string]float64{}, map[string]float64{}
	allHeld, allWanted := int64(0), int64(0)
	used, seconds, last := 0.0, 0.0, time.Duration(0)
	for _, change := range changes(s) {
		if lasted := (change.at - last).Seconds(); lasted > 0 {
			last = change.at
			if allHeld+allWanted >= c.gpus() {
				seconds += lasted
				used += lasted * float64(allHeld)
			}
			for queue, n := range wanted {
				if n > 0 {
					waited[queue] += lasted
					heldWhile[queue] += lasted * float64(held[queue])
				}
			}
		}
		held[change.queue] += change.held
		wanted[change.queue] += change.wanted
		allHeld += change.held
		allWanted += change.wanted
	}
	if seconds > 0 {
		loaded = used / (seconds * float64(c.gpus()))
	}
	var parts []float64
	for queue, lasted := range waited {
		parts = append(parts, heldWhile[queue]/(lasted*float64(c.own())))
	}
	return loaded, report.Quantile(parts, 0)
}
