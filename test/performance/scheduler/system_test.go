package main

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestState(t *testing.T) {
	for name, test := range map[string]struct {
		system system
		status string
		want   state
	}{
		"Kueue, new":      {&kueue{}, "{}", waiting},
		"Kueue, reserved": {&kueue{}, "{conditions: [{type: QuotaReserved, status: 'True'}]}", waiting},
		"Kueue, admitted": {&kueue{}, "{conditions: [{type: QuotaReserved, status: 'True'}, {type: Admitted, status: 'True'}]}", reserved},
		"Kueue, evicted": {
			&kueue{}, "{conditions: [{type: QuotaReserved, status: 'True'}, {type: Admitted, status: 'True'}, {type: Evicted, status: 'True'}]}", leaving,
		},
		"Kueue, evicted before": {
			&kueue{}, "{conditions: [{type: QuotaReserved, status: 'True'}, {type: Admitted, status: 'True'}, {type: Evicted, status: 'False'}]}", reserved,
		},
		"Kueue, waits anew": {&kueue{}, "{conditions: [{type: QuotaReserved, status: 'False'}, {type: Evicted, status: 'True'}]}", waiting},
		"Kueue, ended":      {&kueue{}, "{conditions: [{type: QuotaReserved, status: 'True'}, {type: Finished, status: 'True'}]}", done},
		"Soma, new":         {&soma{}, "{phase: Pending}", waiting},
		"Soma, reserved":    {&soma{}, "{phase: Pending, reservation: {attempt: 1}}", reserved},
		"Soma, displaced":   {&soma{}, "{phase: Pending, reservation: {attempt: 1, ending: Preempted}}", leaving},
		"Soma, ended":       {&soma{}, "{phase: Succeeded}", done},
	} {
		t.Run(name, func(t *testing.T) {
			status := map[string]any{}
			if err := yaml.Unmarshal([]byte(test.status), &status); err != nil {
				t.Fatal(err)
			}
			job := &unstructured.Unstructured{Object: map[string]any{"status": status}}
			if got := test.system.state(job); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

// TestEndAndDisplacement: what is written is read as what was meant.
func TestEndAndDisplacement(t *testing.T) {
	for name, s := range map[string]system{"Kueue": &kueue{}, "Soma": &soma{}} {
		t.Run(name, func(t *testing.T) {
			l := baseline(1)
			job := s.job(l.all()[0], &l.classes[0], "small-0")
			job.Object["status"] = s.finished(job)
			if got := s.state(job); got != done {
				t.Errorf("what was ended is %d, want %d", got, done)
			}
			delete(job.Object, "status")
			job.Object["status"] = s.displaced(job)
			unstructured.RemoveNestedField(job.Object, "status", "reservation") // as the patch does
			if got := s.state(job); got != waiting {
				t.Errorf("what gave way is %d, want %d", got, waiting)
			}
		})
	}
}
