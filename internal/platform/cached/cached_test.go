package cached

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestObjectsAreTheStoresOwn(t *testing.T) {
	store := toolscache.NewStore(toolscache.MetaNamespaceKeyFunc)
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}}
	if err := store.Add(object); err != nil {
		t.Fatal(err)
	}
	key := client.ObjectKeyFromObject(object)
	if found, err := Get[*corev1.ConfigMap](store, key); found != object || err != nil {
		t.Errorf("found %p in the place of %p: %v", found, object, err)
	}
	if all := All[*corev1.ConfigMap](store); len(all) != 1 || all[0] != object {
		t.Errorf("found %v", all)
	}
	if found, err := Get[*corev1.ConfigMap](store, client.ObjectKey{Name: "b"}); found != nil || err != nil {
		t.Errorf("found %v where there is none: %v", found, err)
	}
	if found, err := Get[*corev1.Pod](store, key); found != nil || err == nil {
		t.Errorf("found %v of another kind", found)
	}
}

// foreign is a cache of informers that do not tell where they keep anything.
type foreign struct{ informertest.FakeInformers }

func (*foreign) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return nil, nil
}

func TestACacheMayNotTell(t *testing.T) {
	if store, err := Store(t.Context(), &foreign{}, &corev1.Pod{}); store != nil || err == nil {
		t.Errorf("found %v", store)
	}
}
