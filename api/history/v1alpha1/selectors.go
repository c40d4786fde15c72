package v1alpha1

import (
	"fmt"
	"slices"
	"strings"
)

// Field selectors of job records, for instance `--field-selector user=ada,phase=Failed,since=2026-03-01T00:00:00Z`.
const (
	// FieldName is the name of the record.
	FieldName = "metadata.name"
	// FieldNamespace is the namespace of the job.
	FieldNamespace = "metadata.namespace"
	// FieldJob is the name of the job.
	FieldJob = "job"
	// FieldUser is who submitted the job.
	FieldUser = "user"
	// FieldPhase is the phase of the job.
	FieldPhase = "phase"
	// FieldReason is the reason of the phase.
	FieldReason = "reason"
	// FieldTag is one of the job's tags.
	FieldTag = "tag"
	// FieldSince is the earliest time of submission, as in RFC 3339.
	FieldSince = "since"
	// FieldUntil is the time before which the job was submitted, as in RFC 3339.
	FieldUntil = "until"
	// FieldSort is the order of the list: SortSubmittedDescending, SortSubmitted or SortFinishedDescending.
	FieldSort = "sort"
)

// Orders of a list, as values of the field selector "sort".
const (
	// SortSubmittedDescending lists the jobs that were submitted last first. It is the default.
	SortSubmittedDescending = "-submitted"
	// SortSubmitted lists the jobs that were submitted first first.
	SortSubmitted = "submitted"
	// SortFinishedDescending lists finished jobs alone, those that ended last first.
	SortFinishedDescending = "-finished"
)

// Fields are the field selectors of job records.
func Fields() []string {
	return []string{FieldName, FieldNamespace, FieldJob, FieldUser, FieldPhase, FieldReason, FieldTag, FieldSince, FieldUntil, FieldSort}
}

func convertField(label, value string) (string, string, error) {
	if !slices.Contains(Fields(), label) {
		return "", "", fmt.Errorf("field selector %q is not supported for job records; use one of %s", label, strings.Join(Fields(), ", "))
	}
	return label, value, nil
}
