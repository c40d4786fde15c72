package scheduling

import (
	"testing"
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Preemptible jobs take turns of an hour wherever a quota lets jobs give way, unless it says otherwise.
func TestReadTurns(t *testing.T) {
	tests := map[string]struct {
		preemption *platformv1.Preemption
		want       time.Duration
	}{
		"no preemption":              {nil, 0},
		"nobody gives way":           {&platformv1.Preemption{LowerPriority: platformv1.VictimsNever, Reclaim: platformv1.VictimsNever}, 0},
		"only a wait is given":       {&platformv1.Preemption{LongestWaitSeconds: new(int64(60)), MinimumRunSeconds: new(int64(60))}, 0},
		"of lower priority":          {&platformv1.Preemption{LowerPriority: platformv1.VictimsPreemptible}, time.Hour},
		"what was lent":              {&platformv1.Preemption{Reclaim: platformv1.VictimsAny}, time.Hour},
		"shorter":                    {&platformv1.Preemption{Reclaim: platformv1.VictimsAny, QuantumSeconds: new(int64(600))}, 10 * time.Minute},
		"switched off":               {&platformv1.Preemption{Reclaim: platformv1.VictimsAny, QuantumSeconds: new(int64(0))}, 0},
		"turns are all that is said": {&platformv1.Preemption{QuantumSeconds: new(int64(600))}, 10 * time.Minute},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			q := &platformv1.Quota{Spec: platformv1.QuotaSpec{Preemption: tc.preemption}}
			if got := ReadQuota(q).Preemption.Quantum; got != tc.want {
				t.Errorf("a turn is %s, want %s", got, tc.want)
			}
		})
	}
}
