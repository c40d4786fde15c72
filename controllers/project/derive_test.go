package project

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/conditions/check"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func testProject(recorded string) *v1alpha1.Project {
	project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision", UID: "project-uid", Generation: 1}}
	if recorded != "" {
		project.Status.Namespace = &v1alpha1.ProjectNamespace{Name: "vision", UID: recorded}
	}
	return project
}

func testNamespace(uid, owner types.UID, deleted bool) *corev1.Namespace {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vision", UID: uid}}
	if owner != "" {
		yes := true
		namespace.OwnerReferences = []metav1.OwnerReference{{UID: owner, Controller: &yes}}
	}
	if deleted {
		namespace.DeletionTimestamp = &metav1.Time{Time: now}
	}
	return namespace
}

func TestDerive(t *testing.T) {
	tests := map[string]struct {
		recorded  string
		namespace *corev1.Namespace
		bound     metav1.ConditionStatus
		failure   error
		want      ownership
		// wantStatus is "phase reason" of Ready.
		wantStatus   string
		wantRecorded bool
	}{
		"nothing yet":                  {"", nil, "", nil, missing, "Pending Progressing", false},
		"making it failed":             {"", nil, "", errors.New("denied"), missing, "Pending ReconcileError", false},
		"made, not recorded yet":       {"", testNamespace("a", "project-uid", false), "", nil, own, "Pending Progressing", true},
		"made and recorded":            {"a", testNamespace("a", "project-uid", false), "", nil, own, "Pending Progressing", true},
		"rights cannot be bound":       {"a", testNamespace("a", "project-uid", false), "False", nil, own, "Pending Progressing", true},
		"rights are bound":             {"a", testNamespace("a", "project-uid", false), "True", nil, own, "Active Available", true},
		"they were in another's place": {"", testNamespace("a", "project-uid", false), "True", nil, own, "Pending Progressing", true},
		"its policies failed":          {"a", testNamespace("a", "project-uid", false), "True", errors.New("denied"), own, "Pending ReconcileError", true},
		"of nobody":                    {"", testNamespace("a", "", false), "", nil, foreign, "Pending NamespaceForeign", false},
		"of another project":           {"", testNamespace("a", "other-uid", false), "", nil, foreign, "Pending NamespaceForeign", false},
		"made again by somebody":       {"a", testNamespace("b", "", false), "True", nil, foreign, "Pending NamespaceForeign", true},
		"made again to look like own":  {"a", testNamespace("b", "project-uid", false), "True", nil, foreign, "Pending NamespaceForeign", true},
		"foreign and being deleted":    {"", testNamespace("a", "", true), "", nil, foreign, "Pending NamespaceForeign", false},
		"being deleted by somebody":    {"a", testNamespace("a", "project-uid", true), "True", nil, ending, "Pending Progressing", true},
		"deleted by somebody":          {"a", nil, "True", nil, lost, "Pending Progressing", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			project := testProject(test.recorded)
			if test.bound != "" {
				conditions.Set(&project.Status.Conditions, now, metav1.Condition{
					Type: v1alpha1.ConditionAccessBound, Status: test.bound, Reason: v1alpha1.ReasonError, Message: "Denied.",
				})
			}
			if got := owns(project, test.namespace); got != test.want {
				t.Errorf("ownership = %d, want %d", got, test.want)
			}
			derive(project, &facts{namespace: test.namespace, failure: test.failure}).apply(project, now)
			ready := conditions.Get(project.Status.Conditions, "Ready")
			if got := string(project.Status.Phase) + " " + ready.Reason; got != test.wantStatus {
				t.Errorf("status = %q, want %q", got, test.wantStatus)
			}
			if got := project.Status.Namespace != nil; got != test.wantRecorded {
				t.Errorf("recorded = %v, want %v", got, test.wantRecorded)
			}
			if test.bound == metav1.ConditionFalse && !strings.HasSuffix(ready.Message, "Denied.") {
				t.Errorf("Ready does not say why: %q", ready.Message)
			}
			if err := check.Contract(project); err != nil {
				t.Error(err)
			}
		})
	}
}

// What was bound in a namespace that is gone says nothing about the next one.
func TestAnotherNamespaceIsNotBound(t *testing.T) {
	project := testProject("a")
	conditions.Set(&project.Status.Conditions, now, metav1.Condition{Type: v1alpha1.ConditionAccessBound, Status: "True", Reason: v1alpha1.ReasonAvailable})
	is := func(namespace *corev1.Namespace, bound, ready bool) {
		t.Helper()
		derive(project, &facts{namespace: namespace}).apply(project, now)
		if got := conditions.IsTrue(project.Status.Conditions, v1alpha1.ConditionAccessBound); got != bound {
			t.Errorf("bound: %t, want %t", got, bound)
		}
		if got := conditions.IsTrue(project.Status.Conditions, v1alpha1.ConditionReady); got != ready {
			t.Errorf("ready: %t, want %t", got, ready)
		}
		if namespace != nil && !conditions.IsTrue(project.Status.Conditions, v1alpha1.ConditionNamespaceReady) {
			t.Error("the namespace is not ready")
		}
	}
	is(testNamespace("a", "project-uid", false), true, true)
	is(nil, false, false)
	is(testNamespace("b", "project-uid", false), false, false)
}

func TestDeriveDeletionSaysWhatIsWaitedFor(t *testing.T) {
	jobs := func(names ...string) []v1alpha1.Job {
		var list []v1alpha1.Job
		for _, name := range names {
			list = append(list, v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: []string{v1alpha1.FinalizerHistory}}})
		}
		return list
	}
	remaining := testNamespace("a", "project-uid", true)
	remaining.Status.Conditions = []corev1.NamespaceCondition{
		{Type: corev1.NamespaceContentRemaining, Status: corev1.ConditionTrue, Message: "Some resources are remaining: pods. has 1 resource instances"},
		{Type: corev1.NamespaceDeletionDiscoveryFailure, Status: corev1.ConditionFalse, Message: "All resources successfully discovered"},
	}
	tests := map[string]struct {
		recorded string
		found    facts
		want     string
	}{
		"one job":           {"a", facts{namespace: testNamespace("a", "project-uid", false), jobs: jobs("x")}, "Waiting for job x to end; held by platform.soma.dev/history."},
		"many jobs":         {"a", facts{namespace: testNamespace("a", "project-uid", false), jobs: jobs("e", "d", "c", "b", "a")}, "Waiting for 5 jobs to end: a, b, c and 2 more; held by platform.soma.dev/history."},
		"the namespace":     {"a", facts{namespace: remaining}, "Waiting for namespace vision to be deleted. Some resources are remaining: pods. has 1 resource instances."},
		"nothing":           {"a", facts{}, "Nothing of the project is left"},
		"not its own":       {"", facts{namespace: testNamespace("a", "", false)}, "is left alone"},
		"a call that fails": {"a", facts{namespace: testNamespace("a", "project-uid", false), failure: errors.New("denied")}, "denied"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			project := testProject(test.recorded)
			project.DeletionTimestamp = &metav1.Time{Time: now}
			deriveDeletion(project, &test.found).apply(project, now)
			ready := conditions.Get(project.Status.Conditions, "Ready")
			if ready.Reason != v1alpha1.ReasonTerminating || !strings.Contains(ready.Message, test.want) {
				t.Errorf("Ready says %s: %q, want Terminating: %q", ready.Reason, ready.Message, test.want)
			}
			if err := check.Contract(project); err != nil {
				t.Error(err)
			}
		})
	}
}
