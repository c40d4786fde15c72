package webhooks

import (
	"slices"
	"testing"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func TestRecordSubmission(t *testing.T) {
	yes := true
	tests := map[string]struct {
		spec          platformv1.JobSpec
		wantCancelled string
	}{
		"plain":                          {},
		"a forged submitter is replaced": {spec: platformv1.JobSpec{SubmittedBy: "mallory", CancelledBy: "mallory"}},
		"cancelled from the start":       {spec: platformv1.JobSpec{Cancel: &yes}, wantCancelled: "carol"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			job := &platformv1.Job{Spec: tc.spec}
			recordSubmission(job, "carol")
			if job.Spec.SubmittedBy != "carol" || job.Spec.CancelledBy != tc.wantCancelled {
				t.Errorf("submitted by %q, cancelled by %q; want carol, %q", job.Spec.SubmittedBy, job.Spec.CancelledBy, tc.wantCancelled)
			}
			if !slices.Contains(job.Finalizers, platformv1.FinalizerHistory) {
				t.Error("the job is not held for its history")
			}
		})
	}
}

func TestRecordChange(t *testing.T) {
	yes := true
	submitted := platformv1.JobSpec{SubmittedBy: "carol"}
	cancelled := platformv1.JobSpec{SubmittedBy: "carol", Cancel: &yes, CancelledBy: "carol"}
	tests := map[string]struct {
		before, after, want platformv1.JobSpec
	}{
		"nothing of it":                            {submitted, submitted, submitted},
		"applied without submitter":                {submitted, platformv1.JobSpec{}, submitted},
		"another submitter is left for the schema": {submitted, platformv1.JobSpec{SubmittedBy: "dave"}, platformv1.JobSpec{SubmittedBy: "dave"}},
		"cancelled": {submitted, platformv1.JobSpec{SubmittedBy: "carol", Cancel: &yes, CancelledBy: "mallory"},
			platformv1.JobSpec{SubmittedBy: "carol", Cancel: &yes, CancelledBy: "dave"}},
		"was cancelled before": {cancelled, platformv1.JobSpec{SubmittedBy: "carol", Cancel: &yes, CancelledBy: "mallory"}, cancelled},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := &platformv1.Job{Spec: tc.before}, &platformv1.Job{Spec: tc.after}
			recordChange(before, after, "dave")
			if after.Spec.SubmittedBy != tc.want.SubmittedBy || after.Spec.CancelledBy != tc.want.CancelledBy {
				t.Errorf("got %+v, want %+v", after.Spec, tc.want)
			}
		})
	}
}
