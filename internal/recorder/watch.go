package recorder

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
)

// watch listens to every kind that is recorded and returns when all that exists is in the queue.
func (r *Recorder) watch(ctx context.Context) error {
	synced := make([]toolscache.InformerSynced, 0, len(kinds))
	for _, kind := range kinds {
		informer, err := r.cache.GetInformer(ctx, kind.empty())
		if err != nil {
			return fmt.Errorf("watch kind %s: %w", kind.name, err)
		}
		registration, err := informer.AddEventHandler(r.handler(kind.name))
		if err != nil {
			return fmt.Errorf("listen to kind %s: %w", kind.name, err)
		}
		context.AfterFunc(ctx, func() { _ = informer.RemoveEventHandler(registration) })
		synced = append(synced, registration.HasSynced)
	}
	if !toolscache.WaitForCacheSync(ctx.Done(), synced...) {
		return errors.New("the recorder was stopped before it had seen all objects")
	}
	return nil
}

func (r *Recorder) handler(kind string) toolscache.ResourceEventHandler {
	notice := func(object any) {
		if tombstone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
			object = tombstone.Obj
		}
		journaled, ok := object.(history.Journaled)
		if !ok {
			return
		}
		key, err := history.IdentityOf(kind, journaled)
		if err != nil {
			r.log.Error(err, "Cannot record an object")
			return
		}
		r.enqueue(key)
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: notice,
		UpdateFunc: func(old, updated any) {
			before, ok1 := old.(history.Journaled)
			after, ok2 := updated.(history.Journaled)
			if ok1 && ok2 && tells(before, after) {
				notice(updated)
			}
			r.wake(updated, false)
		},
		DeleteFunc: func(object any) {
			notice(object)
			if tombstone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}
			r.wake(object, true)
		},
	}
}

// wake has those looked at again that a quota which changed or went lets go.
func (r *Recorder) wake(object any, gone bool) {
	quota, ok := object.(*platform.Quota)
	if !ok {
		return
	}
	for _, key := range r.unsettled.woken(quota, gone) {
		r.enqueue(key)
	}
}

// tells reports whether an update holds something that the history does not have, or lets an object go.
func tells(before, after history.Journaled) bool {
	if before.GetUID() != after.GetUID() || before.GetGeneration() != after.GetGeneration() {
		return true
	}
	if before.GetJournal().Sequence != after.GetJournal().Sequence {
		return true
	}
	return before.GetResourceVersion() != after.GetResourceVersion() && leaving(after)
}

// closeVanished writes the end of objects that went away while nobody looked.
func (r *Recorder) closeVanished(ctx context.Context) error {
	var gone []history.Deletion
	err := r.store.Present(ctx, func(key history.Identity) error {
		if !known(key.Kind) {
			return nil // of a later version: not this one's to end
		}
		vanished, err := r.vanished(ctx, key)
		if err != nil || !vanished {
			return err
		}
		gone = append(gone, history.Deletion{
			Identity: key, Time: r.clock.Now(), Reason: reasonUnwitnessed,
			Message: "The object was found to be gone; when it was deleted is not known",
		})
		if len(gone) < maxBatch {
			return nil
		}
		err = r.writeDeletions(ctx, gone, map[history.Identity]bool{})
		gone = nil
		return err
	})
	if err != nil {
		return fmt.Errorf("look through the history for objects that are gone: %w", err)
	}
	return r.writeDeletions(ctx, gone, map[history.Identity]bool{})
}

// projectAgain makes the tables of a history that was lost, and asks for all that exists to be written into it.
func (r *Recorder) projectAgain(ctx context.Context) error {
	if err := r.migrate(ctx); err != nil {
		return err
	}
	for _, kind := range kinds {
		list := kind.list()
		// The list is only read: no copies are needed.
		if err := r.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("list kind %s: %w", kind.name, err)
		}
		notice := r.handler(kind.name)
		err := meta.EachListItem(list, func(object runtime.Object) error {
			notice.OnAdd(object, false)
			return nil
		})
		if err != nil {
			return fmt.Errorf("go through kind %s: %w", kind.name, err)
		}
	}
	return nil
}

// vanished reports whether the object does not exist. The cache is believed when it has it, the API server when it has not.
func (r *Recorder) vanished(ctx context.Context, key history.Identity) (bool, error) {
	for _, reader := range []client.Reader{r.cache, r.live} {
		object, err := read(ctx, reader, key)
		if err != nil {
			return false, err
		}
		if object != nil {
			return false, nil
		}
	}
	return true, nil
}

// read returns the object of that very identity, or nil where there is none.
func read(ctx context.Context, reader client.Reader, key history.Identity) (history.Journaled, error) {
	for _, kind := range kinds {
		if kind.name != key.Kind {
			continue
		}
		object := kind.empty()
		err := reader.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: key.Name}, object)
		if apierrors.IsNotFound(err) || (err == nil && string(object.GetUID()) != key.UID.String()) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s %s/%s: %w", key.Kind, key.Namespace, key.Name, err)
		}
		return object, nil
	}
	return nil, fmt.Errorf("kind %q is not recorded", key.Kind)
}

func known(name string) bool {
	for _, kind := range kinds {
		if kind.name == name {
			return true
		}
	}
	return false
}
