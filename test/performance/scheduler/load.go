package main

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// class is equal jobs of one queue, made one after another.
type class struct {
	name  string
	count int
	// every is the time between two of them, runs how long each of them runs; one that runs for 0 never ends.
	every, runs time.Duration
	// steady is that what was late is caught up with.
	steady bool
	// priority among those of the same queue: low, normal or high.
	priority priority
	cpu      int
	gpus     int
}

type priority int

const (
	low priority = iota
	normal
	high
)

// load is what both schedulers are given: equal queues in cohorts, each with the same jobs.
type load struct {
	name            string
	cohorts, queues int
	// cpu and gpus are what each queue has, borrowing how much CPU it may have beyond that of what others of its cohort leave.
	cpu, borrowing, gpus int
	classes              []class
}

// queue is one of them.
type queue struct {
	cohort, name string
}

func (l *load) all() []queue {
	var queues []queue
	for c := range l.cohorts {
		for q := range l.queues {
			queues = append(queues, queue{fmt.Sprintf("cohort-%d", c), fmt.Sprintf("queue-%d-%d", c, q)})
		}
	}
	return queues
}

// names are those of all jobs.
func (l *load) names() []types.NamespacedName {
	var names []types.NamespacedName
	for _, q := range l.all() {
		for _, c := range l.classes {
			for i := range c.count {
				names = append(names, types.NamespacedName{Namespace: q.name, Name: c.jobName(i)})
			}
		}
	}
	return names
}

// jobName is the name of the class's job of a number.
func (c *class) jobName(i int) string { return fmt.Sprintf("%s-%d", c.name, i) }

// jobs is how many jobs there are in all.
func (l *load) jobs() int {
	each := 0
	for _, c := range l.classes {
		each += c.count
	}
	return each * l.cohorts * l.queues
}

// total is what all queues have together.
func (l *load) total() (cpu, gpus int) {
	return l.cpu * l.cohorts * l.queues, l.gpus * l.cohorts * l.queues
}

// baseline is the load of Kueue's own performance test, with a part of its jobs.
func baseline(part int) load {
	return load{
		name: "baseline", cohorts: 5, queues: 6, cpu: 20, borrowing: 100,
		classes: []class{
			{name: "small", count: 350 / part, every: 100 * time.Millisecond, runs: 200 * time.Millisecond, priority: low, cpu: 1},
			{name: "medium", count: 100 / part, every: 500 * time.Millisecond, runs: 500 * time.Millisecond, priority: normal, cpu: 5},
			{name: "large", count: 50 / part, every: 1200 * time.Millisecond, runs: time.Second, priority: high, cpu: 20},
		},
	}
}

// hotQueue is one queue that all jobs are in, which come as fast as the API server takes them.
func hotQueue(part int) load {
	return load{
		name: "one hot queue", cohorts: 1, queues: 1, cpu: 600,
		classes: []class{{name: "hot", count: 10_000 / part, runs: 200 * time.Millisecond, priority: normal, cpu: 1}},
	}
}

// manyQueues is the large load of Kueue's own performance test: many queues of a few jobs each.
func manyQueues(part int) load {
	return load{
		name: "many queues", cohorts: 10, queues: 100 / part, cpu: 20, borrowing: 100,
		classes: []class{
			{name: "small", count: 35, every: 60 * time.Millisecond, runs: 150 * time.Millisecond, priority: low, cpu: 1},
			{name: "medium", count: 11, every: 300 * time.Millisecond, runs: 350 * time.Millisecond, priority: normal, cpu: 5},
			{name: "large", count: 4, every: 700 * time.Millisecond, runs: 700 * time.Millisecond, priority: high, cpu: 20},
		},
	}
}

// fullGPUs is a queue all of whose GPUs are in use, for ever, with so many jobs that wait for them.
func fullGPUs(waiting int) load {
	return load{
		name: "full GPUs", cohorts: 1, queues: 1, cpu: 100, gpus: 8,
		classes: []class{{name: "gpu", count: 8 + waiting, priority: normal, cpu: 1, gpus: 1}},
	}
}

// besideGPUs is the jobs without GPUs in the same queue.
func besideGPUs() load {
	l := fullGPUs(0)
	l.name = "beside full GPUs"
	l.classes = []class{{name: "cpu", count: 1000, runs: 200 * time.Millisecond, priority: normal, cpu: 1}}
	return l
}

// stream is 50 jobs in a second on 1,000 nodes of 8 GPUs, which have room for all.
func stream(part int) load {
	return load{
		name: "50 jobs in a second", cohorts: 1, queues: 10, cpu: 800, gpus: 800,
		classes: []class{{
			name: "stream", count: 300 / part, every: 200 * time.Millisecond, steady: true, runs: 10 * time.Second, priority: normal, cpu: 1, gpus: 1,
		}},
	}
}

// standing is jobs that never end, of which a sixth runs.
func standing(part int) load {
	cpu := 1000 / part
	return load{
		name: "restart", cohorts: 1, queues: 10, cpu: cpu,
		classes: []class{{name: "standing", count: 6 * cpu, priority: normal, cpu: 1}},
	}
}
