// Package fencing keeps a writer that was superseded from doing harm. Leader election alone does not: a leader that was
// paused for longer than its lease goes on where it was, and what it had sent may arrive later still.
//
// Before a writer writes a batch it records in one small object which objects it is about to write, at which versions, by
// compare-and-swap. A successor takes that record over: from then on its predecessor can record no further batch, and so
// begins none. What the predecessor may still have under way is in the record; each of these objects is changed unless it has
// changed already, so that a write that was made from its earlier version is refused. At last the successor waits until
// its cache has seen all that the predecessor wrote. Only then does it decide anything.
package fencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/internal/platform/horizon"
	"github.com/soma-platform/soma/internal/platform/patch"
	"github.com/soma-platform/soma/internal/platform/refusal"
)

// dataKey is where the record is in the object's data.
const dataKey = "batch"

// ErrSuperseded is returned where another writer has taken over.
var ErrSuperseded = errors.New("another writer has taken over")

// Write is an object that is about to be written, and the version that the write is made from. The write must be refused by
// the API server where the object has another version by then.
type Write struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Version   string `json:"version"`
}

// Of is the write of an object as it was read.
func Of(o client.Object) Write {
	return Write{Namespace: o.GetNamespace(), Name: o.GetName(), Version: o.GetResourceVersion()}
}

// batch is what is recorded.
type batch struct {
	// Object is the UID of the object that this was recorded in: a copy of it in another cluster says nothing.
	Object string `json:"object,omitempty"`
	Writer string `json:"writer"`
	// Done is the newest version of all writes of earlier batches.
	Done   string  `json:"done,omitempty"`
	Writes []Write `json:"writes,omitempty"`
}

// Fence is one writer's. It is for one goroutine at a time.
type Fence struct {
	// Client writes, Live reads what the API server has now.
	Client client.Client
	Live   client.Reader
	// Record is the name of the ConfigMap with the record. It is made where it does not exist.
	Record client.ObjectKey
	// Writer is who writes, different for every process.
	Writer string
	// Mark is the annotation that changes an object, so that a write from its earlier version is refused.
	Mark string
	// New makes an empty object of the kind that is written.
	New func() client.Object
	// Seen is the version up to which the cache has seen objects of that kind.
	Seen func(context.Context) (string, error)

	held *corev1.ConfigMap
	// open are the writes that may still take effect; done is the newest version of those that have.
	open []Write
	done string
}

// Ready takes over, if that was not done, and reports whether the writer may decide by what is in its cache. Where it may
// not yet, it is to ask again in a moment.
func (f *Fence) Ready(ctx context.Context) (bool, error) {
	if f.held == nil {
		if err := f.takeOver(ctx); err != nil {
			return false, err
		}
	}
	for len(f.open) > 0 {
		if err := f.settle(ctx, f.open[0]); err != nil {
			return false, err
		}
		f.open = f.open[1:]
	}
	if f.done == "" {
		return true, nil
	}
	version, err := f.Seen(ctx)
	if err != nil {
		return false, err
	}
	return horizon.Reached(version, f.done)
}

// Begin records a batch. No write of it may be sent before.
func (f *Fence) Begin(ctx context.Context, writes []Write) error {
	if f.held == nil || len(f.open) > 0 {
		return errors.New("the writer is not ready")
	}
	return f.record(ctx, batch{Writes: writes})
}

// Wrote notes the version that a write of the batch made.
func (f *Fence) Wrote(version string) { f.done = horizon.Newer(f.done, version) }

// Doubt notes that it is not known whether a write of the batch took effect, or still will.
func (f *Fence) Doubt(w Write) { f.open = append(f.open, w) }

// takeOver makes this writer the one that records batches. What its predecessor recorded stays until it is settled.
func (f *Fence) takeOver(ctx context.Context) error {
	found := &corev1.ConfigMap{}
	err := f.Live.Get(ctx, f.Record, found)
	if apierrors.IsNotFound(err) {
		found = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: f.Record.Namespace, Name: f.Record.Name}}
		err = f.Client.Create(ctx, found, client.DisableReadYourWritesConsistency)
	}
	if err != nil {
		return fmt.Errorf("read which writes are under way: %w", err)
	}
	last := batch{}
	if text := found.Data[dataKey]; text != "" {
		if err := json.Unmarshal([]byte(text), &last); err != nil {
			return fmt.Errorf("configmap %s does not hold a record of writes: %w; delete it when no manager runs", f.Record, err)
		}
	}
	if last.Object != string(found.UID) {
		last = batch{}
	}
	f.held = found
	f.done = horizon.Newer(f.done, last.Done)
	if err := f.record(ctx, batch{Writes: last.Writes}); err != nil {
		return err
	}
	f.open = last.Writes
	return nil
}

// record replaces the record, unless somebody else has.
func (f *Fence) record(ctx context.Context, b batch) error {
	b.Object, b.Writer, b.Done = string(f.held.UID), f.Writer, f.done
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	changed := f.held.DeepCopy()
	changed.Data = map[string]string{dataKey: string(text)}
	if err := f.Client.Update(ctx, changed, client.DisableReadYourWritesConsistency); err != nil {
		f.held = nil // whatever became of it, it is read anew
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return ErrSuperseded
		}
		return fmt.Errorf("record which writes begin: %w", err)
	}
	f.held = changed
	return nil
}

// settle makes sure that a write has taken effect or never will.
func (f *Fence) settle(ctx context.Context, w Write) error {
	object := f.New()
	err := f.Live.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: w.Name}, object)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil && object.GetResourceVersion() == w.Version {
		before, ok := object.DeepCopyObject().(client.Object)
		if !ok {
			return fmt.Errorf("%T is no object", object)
		}
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[f.Mark] = f.Writer + "/" + w.Version
		object.SetAnnotations(annotations)
		_, err = patch.Object(ctx, f.Client, before, object)
		// An object that is not valid takes the predecessor's change no more than this one. Any other refusal says nothing of that: it may
		// be for the moment, or about marks alone.
		if apierrors.IsNotFound(err) || refusal.Final(err) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("settle a write of %s/%s that may be under way: %w", w.Namespace, w.Name, err)
	}
	f.done = horizon.Newer(f.done, object.GetResourceVersion())
	return nil
}
