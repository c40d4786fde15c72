package job

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestWhichRefusalsAreFinal(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	terminating := apierrors.NewForbidden(pods, "a", errors.New("the namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: "NamespaceTerminating"}}
	tests := map[string]struct {
		err  error
		want bool
	}{
		"forbidden by policy":    {apierrors.NewForbidden(pods, "a", errors.New("violates PodSecurity")), true},
		"not valid":              {apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "a", nil), true},
		"too large":              {apierrors.NewInternalError(errors.New("etcdserver: request is too large")), true},
		"the name is taken":      {foreignError{"Service", "a"}, true},
		"it is still taken":      {remainsError{"Service", "a"}, false},
		"the namespace is going": {terminating, false},
		"nobody answers":         {errors.New("connection refused"), false},
		"a webhook is away":      {apierrors.NewInternalError(errors.New("failed calling webhook")), false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := final(tc.err); got != tc.want {
				t.Errorf("%v: final %t, want %t", tc.err, got, tc.want)
			}
		})
	}
}
