package cli

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	validation "k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestDescribeError(t *testing.T) {
	namespaces := schema.GroupResource{Resource: "namespaces"}
	tests := map[string]struct {
		err  error
		want []string
	}{
		"no job":      {apierrors.NewNotFound(jobs.GroupResource(), "train"), []string{`job "train" in project "vision" does not exist`, `soma ps -a`}},
		"no project":  {apierrors.NewNotFound(namespaces, "vision"), []string{`project "vision" does not exist`, "soma project ls"}},
		"no Soma":     {apierrors.NewNotFound(jobs.GroupResource(), ""), []string{"does not know the resource jobs.platform.soma.dev"}},
		"taken":       {apierrors.NewAlreadyExists(jobs.GroupResource(), "train"), []string{"exists already", "another name"}},
		"not allowed": {apierrors.NewForbidden(jobs.GroupResource(), "train", errors.New("no role")), []string{"refused:", "no role", "ask an administrator"}},
		"not valid": {
			apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind("Job").GroupKind(), "train", validation.ErrorList{validation.Required(validation.NewPath("spec", "image"), "say which")}),
			[]string{`job "train" is not valid:`, "spec.image: Required value: say which"},
		},
		"out of bounds": {
			apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind("Job").GroupKind(), "train", validation.ErrorList{validation.Invalid(validation.NewPath("spec", "resources", "gpu", "count"), 100,
				"spec.resources.gpu.count in body should be less than or equal to 64")}),
			[]string{"  spec.resources.gpu.count: 100 should be at most 64"},
		},
		"no answer":  {&url.Error{Op: "Get", URL: "https://c", Err: errors.New("connection refused")}, []string{"https://cluster does not answer", "connection refused"}},
		"too slow":   {context.DeadlineExceeded, []string{"does not answer"}},
		"signed out": {apierrors.NewUnauthorized("who?"), []string{"does not accept your credentials"}},
		"no manager": {apierrors.NewInternalError(errors.New(`failed calling webhook "jobs.platform.soma.dev": no endpoints`)), []string{"manager does not answer", "no endpoints", "try again"}},
		"changed":    {apierrors.NewConflict(jobs.GroupResource(), "train", errors.New("old")), []string{"changed by somebody else", "try again"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := describeError(tt.err, jobs, "vision", "train", "soma", "https://cluster")
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in %q", want, got)
				}
			}
		})
	}
}
