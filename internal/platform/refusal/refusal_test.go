package refusal

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestRefusals(t *testing.T) {
	resource := schema.GroupResource{Resource: "jobs"}
	tests := map[string]struct {
		err             error
		final, tooLarge bool
		certain         bool
	}{
		"no error":              {nil, false, false, false},
		"not valid":             {fmt.Errorf("write: %w", apierrors.NewInvalid(schema.GroupKind{Kind: "Job"}, "a", nil)), true, false, true},
		"too large a request":   {fmt.Errorf("write: %w", apierrors.NewRequestEntityTooLargeError("limit is 3145728")), true, true, true},
		"too large to store":    {apierrors.NewInternalError(errors.New("etcdserver: request is too large")), true, true, true},
		"a conflict":            {apierrors.NewConflict(resource, "a", errors.New("changed")), false, false, true},
		"nobody answers":        {errors.New("connection refused"), false, false, false},
		"no answer in time":     {apierrors.NewTimeoutError("etcd", 1), false, false, false},
		"forbidden for a while": {apierrors.NewForbidden(resource, "a", errors.New("exceeded quota")), false, false, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if Final(tc.err) != tc.final || TooLarge(tc.err) != tc.tooLarge || Certain(tc.err) != tc.certain {
				t.Errorf("final %t, too large %t, certain %t; want %t, %t and %t", Final(tc.err), TooLarge(tc.err), Certain(tc.err), tc.final, tc.tooLarge, tc.certain)
			}
		})
	}
}
