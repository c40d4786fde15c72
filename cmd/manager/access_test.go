package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/aclstore"
)

// nobody can say: what is allowed is so by Redis.
type nobody struct{}

func (nobody) Allows(context.Context, string, access.Target, access.Level) (bool, error) {
	return false, errors.New("nobody says")
}

// keepsRights: the manager keeps in Redis what users may do, as it changes.
func (f *fixture) keepsRights(t *testing.T) {
	role := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Name: "results"}, Spec: v1alpha1.RoleSpec{
		Grants: []v1alpha1.Permission{{URI: "storage://east", Action: v1alpha1.ActionRead}},
	}}
	user := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "bob"}, Spec: v1alpha1.UserSpec{Roles: []v1alpha1.HeldRole{{Role: role.Name}}}}
	// The certificate of this manager's admission is not for the address by which this API server would ask it.
	for _, unreachable := range []client.Object{&admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}} {
		unreachable.SetName("soma-admission")
		if err := f.server.Client.Delete(t.Context(), unreachable); err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range []client.Object{role, user} {
		f.eventually(t, "an object, once nobody is asked", func(ctx context.Context) error { return f.server.Client.Create(ctx, object) })
	}
	keys, err := aclstore.OpenKeyring(f.options.accessKeys)
	if err != nil {
		t.Fatal(err)
	}
	store, err := aclstore.Connect(f.options.redisURL, "")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // it was read from
	reader := &aclstore.Reader{Redis: store, Keys: keys.Keys, Source: nobody{}, Clock: clock.RealClock{}}
	target, _, err := access.Parse("storage://east/acme/vision/results")
	if err != nil {
		t.Fatal(err)
	}
	says := func(want bool) func(context.Context) error {
		return func(ctx context.Context) error {
			allowed, err := reader.Allows(ctx, user.Name, target, access.Read)
			if err == nil && allowed != want {
				err = fmt.Errorf("it is allowed: %t", allowed)
			}
			return err
		}
	}
	f.eventually(t, "the right in Redis", says(true))
	before := user.DeepCopy()
	user.Spec.Roles = nil
	if err := f.server.Client.Patch(t.Context(), user, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	f.eventually(t, "in Redis that the right is gone", says(false))
	if err := store.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	f.eventually(t, "the answer in a Redis that was emptied", says(false))
}
