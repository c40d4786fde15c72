package cli

import (
	"testing"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestDescribeSharing(t *testing.T) {
	for name, tc := range map[string]struct {
		spec            v1alpha1.QuotaSpec
		share, givesWay string
	}{
		"nothing": {},
		"all of it": {
			v1alpha1.QuotaSpec{
				FairShare: &v1alpha1.FairShare{Weight: new(int32(2)), HalfLifeSeconds: new(int64(604800)), MaxAgeSeconds: new(int64(5400))},
				Preemption: &v1alpha1.Preemption{
					LowerPriority: v1alpha1.VictimsAny, Reclaim: v1alpha1.VictimsPreemptible, QuantumSeconds: new(int64(90)), MinimumRunSeconds: new(int64(600)),
				},
			},
			"weight 2; half of what was used is forgotten in 168h; who has been the next for 1h30m goes first",
			"all jobs of lower priority\npreemptible jobs on what it lends\npreemptible jobs after a turn of 1m30s\nnone of its own before 10m",
		},
		"without an age": {v1alpha1.QuotaSpec{FairShare: &v1alpha1.FairShare{MaxAgeSeconds: new(int64(0))}}, "places are kept by submission alone", ""},
		"turns that are not given": {
			v1alpha1.QuotaSpec{Preemption: &v1alpha1.Preemption{Reclaim: v1alpha1.VictimsAny}}, "", "all jobs on what it lends\npreemptible jobs after a turn of 1h",
		},
		"turns that are switched off": {
			v1alpha1.QuotaSpec{Preemption: &v1alpha1.Preemption{Reclaim: v1alpha1.VictimsAny, LowerPriority: v1alpha1.VictimsNever, QuantumSeconds: new(int64(0))}},
			"", "all jobs on what it lends",
		},
	} {
		q := &v1alpha1.Quota{Spec: tc.spec}
		if got := describeFairShare(q); got != tc.share {
			t.Errorf("%s: fair share %q", name, got)
		}
		if got := describeGivingWay(q); got != tc.givesWay {
			t.Errorf("%s: gives way %q", name, got)
		}
	}
}
