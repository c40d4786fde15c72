package scheduling

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// More than can be counted is as much as can be: never less, and never nothing.
func TestAmountsThatCannotBeCounted(t *testing.T) {
	const most = 256 // replicas
	for _, text := range []string{"2Pi", "1Ei", "4Ei", "8Ei", "16Ei", "1e30"} {
		q := resource.MustParse(text)
		a := AmountsOf(q, q, 1).Times(most)
		if a.MilliCPU < 1<<50 || a.Memory < 1<<50 {
			t.Errorf("%s is read as %+v", text, a)
		}
		if l := ReadLimits(&platformv1.ResourceAmounts{CPU: &q, Memory: &q}); *l.MilliCPU < 1<<50 || *l.Memory < 1<<50 {
			t.Errorf("a limit of %s is read as %d and %d", text, *l.MilliCPU, *l.Memory)
		}
	}
	if a, want := AmountsOf(resource.MustParse("1500m"), resource.MustParse("64Gi"), 8), (Amounts{MilliCPU: 1500, Memory: 64 * gib, GPUs: 8}); a != want {
		t.Errorf("got %+v", a)
	}
}

// Quotas that have more than can be counted have it together, too.
func TestQuotasThatHaveWithoutBound(t *testing.T) {
	for _, text := range []string{"1Ei", "8Ei", "1e30"} {
		much, gpus := resource.MustParse(text), int32(8)
		e := engineWith(gpuNode("a", "A100", 4))
		for name, parent := range map[string]string{"all": "", "a": "all", "b": "all", "c": "a"} {
			q := &platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}}
			q.Spec.Parent, q.Spec.Nominal = parent, platformv1.ResourceAmounts{CPU: &much, Memory: &much, GPUs: &gpus}
			e.SetQuota(ReadQuota(q))
		}
		tell(e, job("j", 1, under("c")))
		if d := e.Decide(start); len(d.Starts) != 1 {
			t.Errorf("%s: %s", text, e.Message("j"))
		}
	}
}
