package cli

import (
	"context"
	"fmt"
	"slices"
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

// recordSelector is the filter as the history applies it: all of it, so that a rare match is found wherever it is.
func recordSelector(f filter) string {
	var all []fields.Selector
	if len(f.states) == 1 {
		all = append(all, fields.OneTermEqualSelector(history.FieldPhase, string(f.states[0])))
	} else {
		all = append(all, otherStates(f.states, history.FieldPhase)...)
	}
	if f.owner != "" {
		all = append(all, fields.OneTermEqualSelector(history.FieldUser, f.owner))
	}
	for _, tag := range f.tags {
		all = append(all, fields.OneTermEqualSelector(history.FieldTag, tag))
	}
	if !f.since.IsZero() {
		all = append(all, fields.OneTermEqualSelector(history.FieldSince, f.since.UTC().Format(time.RFC3339)))
	}
	if !f.until.IsZero() {
		all = append(all, fields.OneTermEqualSelector(history.FieldUntil, f.until.UTC().Format(time.RFC3339)))
	}
	return fields.AndSelectors(all...).String()
}

// otherStates excludes the phases that are not wanted, one by one: a field selector knows no sets. Without wanted phases
// nothing is excluded.
func otherStates(wanted []v1alpha1.JobPhase, field string) []fields.Selector {
	var all []fields.Selector
	for _, phase := range phases {
		if len(wanted) > 0 && !slices.Contains(wanted, phase) {
			all = append(all, fields.OneTermNotEqualSelector(field, string(phase)))
		}
	}
	return all
}

// recordedSpec is the spec that the history kept of a job.
func recordedSpec(record *history.JobRecord) (*v1alpha1.JobSpec, error) {
	if record.Spec.JobSpec == nil {
		return nil, fmt.Errorf("the object of job %q is gone and the history has not kept its whole spec; submit it anew", record.Spec.Job)
	}
	return record.Spec.JobSpec, nil
}
