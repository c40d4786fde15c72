package access

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestGrantsWaitUntilTheyAreBound(t *testing.T) {
	grant := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "vision", Name: "one"}}
	var b bound
	expect := func(what string, has bool, failure string) {
		t.Helper()
		if got, why := b.has(grant, 2); got != has || why != failure {
			t.Errorf("%s: %t %q, want %t %q", what, got, why, has, failure)
		}
	}
	told := func(what string, requests []reconcile.Request, want bool) {
		t.Helper()
		if slices.Contains(requests, grant) != want || len(requests) > 1 {
			t.Errorf("%s: to be looked at are %v", what, requests)
		}
	}
	expect("of a project that was never bound", false, "")
	told("another project is bound", b.wrote("robots", 2, ""), false)
	told("what was before it is bound", b.wrote("vision", 1, ""), true)
	expect("what was before it is bound", false, "")
	told("it fails", b.wrote("vision", 3, "no quota"), true)
	expect("it failed", false, "no quota")
	told("it fails again", b.wrote("vision", 3, "no quota"), false)
	told("it is bound", b.wrote("vision", 3, ""), true)
	expect("it is bound", true, "")
	told("what comes later is bound", b.wrote("vision", 4, ""), false)
	told("what comes later fails", b.wrote("vision", 5, "no quota"), false)
	expect("what comes later failed", true, "")
	told("the project goes", b.forget("vision"), false)
	expect("the project went", false, "")
	told("it is gone", b.forget("vision"), true)
}
