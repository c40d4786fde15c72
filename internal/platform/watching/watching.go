// Package watching says whom an event is about, and which events there are to look at, for controllers that watch what belongs to
// their own objects.
package watching

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// ComesOrGoes lets through what begins and ends to exist.
var ComesOrGoes = predicate.Funcs{
	UpdateFunc:  func(event.UpdateEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
}

// Request is about an object of a name that lies in no namespace.
func Request(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
}

// ByName is about what has the name of an object.
func ByName(_ context.Context, object client.Object) []reconcile.Request {
	return []reconcile.Request{Request(object.GetName())}
}

// ByNamespace is about what has the name of an object's namespace.
func ByNamespace(_ context.Context, object client.Object) []reconcile.Request {
	return []reconcile.Request{Request(object.GetNamespace())}
}
