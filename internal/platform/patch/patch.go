// Package patch writes changes to objects: only what differs, only where something differs, and only if nobody else has
// changed the object since it was read.
package patch

import (
	"bytes"
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// conflictDelay is how long a reconciler waits for its cache to catch up after somebody else wrote first.
const conflictDelay = 200 * time.Millisecond

// Status writes the status of after where it differs from that of before, which is the object as it was read. It reports
// whether it wrote. The error is a conflict when the object has changed since.
func Status(ctx context.Context, c client.Client, before, after client.Object) (bool, error) {
	changed, err := differs(before, after)
	if err != nil || !changed {
		return false, err
	}
	return true, c.Status().Patch(ctx, after, locked(before))
}

// Object writes everything but the status of after where it differs from before, which is the object as it was read. It
// reports whether it wrote. The error is a conflict when the object has changed since.
func Object(ctx context.Context, c client.Client, before, after client.Object) (bool, error) {
	changed, err := differs(before, after)
	if err != nil || !changed {
		return false, err
	}
	return true, c.Patch(ctx, after, locked(before))
}

// Finalizers makes sure that the object carries the finalizers to add and not those to remove, and reports whether it
// wrote. The object is changed as the server has it then.
func Finalizers(ctx context.Context, c client.Client, object client.Object, add, remove []string) (bool, error) {
	before, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return false, nil
	}
	finalizers := slices.Clone(object.GetFinalizers())
	for _, finalizer := range add {
		if !slices.Contains(finalizers, finalizer) {
			finalizers = append(finalizers, finalizer)
		}
	}
	finalizers = slices.DeleteFunc(finalizers, func(f string) bool { return slices.Contains(remove, f) })
	if slices.Equal(finalizers, object.GetFinalizers()) {
		return false, nil
	}
	object.SetFinalizers(finalizers)
	return true, c.Patch(ctx, object, locked(before))
}

// Result turns the error of a write into the result of a reconciliation: an object that is gone needs nothing more, one
// that somebody else changed first is looked at again, any other error is tried again with back-off.
func Result(err error) (ctrl.Result, error) {
	switch {
	case err == nil, apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: conflictDelay}, nil
	default:
		return ctrl.Result{}, err
	}
}

func differs(before, after client.Object) (bool, error) {
	data, err := client.MergeFrom(before).Data(after)
	if err != nil {
		return false, err
	}
	return !bytes.Equal(data, []byte("{}")), nil
}

func locked(before client.Object) client.Patch {
	return client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
}
