package quota

import (
	"fmt"
	"slices"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// fault is what is wrong with the quotas above one, so that nothing starts under it.
type fault struct{ reason, message string }

// faultAbove finds it; nil where the way up ends at a quota without a parent.
func faultAbove(name string, quotas []v1alpha1.Quota) *fault {
	parents := make(map[string]string, len(quotas))
	for i := range quotas {
		parents[quotas[i].Name] = quotas[i].Spec.Parent
	}
	seen := map[string]bool{name: true}
	for at := name; parents[at] != ""; at = parents[at] {
		parent := parents[at]
		switch _, exists := parents[parent]; {
		case seen[parent]:
			return &fault{v1alpha1.ReasonParentCircle, fmt.Sprintf(
				"The parents of the quota go in a circle at %q, so nothing starts under it. Change the spec.parent of one of them.", at)}
		case !exists && at == name:
			return &fault{v1alpha1.ReasonParentNotFound, fmt.Sprintf(
				"The parent %q does not exist, so nothing starts under the quota. Make it, or change spec.parent.", parent)}
		case !exists:
			return &fault{v1alpha1.ReasonParentNotFound, fmt.Sprintf(
				"Quota %q above this one has the parent %q, which does not exist, so nothing starts under both. Make it, or change the spec.parent of %q.", at, parent, at)}
		}
		seen[parent] = true
	}
	return nil
}

// parentOf is the parent of one of some quotas; "" of another.
func parentOf(name string, quotas []*v1alpha1.Quota) string {
	if i := slices.IndexFunc(quotas, func(q *v1alpha1.Quota) bool { return q.Name == name }); i >= 0 {
		return quotas[i].Spec.Parent
	}
	return ""
}

// below are the quotas of which one is above.
func below(name string, quotas []v1alpha1.Quota) (all []*v1alpha1.Quota) {
	counts := map[string]bool{name: true}
	for found := true; found; { // a level of the tree each time
		found = false
		for i := range quotas {
			if q := &quotas[i]; counts[q.Spec.Parent] && !counts[q.Name] {
				counts[q.Name], found = true, true
				all = append(all, q)
			}
		}
	}
	return all
}
