package main

import "testing"

func TestLoads(t *testing.T) {
	for name, test := range map[string]struct {
		load         load
		jobs, queues int
		cpu, gpus    int
	}{
		"Kueue's baseline":      {baseline(1), 15_000, 30, 600, 0},
		"a fifth of it":         {baseline(5), 3_000, 30, 600, 0},
		"one hot queue":         {hotQueue(1), 10_000, 1, 600, 0},
		"many queues":           {manyQueues(1), 50_000, 1000, 20_000, 0},
		"fewer of many queues":  {manyQueues(10), 5_000, 100, 2_000, 0},
		"GPUs that are full":    {fullGPUs(100), 108, 1, 100, 8},
		"others in their queue": {besideGPUs(), 1_000, 1, 100, 8},
		"a stream":              {stream(1), 3_000, 10, 8_000, 8_000},
		"what a restart meets":  {standing(1), 60_000, 10, 10_000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cpu, gpus := test.load.total()
			if got := test.load.jobs(); got != test.jobs {
				t.Errorf("got %d jobs, want %d", got, test.jobs)
			}
			if got := len(test.load.all()); got != test.queues || cpu != test.cpu || gpus != test.gpus {
				t.Errorf("got %d queues of %d CPU and %d GPUs in all, want %d, %d and %d", got, cpu, gpus, test.queues, test.cpu, test.gpus)
			}
		})
	}
}
