package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// entryText is the length of the messages that make a status as large as is asked for; 24 of them fit a journal.
const entryText = 400

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

// makeWritten makes an object for each worker, with a status of about the size.
func makeWritten(ctx context.Context, to dynamic.ResourceInterface, kib int) ([]*unstructured.Unstructured, error) {
	objects := make([]*unstructured.Unstructured, workers)
	for i := range objects {
		o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"image": "busybox"}}}
		o.SetAPIVersion(platformv1.GroupVersion.String())
		o.SetKind("Job")
		o.SetName(fmt.Sprintf("written-%d", i))
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
