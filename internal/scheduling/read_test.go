package scheduling

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

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
