package fencing

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// refuses is an API server that has an object at the version of which a write may be under way, and refuses that it is marked.
type refuses struct {
	client.Client
	err error
}

func (r *refuses) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	into.SetNamespace(key.Namespace)
	into.SetName(key.Name)
	into.SetResourceVersion("5")
	return nil
}

func (r *refuses) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	return r.err
}

// A mark that is refused settles a write only where the write itself would be refused for the same reason.
func TestAMarkThatIsRefused(t *testing.T) {
	resource := schema.GroupResource{Resource: "jobs"}
	for name, tc := range map[string]struct {
		err     error
		settled bool
	}{
		"it is not valid":         {apierrors.NewInvalid(schema.GroupKind{Kind: "Job"}, "a", nil), true},
		"it does not exist":       {apierrors.NewNotFound(resource, "a"), true},
		"it has changed":          {apierrors.NewConflict(resource, "a", errors.New("changed")), false},
		"a policy is against it":  {apierrors.NewForbidden(resource, "a", errors.New("no annotations")), false},
		"there are too many":      {apierrors.NewTooManyRequests("later", 1), false},
		"who writes is not known": {apierrors.NewUnauthorized("expired"), false},
	} {
		t.Run(name, func(t *testing.T) {
			server := &refuses{err: tc.err}
			f := &Fence{Client: server, Live: server, Mark: "mark", New: func() client.Object { return &corev1.ConfigMap{} }}
			if err := f.settle(t.Context(), Write{Namespace: "vision", Name: "a", Version: "5"}); (err == nil) != tc.settled {
				t.Errorf("settled: %t, want %t (%v)", err == nil, tc.settled, err)
			}
		})
	}
}
