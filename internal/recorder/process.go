package recorder

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
)

const (
	// enoughRoom is how many transitions a journal must still take; below it, what is recorded makes room.
	enoughRoom = 8
	// writers is how many objects are patched at the same time.
	writers = 16

	// reasonDeleted: the object was deleted and its history was complete.
	reasonDeleted = "Deleted"
	// reasonUnwitnessed: the object vanished without waiting for the history, or while nobody looked.
	reasonUnwitnessed = "Unwitnessed"
)

// looked is an object of a batch as it was found.
type looked struct {
	key    history.Identity
	object history.Journaled
	entry  history.Entry
}

// process brings the history up to date with the objects of a batch, then lets those go that wait for nothing else. It
// returns an error only when the database is away: then nothing is lost and the same batch is to be given again.
func (r *Recorder) process(ctx context.Context, batch []history.Identity) error {
	present, gone := r.look(ctx, batch)
	recorded, err := r.record(ctx, present)
	if err != nil {
		return err
	}
	var leave []looked
	for _, item := range recorded {
		if ready(item.object) {
			leave = append(leave, item)
		}
	}
	leave = r.settled(ctx, leave)
	for _, item := range leave {
		gone = append(gone, r.deletion(item))
	}
	failed := map[history.Identity]bool{}
	if err := r.writeDeletions(ctx, gone, failed); err != nil {
		return err
	}
	leave = slices.DeleteFunc(leave, func(item looked) bool { return failed[item.key] })
	r.settle(ctx, recorded, leave)
	r.backlog.done(batch)
	return nil
}

// look reads the objects of a batch.
func (r *Recorder) look(ctx context.Context, batch []history.Identity) (present []looked, gone []history.Deletion) {
	for _, key := range batch {
		object, err := read(ctx, r.cache, key)
		if err != nil {
			r.retry(key, err)
			continue
		}
		if object == nil {
			// The cache had it, or the key would not be here: it was removed for good.
			r.unsettled.remove(types.UID(key.UID.String()))
			gone = append(gone, history.Deletion{
				Identity: key, Time: r.clock.Now(), Reason: reasonUnwitnessed,
				Message: "The object was removed without waiting for the history",
			})
			continue
		}
		if object.GetJournal().Sequence == 0 {
			continue // nothing happened to it yet
		}
		entry, err := history.EntryOf(key.Kind, object)
		if err != nil {
			r.retry(key, err)
			continue
		}
		present = append(present, looked{key: key, object: object, entry: entry})
	}
	return present, gone
}

// record writes entries, and returns those that the history has now. Where the database refuses a batch for its data, each
// object is tried by itself, so that a bad one hurts only itself.
func (r *Recorder) record(ctx context.Context, items []looked) ([]looked, error) {
	if len(items) == 0 {
		return nil, nil
	}
	entries := make([]history.Entry, 0, len(items))
	for _, item := range items {
		entries = append(entries, item.entry)
	}
	written, err := r.store.Record(ctx, entries)
	switch {
	case err == nil:
		r.meters.recorded.Add(float64(written))
		for _, item := range items {
			r.queue.Forget(item.key)
		}
		return items, nil
	case away(err) || ctx.Err() != nil:
		return nil, err
	case len(items) == 1:
		r.retry(items[0].key, err)
		return nil, nil
	}
	var recorded []looked
	for i := range items {
		one, err := r.record(ctx, items[i:i+1])
		if err != nil {
			return nil, err
		}
		recorded = append(recorded, one...)
	}
	return recorded, nil
}

// writeDeletions writes deletions, and adds those that the database does not take to the failed ones.
func (r *Recorder) writeDeletions(ctx context.Context, deletions []history.Deletion, failed map[history.Identity]bool) error {
	if len(deletions) == 0 {
		return nil
	}
	written, err := r.store.Delete(ctx, deletions)
	switch {
	case err == nil:
		r.meters.recorded.Add(float64(written))
		for _, deletion := range deletions {
			r.queue.Forget(deletion.Identity)
		}
		return nil
	case away(err) || ctx.Err() != nil:
		return err
	case len(deletions) == 1:
		failed[deletions[0].Identity] = true
		r.retry(deletions[0].Identity, err)
		return nil
	}
	for i := range deletions {
		if err := r.writeDeletions(ctx, deletions[i:i+1], failed); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recorder) deletion(item looked) history.Deletion {
	return history.Deletion{Identity: item.key, Time: r.clock.Now(), Reason: reasonDeleted}
}

// settle writes to the objects what recording them allows: the finalizer goes, or a full journal gets room.
func (r *Recorder) settle(ctx context.Context, recorded, leave []looked) {
	type write struct {
		item  looked
		patch func(context.Context, history.Journaled) error
	}
	writes := make([]write, 0, len(leave))
	leaves := make(map[history.Identity]bool, len(leave))
	for _, item := range leave {
		leaves[item.key] = true
		writes = append(writes, write{item, r.release})
	}
	for _, item := range recorded {
		if !leaves[item.key] && item.object.GetJournal().Room() < enoughRoom {
			writes = append(writes, write{item, r.makeRoom})
		}
	}
	var group errgroup.Group
	group.SetLimit(writers)
	for _, w := range writes {
		group.Go(func() error {
			err := w.patch(ctx, w.item.object)
			// A conflict comes with an update that leads here again; what is not found needs nothing any more.
			if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
				r.retry(w.item.key, err)
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
}

// release removes the finalizer by which the object waited for the history.
func (r *Recorder) release(ctx context.Context, object history.Journaled) error {
	kept := []string{}
	for _, finalizer := range object.GetFinalizers() {
		if finalizer != platform.FinalizerHistory {
			kept = append(kept, finalizer)
		}
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": object.GetResourceVersion(), "finalizers": kept,
	}})
	if err != nil {
		return fmt.Errorf("encode the patch: %w", err)
	}
	return r.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, body))
}

// makeRoom tells the object's journal what may be dropped from it.
func (r *Recorder) makeRoom(ctx context.Context, object history.Journaled) error {
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": object.GetResourceVersion()},
		"status":   map[string]any{"journal": map[string]any{"recorded": object.GetJournal().Sequence}},
	})
	if err != nil {
		return fmt.Errorf("encode the patch: %w", err)
	}
	return r.client.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, body))
}

// leaving reports whether the object is deleted and waits for the history.
func leaving(object history.Journaled) bool {
	return !object.GetDeletionTimestamp().IsZero() && controllerutil.ContainsFinalizer(object, platform.FinalizerHistory)
}

// ready reports whether the object waits for nothing of ours but the history: no further transition can come.
func ready(object history.Journaled) bool {
	if !leaving(object) {
		return false
	}
	if job, ok := object.(*platform.Job); ok {
		return job.Status.Phase.Finished() && job.Status.Reservation == nil
	}
	for _, finalizer := range object.GetFinalizers() {
		if finalizer != platform.FinalizerHistory && strings.HasPrefix(finalizer, platform.GroupName+"/") {
			return false
		}
	}
	return true
}
