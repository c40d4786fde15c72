package webhooks

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// read is the object of a request and what it was before: that is empty for a new one, and is what goes for one that is
// deleted.
func read[T any, P interface {
	*T
	client.Object
}](decoder admission.Decoder, request admission.Request) (before, after P, err error) {
	before, after = new(T), new(T)
	if request.Operation != admissionv1.Delete {
		if err := decoder.DecodeRaw(request.Object, after); err != nil {
			return nil, nil, unreadable(request, after, err)
		}
	}
	if request.Operation != admissionv1.Create {
		if err := decoder.DecodeRaw(request.OldObject, before); err != nil {
			return nil, nil, invalid("read the object as it was: %v", err)
		}
	}
	return before, after, nil
}

// checking makes a webhook of a function that refuses, or does not.
func checking(check func(context.Context, admission.Request) error) *admission.Webhook {
	handler := admission.HandlerFunc(func(ctx context.Context, request admission.Request) admission.Response {
		return respond(check(ctx, request))
	})
	return &admission.Webhook{Handler: handler, RecoverPanic: new(true)}
}

func (r *reviewer) checkRole(ctx context.Context, request admission.Request) error {
	before, after, err := read[role](r.decoder, request)
	if err != nil {
		return err
	}
	if request.Operation == admissionv1.Delete {
		return r.look(request.UserInfo, func(f facts) error { return decideRoleEnd(f, before) })
	}
	return r.review(ctx, request, before, after, rolesOf(after.Spec.Includes...), func(f facts) (bool, error) {
		return decideRole(f, before, after)
	})
}

func (r *reviewer) checkUser(ctx context.Context, request admission.Request) error {
	before, after, err := read[user](r.decoder, request)
	if err != nil {
		return err
	}
	var named []client.Object
	for _, held := range after.Spec.Roles {
		named = append(named, rolesOf(held.Role)...)
	}
	for _, name := range append([]string{after.Spec.Owner}, after.Spec.Delegates...) {
		if name != "" {
			named = append(named, &user{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
	}
	return r.review(ctx, request, before, after, named, func(f facts) (bool, error) { return decideUser(f, before, after) })
}

func (r *reviewer) checkProject(ctx context.Context, request admission.Request) error {
	before, after, err := read[project](r.decoder, request)
	if err != nil {
		return err
	}
	if request.Operation == admissionv1.Delete {
		return r.look(request.UserInfo, func(f facts) error { return decideProjectEnd(f, before) })
	}
	return r.review(ctx, request, before, after, nil, func(f facts) (bool, error) { return false, decideProject(f, before, after) })
}

func (r *reviewer) checkQuota(_ context.Context, request admission.Request) error {
	before, after, err := read[quota](r.decoder, request)
	if err != nil {
		return err
	}
	return r.look(request.UserInfo, func(f facts) error { return decideQuota(f, before, after) })
}

func (r *reviewer) checkCluster(_ context.Context, request admission.Request) error {
	before, after, err := read[cluster](r.decoder, request)
	if err != nil {
		return err
	}
	return r.look(request.UserInfo, func(f facts) error { return decideCluster(f, before, after) })
}

func (r *reviewer) checkGrant(ctx context.Context, request admission.Request) error {
	before, after, err := read[grant](r.decoder, request)
	if err != nil {
		return err
	}
	if request.Operation == admissionv1.Delete {
		return r.look(request.UserInfo, func(f facts) error { return decideGrantEnd(f, before) })
	}
	named := []client.Object{&project{ObjectMeta: metav1.ObjectMeta{Name: after.Namespace}}}
	for _, name := range []string{after.Spec.Role, after.Spec.To.Role} {
		if name != "" {
			named = append(named, rolesOf(name)...)
		}
	}
	if name := after.Spec.To.User; name != "" {
		named = append(named, &user{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	err = r.review(ctx, request, before, after, named, func(f facts) (bool, error) { return decideGrant(f, before, after) })
	if err != nil || request.Operation != admissionv1.Create {
		return err
	}
	// Only who may give it is told whether it is there.
	return r.isThere(ctx, after)
}

// isThere refuses a grant of one object that does not exist, which is so of all where there is no such kind.
func (r *reviewer) isThere(ctx context.Context, g *grant) error {
	one, found, err := shared(g)
	if err != nil || !found {
		return err
	}
	// Nothing is read of them, and of secrets nothing may be: that one is there is seen in a list.
	objects := &metav1.PartialObjectMetadataList{}
	objects.SetGroupVersionKind(objectKinds[one.scheme])
	err = r.live.List(ctx, objects, client.InNamespace(g.Namespace), client.MatchingFields{metav1.ObjectNameField: one.name}, client.Limit(1))
	switch {
	case err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err):
		return fmt.Errorf("look for the %s %s: %w", one.scheme, one.name, err)
	case err != nil || len(objects.Items) == 0:
		return invalid("spec.uri: there is no %s %q in project %q: what does not exist cannot be shared", one.scheme, one.name, g.Namespace)
	}
	return nil
}

// recordGrant answers the webhook that records who made a grant.
func (r *reviewer) recordGrant(_ context.Context, request admission.Request) admission.Response {
	before, after, err := read[grant](r.decoder, request)
	if err != nil {
		return respond(err)
	}
	err = r.look(request.UserInfo, func(f facts) error {
		recordGrant(f.asker, before, after)
		return nil
	})
	if err != nil {
		return respond(err)
	}
	return patched(request, after)
}

func rolesOf(names ...string) []client.Object {
	roles := make([]client.Object, 0, len(names))
	for _, name := range names {
		roles = append(roles, &role{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	return roles
}
