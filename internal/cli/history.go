package cli

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"

	history "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// findRecord reads what the history knows of the newest job of the name, or of the record of the name; nil where it knows
// nothing.
func (a *app) findRecord(ctx context.Context, name string) (*history.JobRecord, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	for _, field := range []string{history.FieldJob, history.FieldName} {
		if field == history.FieldName {
			if _, _, ok := history.SplitRecordName(name); !ok {
				continue
			}
		}
		options := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(field, name).String()}
		found, err := a.list(ctx, jobRecords, c.project, options, 1)
		if err != nil {
			return nil, err
		}
		if len(found.Items) == 0 {
			continue
		}
		// A list leaves the transitions out.
		whole, err := a.get(ctx, jobRecords, found.Items[0].GetNamespace(), found.Items[0].GetName())
		if err != nil {
			return nil, err
		}
		return decode[history.JobRecord](whole)
	}
	return nil, nil
}

// listRecords reads the records that the filter wants, newest first, and reports whether there are more.
func (a *app) listRecords(ctx context.Context, namespace string, f filter, most int) (*unstructured.UnstructuredList, bool, error) {
	found, err := a.list(ctx, jobRecords, namespace, metav1.ListOptions{FieldSelector: recordSelector(f)}, most)
	if err != nil {
		return nil, false, err
	}
	return found, found.GetContinue() != "", nil
}

// recordSelector is the part of the filter that the history applies itself. It takes one value of a field.
func recordSelector(f filter) string {
	set := fields.Set{}
	if len(f.states) == 1 {
		set[history.FieldPhase] = string(f.states[0])
	}
	if f.owner != "" {
		set[history.FieldUser] = f.owner
	}
	if len(f.tags) > 0 {
		set[history.FieldTag] = f.tags[0]
	}
	if !f.since.IsZero() {
		set[history.FieldSince] = f.since.UTC().Format(time.RFC3339)
	}
	if !f.until.IsZero() {
		set[history.FieldUntil] = f.until.UTC().Format(time.RFC3339)
	}
	return set.String()
}

// recordedSpec is the spec that the history kept of a job.
func recordedSpec(record *history.JobRecord) (*v1alpha1.JobSpec, error) {
	if record.Spec.JobSpec == nil {
		return nil, fmt.Errorf("the object of job %q is gone and the history has not kept its whole spec; submit it anew", record.Spec.Job)
	}
	return record.Spec.JobSpec, nil
}
