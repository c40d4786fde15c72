package scheduler

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/internal/scheduling"
)

// drawer keeps one ConfigMap, as an API server does.
type drawer struct {
	client.Client
	kept    *corev1.ConfigMap
	version int
}

func (d *drawer) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if d.kept == nil {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	d.kept.DeepCopyInto(into.(*corev1.ConfigMap)) //nolint:forcetypeassert // nothing else is read
	return nil
}

func (d *drawer) Create(ctx context.Context, o client.Object, _ ...client.CreateOption) error {
	if d.kept != nil {
		return apierrors.NewAlreadyExists(schema.GroupResource{}, o.GetName())
	}
	return d.put(ctx, o)
}

func (d *drawer) Update(ctx context.Context, o client.Object, _ ...client.UpdateOption) error {
	if d.kept == nil || d.kept.ResourceVersion != o.GetResourceVersion() {
		return apierrors.NewConflict(schema.GroupResource{}, o.GetName(), errors.New("changed"))
	}
	return d.put(ctx, o)
}

func (d *drawer) put(_ context.Context, o client.Object) error {
	d.version++
	o.SetResourceVersion(fmt.Sprint(d.version))
	d.kept = o.DeepCopyObject().(*corev1.ConfigMap) //nolint:forcetypeassert // nothing else is written
	return nil
}

// fairWorld is an engine of a tree in which past use counts.
func fairWorld() *scheduling.Engine {
	e := scheduling.New(scheduling.Options{})
	e.SetQuota(scheduling.Quota{Name: "all", HalfLife: time.Hour})
	return e
}

func TestPastUseOutlivesTheManager(t *testing.T) {
	d, now := &drawer{}, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	first := &Reconciler{Client: d, Live: d, Namespace: "soma-system", engine: fairWorld()}
	if err := first.recall(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.engine.SetRunning(scheduling.Running{Key: "job", Quota: "all", User: "ada", Replica: scheduling.Amounts{GPUs: 8}, Nodes: []scheduling.Share{{Node: "a", Replicas: 1}}})
	first.engine.Decide(now)
	first.remember(t.Context(), now)
	if d.kept != nil {
		t.Error("nothing was used, and it is kept")
	}
	now = now.Add(time.Hour)
	first.engine.Decide(now)
	first.remember(t.Context(), now)
	second := &Reconciler{Client: d, Live: d, Namespace: "soma-system", engine: fairWorld()}
	if err := second.recall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.engine.Past(), second.engine.Past()); diff != "" || len(first.engine.Past()) != 2 {
		t.Errorf("%+v is kept: %s", first.engine.Past(), diff)
	}
	// The second writes upon what the first left, and the first upon what it does not know.
	for i, r := range []*Reconciler{second, first, first} {
		before := d.version
		now = now.Add(pastPause)
		r.remember(t.Context(), now)
		if wrote := d.version > before; wrote == (i == 1) {
			t.Errorf("write %d: %t", i, wrote)
		}
		r.remember(t.Context(), now.Add(pastPause/2))
	}
	if d.version != 3 {
		t.Errorf("%d writes", d.version)
	}
}

// What cannot be read is told of and forgotten: it keeps nobody from starting.
func TestPastUseThatCannotBeRead(t *testing.T) {
	d := &drawer{kept: &corev1.ConfigMap{BinaryData: map[string][]byte{pastKey: []byte("not packed")}}}
	r := &Reconciler{Client: d, Live: d, engine: fairWorld()}
	if err := r.recall(t.Context()); err != nil || !r.past.read || len(r.engine.Past()) > 0 {
		t.Errorf("%v, %+v", err, r.engine.Past())
	}
}

func TestMostOfThePast(t *testing.T) {
	var used []scheduling.Past
	for i := range maxPast + 10 {
		used = append(used, scheduling.Past{Quota: fmt.Sprint(i), GPUs: float64(i)})
	}
	kept := most(used)
	if len(kept) != maxPast || kept[0].GPUs != maxPast+9 || kept[maxPast-1].GPUs != 10 {
		t.Errorf("%d are kept, from %v to %v", len(kept), kept[0], kept[len(kept)-1])
	}
	packed, err := pack(past{Used: kept})
	if err != nil || len(packed) > 900<<10 {
		t.Errorf("%d bytes, %v", len(packed), err)
	}
}
