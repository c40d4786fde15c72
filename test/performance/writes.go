package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// The kind that is written: it has the schema of a job and another name, so that no controller answers.
const (
	writesGroup = "writes.soma.dev"
	writesCRD   = "writes." + writesGroup
	jobsCRD     = "config/crd/platform.soma.dev_jobs.yaml"
	// writeWorkers is how many write at the same time, each its own object.
	writeWorkers = 8
	// entryText is the length of the messages that make a status as large as is asked for; 24 of them fit a journal.
	entryText = 400
)

var writesResource = schema.GroupVersionResource{Group: writesGroup, Version: "v1alpha1", Resource: "writes"}

// way is a way to write a status.
type way struct {
	name  string
	write func(ctx context.Context, to dynamic.ResourceInterface, object *unstructured.Unstructured, text string) (*unstructured.Unstructured, error)
}

var ways = []way{
	{"update", func(ctx context.Context, to dynamic.ResourceInterface, o *unstructured.Unstructured, text string) (*unstructured.Unstructured, error) {
		changed := o.DeepCopy()
		if err := unstructured.SetNestedField(changed.Object, text, "status", "message"); err != nil {
			return nil, err
		}
		return to.UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	}},
	{"merge patch", func(ctx context.Context, to dynamic.ResourceInterface, o *unstructured.Unstructured, text string) (*unstructured.Unstructured, error) {
		patch := fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"status":{"message":%q}}`, o.GetResourceVersion(), text)
		return to.Patch(ctx, o.GetName(), types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
	}},
	{"apply", func(ctx context.Context, to dynamic.ResourceInterface, o *unstructured.Unstructured, text string) (*unstructured.Unstructured, error) {
		status, _, err := unstructured.NestedMap(o.Object, "status")
		if err != nil {
			return nil, err
		}
		status["message"] = text
		desired := &unstructured.Unstructured{Object: map[string]any{"status": status}}
		desired.SetAPIVersion(o.GetAPIVersion())
		desired.SetKind(o.GetKind())
		desired.SetName(o.GetName())
		return to.ApplyStatus(ctx, o.GetName(), desired, metav1.ApplyOptions{FieldManager: "writes", Force: true})
	}},
}

// measureWrites tells what one write of a status costs the API server, by how it is made, how large the object is and how
// many watch. It is what every scheduler pays for each of its decisions.
func (b *bench) measureWrites(ctx context.Context, n int) error {
	if b.server == nil {
		return errors.New("what a write costs cannot be told without the API server's own figures")
	}
	anything, err := dynamic.NewForConfig(b.config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	resource := anything.Resource(writesResource).Namespace(place)
	if err := b.makeWritesKind(ctx, resource); err != nil {
		return err
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		if err := b.removeWritesKind(clean); err != nil {
			b.Say("%v", err)
		}
	}()
	idle, err := b.idleCPU(ctx)
	if err != nil {
		return err
	}
	var table strings.Builder
	table.WriteString("\n| one write of a status | size | watchers | CPU of the API server | time |\n|---|---|---|---|---|\n")
	row := func(name, size string, watchers int, cost writeCost) {
		fmt.Fprintf(&table, "| %s | %s | %d | %.2f ms | %.1f ms |\n", name, size, watchers, cost.cpu*1000, cost.took.Seconds()*1000)
	}
	for _, kib := range []int{1, 2, 4} {
		for _, watchers := range []int{0, 1, 4} {
			if watchers != 1 && kib != 2 { // each of the two is varied alone
				continue
			}
			err := b.costOfWays(ctx, n, idle, resource, kib, watchers, func(way string, cost writeCost) {
				row(way, fmt.Sprintf("%d KiB", kib), watchers, cost)
			})
			if err != nil {
				return err
			}
		}
	}
	cost, err := b.costOfLeases(ctx, n, idle)
	if err != nil {
		return err
	}
	row("update of a Lease, by protobuf", "0.3 KiB", 0, cost)
	fmt.Print(table.String())
	return nil
}

// costOfWays makes objects, of about the size, writes them in each way, then without the book of who wrote which field, and
// removes them.
func (b *bench) costOfWays(
	ctx context.Context, n int, idle float64, to dynamic.ResourceInterface, kib, watchers int, row func(way string, cost writeCost),
) error {
	objects, err := makeWritten(ctx, to, kib)
	if err != nil {
		return err
	}
	stop, err := watchAll(ctx, to, watchers)
	if err != nil {
		return err
	}
	defer stop()
	measure := func(w way, book string) error {
		b.Say("%d writes: %s%s of %d KiB, %d watch", n, w.name, book, kib, watchers)
		cost, err := b.costOf(ctx, n, idle, func(ctx context.Context, worker, i int) error {
			written, err := w.write(ctx, to, objects[worker], fmt.Sprintf("%s %d", w.name, i))
			if err == nil {
				objects[worker] = written
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("write by %s: %w", w.name, err)
		}
		row(w.name+book, cost)
		return nil
	}
	for _, w := range ways {
		if err := measure(w, ""); err != nil {
			return err
		}
	}
	if err := closeBooks(ctx, to, objects); err != nil {
		return err
	}
	// The first apply would open it again.
	for _, w := range ways[:2] {
		if err := measure(w, ", no book of fields"); err != nil {
			return err
		}
	}
	for _, o := range objects {
		if err := to.Delete(ctx, o.GetName(), metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("remove what was written: %w", err)
		}
	}
	return nil
}

// writeCost is what one write costs.
type writeCost struct {
	// cpu of the API server in seconds, took is from the call to its answer.
	cpu  float64
	took time.Duration
}

// costOf makes n writes by several workers.
func (b *bench) costOf(ctx context.Context, n int, idle float64, write func(ctx context.Context, worker, i int) error) (writeCost, error) {
	before, err := b.server.read(ctx)
	if err != nil {
		return writeCost{}, err
	}
	start := time.Now()
	all, within := errgroup.WithContext(ctx)
	for worker := range writeWorkers {
		all.Go(func() error {
			for i := range n / writeWorkers {
				if err := write(within, worker, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return writeCost{}, err
	}
	took := time.Since(start)
	after, err := b.server.read(ctx)
	if err != nil {
		return writeCost{}, err
	}
	made := float64(n / writeWorkers * writeWorkers)
	return writeCost{
		cpu:  max(0, after.cpu-before.cpu-idle*took.Seconds()) / made,
		took: took * writeWorkers / time.Duration(made),
	}, nil
}

// idleCPU is what the API server uses while nobody writes, as a part of a core.
func (b *bench) idleCPU(ctx context.Context) (float64, error) {
	before, err := b.server.read(ctx)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(10 * time.Second):
	}
	after, err := b.server.read(ctx)
	return (after.cpu - before.cpu) / time.Since(start).Seconds(), err
}

func (b *bench) costOfLeases(ctx context.Context, n int, idle float64) (writeCost, error) {
	leases := make([]*coordinationv1.Lease, writeWorkers)
	api := b.set.CoordinationV1().Leases(place)
	for i := range leases {
		holder := "writes"
		made, err := api.Create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("writes-%d", i)}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder},
		}, metav1.CreateOptions{})
		if err != nil {
			return writeCost{}, fmt.Errorf("make a lease: %w", err)
		}
		leases[i] = made
	}
	return b.costOf(ctx, n, idle, func(ctx context.Context, worker, i int) error {
		now := metav1.NowMicro()
		leases[worker].Spec.RenewTime = &now
		written, err := api.Update(ctx, leases[worker], metav1.UpdateOptions{})
		if err == nil {
			leases[worker] = written
		}
		return err
	})
}

// makeWritten makes an object for each worker, with a status of about the size.
func makeWritten(ctx context.Context, to dynamic.ResourceInterface, kib int) ([]*unstructured.Unstructured, error) {
	objects := make([]*unstructured.Unstructured, writeWorkers)
	for i := range objects {
		o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"image": "busybox"}}}
		o.SetAPIVersion(writesGroup + "/v1alpha1")
		o.SetKind("Write")
		o.SetName(fmt.Sprintf("write-%dk-%d", kib, i))
		made, err := to.Create(ctx, o, metav1.CreateOptions{})
		if err != nil {
			return nil, fmt.Errorf("make an object to write: %w", err)
		}
		var entries []any
		for size := 0; size < kib*1024-600; size += entryText + 120 {
			entries = append(entries, map[string]any{
				"sequence": int64(len(entries) + 1), "time": "2026-01-02T03:04:05.000000Z", "phase": "Pending", "message": strings.Repeat("x", entryText),
			})
		}
		status := map[string]any{"phase": "Pending", "reason": "Queued", "message": "begins"}
		if len(entries) > 0 {
			status["journal"] = map[string]any{"sequence": int64(len(entries)), "entries": entries}
		}
		made.Object["status"] = status
		if objects[i], err = to.UpdateStatus(ctx, made, metav1.UpdateOptions{}); err != nil {
			return nil, fmt.Errorf("give an object its size: %w", err)
		}
	}
	return objects, nil
}

// closeBooks takes out of the objects who wrote which of their fields: the API server keeps no such book for what has none.
func closeBooks(ctx context.Context, of dynamic.ResourceInterface, objects []*unstructured.Unstructured) error {
	for i, o := range objects {
		closed, err := of.Patch(ctx, o.GetName(), types.MergePatchType, []byte(`{"metadata":{"managedFields":[{}]}}`), metav1.PatchOptions{})
		if err != nil {
			return fmt.Errorf("take the book of fields out of an object: %w", err)
		}
		if len(closed.GetManagedFields()) > 0 {
			return errors.New("the API server still keeps a book of fields")
		}
		objects[i] = closed
	}
	return nil
}

// watchAll lets so many watch, until they are stopped.
func watchAll(ctx context.Context, from dynamic.ResourceInterface, watchers int) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	for range watchers {
		events, err := from.Watch(ctx, metav1.ListOptions{})
		if err != nil {
			stop()
			return nil, fmt.Errorf("watch: %w", err)
		}
		go func() {
			for range events.ResultChan() { // what comes is taken off the line
			}
		}()
		stops = append(stops, events.Stop)
	}
	return stop, nil
}

// makeWritesKind makes the kind that is written, and waits until it is served as the resource.
func (b *bench) makeWritesKind(ctx context.Context, resource dynamic.ResourceInterface) error {
	if err := b.removeWritesKind(ctx); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.FromSlash(jobsCRD))
	if err != nil {
		return fmt.Errorf("read the schema of jobs, in the folder of the repository: %w", err)
	}
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &crd.Object); err != nil {
		return fmt.Errorf("read %s: %w", jobsCRD, err)
	}
	crd.SetName(writesCRD)
	crd.SetLabels(nil)
	for field, value := range map[string]any{
		"group": writesGroup, "names": map[string]any{"plural": "writes", "singular": "write", "kind": "Write", "listKind": "WriteList"},
	} {
		if err := unstructured.SetNestedField(crd.Object, value, "spec", field); err != nil {
			return err
		}
	}
	if err := b.Create(ctx, crd); err != nil {
		return fmt.Errorf("make the kind that is written: %w", err)
	}
	return b.eventually(ctx, readyTime, "the kind that is written is not served", func(ctx context.Context) (bool, error) {
		_, err := resource.List(ctx, metav1.ListOptions{Limit: 1})
		return err == nil, client.IgnoreNotFound(err)
	})
}

func (b *bench) removeWritesKind(ctx context.Context) error {
	crd := &unstructured.Unstructured{}
	crd.SetAPIVersion("apiextensions.k8s.io/v1")
	crd.SetKind("CustomResourceDefinition")
	crd.SetName(writesCRD)
	if err := client.IgnoreNotFound(b.Delete(ctx, crd)); err != nil {
		return fmt.Errorf("remove the kind that was written: %w", err)
	}
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		err := b.Get(ctx, client.ObjectKeyFromObject(crd), crd)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}
