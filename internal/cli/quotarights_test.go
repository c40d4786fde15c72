package cli

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// gpus are so many GPUs.
func gpus(n int32) v1alpha1.ResourceAmounts {
	return v1alpha1.ResourceAmounts{CPU: new(resource.MustParse("64")), Memory: new(resource.MustParse("512Gi")), GPUs: &n}
}

// Who works in a project is told how its quota stands, though they may read the quotas above it by their names alone.
func TestQuotasOfAProject(t *testing.T) {
	o := openOffice(t)
	o.synced(t)
	local := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local"}, Spec: v1alpha1.ClusterSpec{Presets: []v1alpha1.Preset{{
		Name: "gpu", CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), GPU: &v1alpha1.GPUs{Count: 1, Model: "A100"},
	}}}}
	if err := o.server.Client.Create(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	meta.SetStatusCondition(&local.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAvailable})
	local.Status.Presets = []v1alpha1.PresetRoom{{
		Name: "gpu", Startable: 16, Models: []v1alpha1.ModelRoom{{Model: "A100", Startable: 16}},
	}}
	o.status(t, local)
	used := func(n int32) *v1alpha1.ResourceAmounts { return &v1alpha1.ResourceAmounts{GPUs: &n} }
	quota := &v1alpha1.Quota{}
	for name, change := range map[string]func(){
		"acme": func() {
			quota.Spec.Nominal = gpus(0)
			// Somebody else has 8 GPUs below it, who lends them all.
			quota.Status = v1alpha1.QuotaStatus{Used: used(5), WaitingJobs: 1, Pool: &v1alpha1.QuotaPool{Total: gpus(16), Used: *used(5)}}
		},
		"research": func() {
			quota.Spec.Nominal, quota.Spec.PerUser = gpus(8), nil
			quota.Status = v1alpha1.QuotaStatus{Used: used(2), WaitingJobs: 1}
		},
	} {
		if err := o.server.Client.Get(t.Context(), types.NamespacedName{Name: name}, quota); err != nil {
			t.Fatal(err)
		}
		change()
		status := quota.Status
		if err := o.server.Client.Update(t.Context(), quota); err != nil {
			t.Fatal(err)
		}
		quota.Status = status
		o.status(t, quota)
	}
	job := &v1alpha1.Job{}
	if err := o.server.Client.Get(t.Context(), types.NamespacedName{Namespace: "vision", Name: "train"}, job); err != nil {
		t.Fatal(err)
	}
	job.Status = v1alpha1.JobStatus{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonQuotaExceeded, Queue: &v1alpha1.QueueStatus{Position: 1}}
	o.status(t, job)
	o.compile(t)
	o.eventually(t, exitOK, "carol", "can-i manage job/train")
	o.grantsAreLookedAt(t)
	for _, role := range []string{"project-reader", "project-writer"} {
		o.expects(t, exitOK, "carol", "acl grant bob "+role)
		o.compile(t)
		o.eventually(t, exitOK, "bob", "quota")
		o.expects(t, exitOK, "bob", "capacity", "gpu", "11")
		o.expects(t, exitOK, "bob", "quota status", "LEFT", "11")
		o.expects(t, exitOK, "bob", "capacity -A", "vision", "11")
		o.expects(t, exitOK, "bob", "quota ls", "acme", "research", "2/16", "11")
		for _, where := range []string{"", " -A"} {
			o.expects(t, exitOK, "bob", "queue --tree"+where, "acme", "  research", "5/16", "2/16", "    train", "QuotaExceeded")
			o.expects(t, exitOK, "bob", "queue"+where, "train", "QuotaExceeded")
		}
		o.expects(t, exitOK, "bob", "queue -A", "QUOTA", "research")
		o.expects(t, exitOK, "carol", "acl revoke bob "+role)
		o.compile(t)
	}
}

// status writes that of an object.
func (o *office) status(t *testing.T, object client.Object) {
	t.Helper()
	if err := o.server.Client.Status().Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}
