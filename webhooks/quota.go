package webhooks

import (
	"github.com/soma-platform/soma/internal/access"
)

// decideQuota decides about a quota that a user of ours makes or changes; before is empty for a new one: below another it borrows
// what that one has.
func decideQuota(f facts, before, after *quota) error {
	if parent := after.Spec.Parent; parent != "" && parent != before.Spec.Parent {
		return f.needs(access.Write, access.Named(access.Quota, parent), "spec.parent: only who may change a quota puts another below it")
	}
	return nil
}
