package webhooks

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

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

func (r *reviewer) checkQuota(_ context.Context, request admission.Request) error {
	before, after, err := read[quota](r.decoder, request)
	if err != nil {
		return err
	}
	return r.look(request.UserInfo, func(f facts) error { return decideQuota(f, before, after) })
}
