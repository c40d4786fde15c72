package refusal

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestFinal(t *testing.T) {
	resource := schema.GroupResource{Resource: "jobs"}
	tests := map[string]struct {
		err             error
		final, tooLarge bool
	}{
		"no error":              {nil, false, false},
		"not valid":             {fmt.Errorf("write: %w", apierrors.NewInvalid(schema.GroupKind{Kind: "Job"}, "a", nil)), true, false},
		"too large a request":   {fmt.Errorf("write: %w", apierrors.NewRequestEntityTooLargeError("limit is 3145728")), true, true},
		"too large to store":    {apierrors.NewInternalError(errors.New("etcdserver: request is too large")), true, true},
		"a conflict":            {apierrors.NewConflict(resource, "a", errors.New("changed")), false, false},
		"nobody answers":        {errors.New("connection refused"), false, false},
		"forbidden for a while": {apierrors.NewForbidden(resource, "a", errors.New("exceeded quota")), false, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if Final(tc.err) != tc.final || TooLarge(tc.err) != tc.tooLarge {
				t.Errorf("final %t, too large %t; want %t and %t", Final(tc.err), TooLarge(tc.err), tc.final, tc.tooLarge)
			}
		})
	}
}
