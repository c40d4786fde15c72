// Package cached reads objects as they are in a cache. A client copies what it reads from there, if only the outermost part of
// each object: of a job that is a kilobyte, which counts where many are kept or looked at.
package cached

import (
	"context"
	"fmt"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Store is where a cache keeps the objects of a kind. They belong to the cache and are never changed: a newer version takes
// the place of an older one.
func Store(ctx context.Context, from cache.Cache, kind client.Object) (toolscache.Store, error) {
	informer, err := from.GetInformer(ctx, kind)
	if err != nil {
		return nil, fmt.Errorf("find where the cache keeps %T: %w", kind, err)
	}
	shared, ok := informer.(interface{ GetStore() toolscache.Store })
	if !ok {
		return nil, fmt.Errorf("the cache does not tell where it keeps %T", kind)
	}
	return shared.GetStore(), nil
}

// Get is the object of a name; nil where there is none.
func Get[T client.Object](from toolscache.Store, key client.ObjectKey) (object T, err error) {
	found, exists, err := from.GetByKey(toolscache.ObjectName(key).String())
	if err != nil || !exists {
		return object, err
	}
	object, ok := found.(T)
	if !ok {
		return object, fmt.Errorf("the cache keeps %T in the place of %T", found, object)
	}
	return object, nil
}

// All are the objects that are there, in no order.
func All[T client.Object](from toolscache.Store) []T {
	found := from.List()
	all := make([]T, 0, len(found))
	for _, one := range found {
		if object, ok := one.(T); ok {
			all = append(all, object)
		}
	}
	return all
}
