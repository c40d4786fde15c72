package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/patch"
)

// unknownInterval is how soon it is tried again what an API server said does not exist.
const unknownInterval = time.Second

// list reads the objects of several kinds. They are the cache's own and are not changed.
func (r *Reconciler) list(ctx context.Context, lists []client.ObjectList, options ...client.ListOption) ([]client.Object, error) {
	var found []client.Object
	for _, list := range lists {
		if err := r.Client.List(ctx, list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
			return nil, fmt.Errorf("list %T: %w", list, err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			if object, ok := item.(client.Object); ok {
				found = append(found, object)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// key tells objects apart that are made for the same.
type key struct{ kind, name string }

func keyOf(object client.Object) key { return key{kind: kindOf(object), name: object.GetName()} }

func kindOf(object client.Object) string {
	switch object.(type) {
	case *rbacv1.Role:
		return "Role"
	case *rbacv1.RoleBinding:
		return "RoleBinding"
	case *rbacv1.ClusterRole:
		return "ClusterRole"
	case *rbacv1.ClusterRoleBinding:
		return "ClusterRoleBinding"
	}
	return fmt.Sprintf("%T", object)
}

// writer makes objects what they are to be, one by one: one that fails does not keep the others back.
type writer struct {
	*Reconciler
	// foreign are objects in the way that Soma did not make.
	foreign  []string
	failures []error
}

// apply makes the objects that are there the wanted ones. What is wanted and not there is made where complete is set. What is
// too much goes, bindings before the roles that they refer to.
func (w *writer) apply(ctx context.Context, there, wanted []client.Object, complete bool) {
	before := map[key]client.Object{}
	for _, object := range there {
		before[keyOf(object)] = object
	}
	for _, want := range wanted {
		have := before[keyOf(want)]
		delete(before, keyOf(want))
		switch {
		case have != nil:
			w.fail(w.change(ctx, have, want))
		case complete:
			w.fail(w.create(ctx, want))
		}
	}
	excess := slices.SortedFunc(maps.Values(before), func(a, b client.Object) int {
		return order(a) - order(b)
	})
	for _, object := range excess {
		w.fail(w.remove(ctx, object))
	}
}

// order is bindings before roles.
func order(object client.Object) int {
	switch object.(type) {
	case *rbacv1.RoleBinding, *rbacv1.ClusterRoleBinding:
		return 0
	}
	return 1
}

func (w *writer) fail(err error) {
	if err != nil {
		w.failures = append(w.failures, err)
	}
}

// result is that of the reconciliation: what failed for good is tried again with back-off, what others wrote first at once.
func (w *writer) result() (ctrl.Result, error) {
	again := ctrl.Result{}
	if len(w.foreign) > 0 {
		again.RequeueAfter = foreignInterval
	}
	if err := w.failure(); err != nil {
		return ctrl.Result{}, err
	}
	for _, failure := range w.failures {
		// What was not found may be a role that was just made, and that the API server does not know yet.
		result, _ := patch.Result(failure)
		again.RequeueAfter = cmp.Or(result.RequeueAfter, unknownInterval)
	}
	return again, nil
}

// failure is what failed and is not settled by another look at what others wrote, or nil.
func (w *writer) failure() error {
	var failed []error
	for _, failure := range w.failures {
		if _, err := patch.Result(failure); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// change makes an object that Soma made what it is to be. What a binding refers to cannot be changed: it is made anew.
func (w *writer) change(ctx context.Context, have, want client.Object) error {
	after, ok := have.DeepCopyObject().(client.Object)
	if !ok {
		return nil
	}
	if !put(after, want) {
		if err := w.remove(ctx, have); err != nil {
			return err
		}
		return w.create(ctx, want)
	}
	if _, err := patch.Object(ctx, w.Client, have, after); err != nil {
		return fmt.Errorf("change %s: %w", full(want), err)
	}
	return nil
}

// put makes an object the wanted one, and leaves alone what does not matter of it. It reports false where that cannot be done.
func put(object, want client.Object) bool {
	switch want := want.(type) {
	case *rbacv1.Role:
		object, ok := object.(*rbacv1.Role)
		if !ok {
			return false
		}
		object.Rules = want.Rules
	case *rbacv1.ClusterRole:
		object, ok := object.(*rbacv1.ClusterRole)
		if !ok {
			return false
		}
		object.Rules, object.AggregationRule = want.Rules, nil
	case *rbacv1.RoleBinding:
		object, ok := object.(*rbacv1.RoleBinding)
		if !ok || object.RoleRef != want.RoleRef {
			return false
		}
		object.Subjects = want.Subjects
	case *rbacv1.ClusterRoleBinding:
		object, ok := object.(*rbacv1.ClusterRoleBinding)
		if !ok || object.RoleRef != want.RoleRef {
			return false
		}
		object.Subjects = want.Subjects
	}
	labels := maps.Clone(object.GetLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, want.GetLabels())
	object.SetLabels(labels)
	object.SetOwnerReferences(want.GetOwnerReferences())
	return true
}

// create makes an object. One of its name that is there is repaired where it is Soma's, and else left alone and told of.
func (w *writer) create(ctx context.Context, want client.Object) error {
	object, ok := want.DeepCopyObject().(client.Object)
	if !ok {
		return nil
	}
	err := w.Client.Create(ctx, object)
	if err == nil || !apierrors.IsAlreadyExists(err) {
		return failed("make", want, err)
	}
	if err := w.Live.Get(ctx, client.ObjectKeyFromObject(want), object); err != nil {
		return failed("read", want, err)
	}
	if !mine(object, want) {
		w.foreign = append(w.foreign, full(want))
		return nil
	}
	after, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return nil
	}
	if !put(after, want) {
		// The next look finds it gone.
		return w.remove(ctx, object)
	}
	_, err = patch.Object(ctx, w.Client, object, after)
	return failed("repair", want, err)
}

// mine reports whether Soma made an object: it is marked so, or belongs to the very project that the wanted one belongs to.
func mine(object, want client.Object) bool {
	if object.GetLabels()[v1alpha1.LabelAccess] == want.GetLabels()[v1alpha1.LabelAccess] {
		return true
	}
	has, wants := metav1.GetControllerOf(object), metav1.GetControllerOf(want)
	return has != nil && wants != nil && has.UID == wants.UID
}

func (w *writer) remove(ctx context.Context, object client.Object) error {
	uid, version := object.GetUID(), object.GetResourceVersion()
	err := w.Client.Delete(ctx, object, client.Preconditions{UID: &uid, ResourceVersion: &version})
	return failed("remove", object, client.IgnoreNotFound(err))
}

func failed(what string, object client.Object, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", what, full(object), err)
}

// full is the kind and name of an object, for people.
func full(object client.Object) string {
	if namespace := object.GetNamespace(); namespace != "" {
		return kindOf(object) + " " + namespace + "/" + object.GetName()
	}
	return kindOf(object) + " " + object.GetName()
}
