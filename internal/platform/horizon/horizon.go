// Package horizon compares what a cache has seen with versions of objects: whether something that is not in it is gone, or has not
// arrived yet. Versions of different kinds are comparable where one etcd keeps them all.
package horizon

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Of is the version up to which a cache has seen objects of the kind; empty where it cannot be told yet.
func Of(ctx context.Context, from cache.Cache, kind client.Object) (string, error) {
	informer, err := from.GetInformer(ctx, kind)
	if err != nil {
		return "", fmt.Errorf("find what the cache has seen of %T: %w", kind, err)
	}
	if shared, ok := informer.(interface{ GetStore() toolscache.Store }); ok {
		return shared.GetStore().LastStoreSyncResourceVersion(), nil
	}
	return "", nil
}

// Reached reports whether a version is a given one, or newer. An empty one has reached none but the empty one.
func Reached(version, given string) (bool, error) {
	if given == "" || version == "" {
		return given == "", nil
	}
	order, err := resourceversion.CompareResourceVersion(version, given)
	if err != nil {
		return false, fmt.Errorf("compare versions: %w", err)
	}
	return order >= 0, nil
}

// Newer is the newer of two versions, of which one may be empty.
func Newer(a, b string) string {
	if a == "" {
		return b
	}
	if order, err := resourceversion.CompareResourceVersion(a, b); err == nil && order < 0 {
		return b
	}
	return a
}
