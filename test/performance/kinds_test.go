package main

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/report"
)

func TestTurns(t *testing.T) {
	first, second := turn(0), turn(1)
	for i := range kinds {
		if first[i] != kinds[i] || second[i] != kinds[len(kinds)-1-i] {
			t.Errorf("place %d: got %s, then %s", i, first[i].name, second[i].name)
		}
	}
}

// TestKindsAlike: what is compared is the same work for a node.
func TestKindsAlike(t *testing.T) {
	for _, work := range []task{onRealNode, simulatedSecond, simulatedAlways} {
		pod := kindNamed(kindPod).make("x", work).(*corev1.Pod)
		batch := kindNamed(kindBatch).make("x", work).(*batchv1.Job)
		soma := kindNamed(kindSoma).make("x", work).(*platformv1.Job)
		gpus := pod.Spec.Containers[0].Resources.Limits[platformv1.ResourceGPU]
		if (soma.Spec.Resources.GPU != nil) != !gpus.IsZero() {
			t.Errorf("task %d: the pod asks for %s GPUs, the job for %+v", work, gpus.String(), soma.Spec.Resources.GPU)
		}
		if got := batch.Spec.Template.Annotations[runSeconds]; got != pod.Annotations[runSeconds] || got != soma.Annotations[runSeconds] {
			t.Errorf("task %d: the kinds run for different times", work)
		}
	}
}

func TestSettled(t *testing.T) {
	running := map[string]bool{}
	job := &platformv1.Job{}
	job.Name = "train"
	steps := []struct {
		phase    platformv1.JobPhase
		queue    *platformv1.QueueStatus
		want     bool
		wantRuns int
	}{
		{"", nil, false, 0},
		{platformv1.JobPending, &platformv1.QueueStatus{Position: 3}, true, 0},
		{platformv1.JobPending, &platformv1.QueueStatus{}, false, 0}, // it has a reservation
		{platformv1.JobRunning, nil, true, 1},
		{platformv1.JobPending, &platformv1.QueueStatus{}, false, 0}, // another attempt
	}
	for i, step := range steps {
		job.Status.Phase, job.Status.Queue = step.phase, step.queue
		if got := settled(job, running); got != step.want || len(running) != step.wantRuns {
			t.Errorf("step %d: got %v with %d running", i, got, len(running))
		}
	}
}

func TestSettings(t *testing.T) {
	good := settings{starts: 20, jobs: 200, rounds: 3, gpus: 32, scale: 10_000, nodes: 1000}
	for name, test := range map[string]struct {
		change func(*settings)
		bad    bool
	}{
		"the defaults":      {func(*settings) {}, false},
		"parts left out":    {func(s *settings) { s.starts, s.jobs, s.scale = 0, 0, 0 }, false},
		"half a node":       {func(s *settings) { s.gpus = 12 }, true},
		"no round":          {func(s *settings) { s.rounds = 0 }, true},
		"a tenth of little": {func(s *settings) { s.scale = 5 }, true},
		"fewer than none":   {func(s *settings) { s.jobs = -1 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			test.change(&s)
			if err := s.validate(); (err != nil) != test.bad {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBudgetsCanBeRead(t *testing.T) {
	if _, err := report.ReadBudgets("budgets.yaml", columns()); err != nil {
		t.Error(err)
	}
}
