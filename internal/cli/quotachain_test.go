package cli

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Where a quota above may not be seen, what is told is no more than a bound, and called so.
func TestQuotaBelowOneThatIsHidden(t *testing.T) {
	team := v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "team"}, Spec: v1alpha1.QuotaSpec{
		Parent: "lab", Nominal: gpus(4), Borrowing: &v1alpha1.ResourceAmounts{GPUs: new(int32(2))},
	}}
	team.Status.Used = &v1alpha1.ResourceAmounts{CPU: new(resource.MustParse("0")), GPUs: new(int32(5))}
	var out, errOut bytes.Buffer
	a := &app{out: &out, err: &errOut}
	if err := a.printOwnQuota("ada", "vision", &chain{quotas: []v1alpha1.Quota{team}}, false); err != nil {
		t.Fatal(err)
	}
	rows := strings.Join(strings.Fields(out.String()), " ")
	if want := "project vision team gpus 5 6 1 0 1"; !strings.Contains(rows, want) {
		t.Errorf("want %q in\n%s", want, out.String())
	}
	if want := "project vision team cpu 0 ? 0"; !strings.Contains(rows, want) {
		t.Errorf("want %q in\n%s", want, out.String())
	}
	if got := errOut.String(); strings.Count(got, "Quota lab above team is not shown to you") != 1 {
		t.Errorf("standard error has %q", got)
	}
}
