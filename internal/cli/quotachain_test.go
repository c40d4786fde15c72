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
	team.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Message: "Nothing starts."}}
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
	if got := errOut.String(); !strings.Contains(got, "Quota team is not ready: Nothing starts.") {
		t.Errorf("standard error has %q", got)
	}
}

// Where nothing runs in a project, what it is about says so.
func TestWhyNothingRuns(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, message string) []metav1.Condition {
		return []metav1.Condition{{Type: kind, Status: status, Message: message}}
	}
	broken, applied := v1alpha1.Quota{}, v1alpha1.Quota{}
	broken.Status.Conditions = condition(v1alpha1.ConditionReady, metav1.ConditionFalse, "no parent")
	applied.Status.Conditions = condition(v1alpha1.ConditionReady, metav1.ConditionTrue, "applied")
	for name, tc := range map[string]struct {
		found metav1.ConditionStatus
		quota *chain
		want  string
	}{
		"it has none":          {metav1.ConditionFalse, nil, "no quota"},
		"one above is missing": {metav1.ConditionTrue, &chain{quotas: []v1alpha1.Quota{broken}}, "no parent"},
		"all is well":          {metav1.ConditionTrue, &chain{quotas: []v1alpha1.Quota{applied}}, ""},
		"it may not be seen":   {metav1.ConditionTrue, nil, ""},
	} {
		p := &v1alpha1.Project{}
		p.Status.Conditions = condition(v1alpha1.ConditionQuotaFound, tc.found, "no quota")
		if got := whyNothingRuns(p, tc.quota); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
