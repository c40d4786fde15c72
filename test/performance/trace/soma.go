package main

import (
	"fmt"
	"time"

	"github.com/soma-platform/soma/internal/scheduling"
)

// beginning of the trace by the engine's clock.
var beginning = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// soma is the engine of the product with the manager's options: a quota for each queue below one that has nothing of its own.
type soma struct {
	engine *scheduling.Engine
	jobs   map[string]*job
	number map[string]int
}

func newSoma(c shape, options scheduling.Options) *soma {
	s := &soma{engine: scheduling.New(options), jobs: map[string]*job{}, number: map[string]int{}}
	none, own, many := int64(0), c.own(), int64(1)<<50
	s.engine.SetQuota(scheduling.Quota{Name: "all", Nominal: scheduling.Limits{MilliCPU: &many, Memory: &many, GPUs: &none}, HalfLife: 7 * 24 * time.Hour})
	for _, name := range c.queueNames() {
		s.engine.SetQuota(scheduling.Quota{Name: name, Parent: "all", Nominal: scheduling.Limits{MilliCPU: &none, Memory: &none, GPUs: &own}})
	}
	for i := range c.nodes {
		name := fmt.Sprintf("n%03d", i)
		s.number[name] = i
		s.engine.SetNode(scheduling.Node{
			Name: name, GPUModel: "A100",
			Allocatable: scheduling.Amounts{MilliCPU: 1000 * c.gpusPerNode, Memory: c.gpusPerNode << 30, GPUs: c.gpusPerNode, Pods: 110},
		})
	}
	return s
}

func (s *soma) submit(j *job) {
	s.jobs[j.name] = j
	s.engine.SetWaiting(scheduling.Waiting{
		Key: j.name, User: j.user, Quota: j.queue, Since: beginning.Add(j.submitted), Span: j.span,
		Request: scheduling.Request{
			Replica:  scheduling.Amounts{MilliCPU: 1000 * j.gpus, Memory: j.gpus << 30, GPUs: j.gpus},
			Replicas: j.replicas,
		},
	})
}

func (s *soma) end(j *job) { s.engine.RemoveRunning(j.name) }

func (s *soma) decide(now time.Duration) (starts []start, again time.Duration) {
	decided := s.engine.Decide(beginning.Add(now))
	for _, d := range decided.Starts {
		j, on := s.jobs[d.Key], placement{}
		for _, share := range d.Nodes {
			on[s.number[share.Node]] += share.Replicas * j.gpus
		}
		starts = append(starts, start{j, on})
	}
	if !decided.Again.IsZero() {
		again = decided.Again.Sub(beginning)
	}
	return starts, again
}
