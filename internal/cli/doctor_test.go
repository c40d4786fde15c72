package cli

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestJudge(t *testing.T) {
	known := func(names ...string) *metav1.APIResourceList {
		list := &metav1.APIResourceList{}
		for _, name := range names {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: name})
		}
		return list
	}
	conditions := func(status metav1.ConditionStatus, message string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Message: message}}
	}
	project := func(quota string, status metav1.ConditionStatus) *v1alpha1.Project {
		return &v1alpha1.Project{
			ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.ProjectSpec{Quota: quota},
			Status: v1alpha1.ProjectStatus{Conditions: conditions(status, "its namespace is being made")},
		}
	}
	cluster := func(name string, status metav1.ConditionStatus) *v1alpha1.Cluster {
		return &v1alpha1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.ClusterStatus{Conditions: conditions(status, "no answer")},
		}
	}
	research := &v1alpha1.Quota{
		ObjectMeta: metav1.ObjectMeta{Name: "research"}, Status: v1alpha1.QuotaStatus{Conditions: conditions(metav1.ConditionTrue, "")},
	}
	tests := map[string]struct {
		got  finding
		says string
		ok   bool
	}{
		"old Kubernetes":      {judgeKubernetes("v1.33.4"), "Kubernetes v1.33.4 is older than 1.34", false},
		"new Kubernetes":      {judgeKubernetes("v1.37.2+vendor"), "Kubernetes v1.37.2+vendor answers", true},
		"all kinds":           {judgeKinds(known("jobs", "projects", "quotas", "clusters", "jobs/status"), nil), "its kinds are installed", true},
		"a kind missing":      {judgeKinds(known("jobs", "projects", "clusters"), nil), "the cluster does not know its quotas", false},
		"no kinds":            {judgeKinds(known(), apierrors.NewGenericServerResponse(http.StatusNotFound, "get", jobs.GroupResource(), "", "", 0, true)), "it is not installed on this cluster", false},
		"ready project":       {judgeProject(project("research", metav1.ConditionTrue), research, false), "vision is ready, with the quota research", true},
		"quota not seen":      {judgeProject(project("research", metav1.ConditionTrue), nil, true), "vision is ready, with the quota research", true},
		"quota not there":     {judgeProject(project("research", metav1.ConditionTrue), nil, false), `its quota "research" does not exist`, false},
		"no quota":            {judgeProject(project("", metav1.ConditionTrue), nil, false), "vision has no quota", false},
		"project is made":     {judgeProject(project("research", metav1.ConditionFalse), research, false), "vision is not ready: its namespace is being made", false},
		"no cluster":          {judgeClusters(nil), "there is none, so no job can start", false},
		"ready clusters":      {judgeClusters([]*v1alpha1.Cluster{cluster("a", metav1.ConditionTrue), cluster("b", metav1.ConditionTrue)}), "a, b ready", true},
		"cluster not ready":   {judgeClusters([]*v1alpha1.Cluster{cluster("a", metav1.ConditionTrue), cluster("b", metav1.ConditionFalse)}), "b is not ready: no answer", false},
		"nobody looked at it": {judgeClusters([]*v1alpha1.Cluster{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}}), "a is not ready", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.got.Says != tt.says || tt.got.OK != tt.ok {
				t.Errorf("%+v, want %v and %q", tt.got, tt.ok, tt.says)
			}
			if !tt.got.OK && tt.got.ToDo == "" {
				t.Error("it does not say what to do")
			}
		})
	}
}

func TestPrintFindings(t *testing.T) {
	found := []finding{well("cluster", "Kubernetes v1.37.2 answers"), ill("history", "it is away", "wait\nor ask")}
	for format, want := range map[string]string{
		"":                           "ok       cluster: Kubernetes v1.37.2 answers\nPROBLEM  history: it is away\n         wait\n         or ask\n",
		"name":                       "cluster\nhistory\n",
		"jsonpath={.findings[*].ok}": "true false\n",
	} {
		var out bytes.Buffer
		if err := (&app{out: &out, err: &out}).printFindings(&output{format: format}, found); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("-o %s: %s", format, diff)
		}
	}
}

func TestVersionSkew(t *testing.T) {
	for _, tt := range []struct {
		client, platform string
		want             bool
	}{
		{"v0.2.0", "v0.2.7-3-gabcdef", false},
		{"v0.2.0", "v0.3.0", true},
		{"v1.2.0", "v0.2.0", true},
		{"devel", "v0.3.0", false},
		{"v0.3.0", "", false},
		{"91d3dbd", "v0.3.0", false},
	} {
		if got := versionSkew(tt.client, tt.platform); (got != "") != tt.want {
			t.Errorf("%s and %s: %q", tt.client, tt.platform, got)
		}
	}
}
