package workload

import (
	"testing"
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/conditions/check"
)

func TestConditionsKeepTheirContract(t *testing.T) {
	tests := map[string]struct {
		phase   platformv1.JobPhase
		reason  platformv1.JobReason
		message string
		// wantReady is the message of Ready.
		wantReady string
	}{
		"about to start":     {platformv1.JobPending, platformv1.JobReasonCreating, "", "The job does not run yet: Creating."},
		"never looked at":    {"", "", "", "The job does not run yet: Queued."},
		"waiting, and why":   {platformv1.JobPending, platformv1.JobReasonQueued, "no node is free", "no node is free"},
		"running":            {platformv1.JobRunning, platformv1.JobReasonRunning, "", ""},
		"ended well":         {platformv1.JobSucceeded, platformv1.JobReasonCompleted, "", ""},
		"ended without word": {platformv1.JobFailed, platformv1.JobReasonError, "", "The job does not run any more: Error."},
		"suspended":          {platformv1.JobSuspended, platformv1.JobReasonSuspended, "", "The job is suspended: Suspended."},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			job := &platformv1.Job{}
			job.Generation = 1
			job.Status.Phase, job.Status.Reason, job.Status.Message = tc.phase, tc.reason, tc.message
			SetConditions(&job.Status, job.Generation, time.Unix(1, 0))
			if err := check.Contract(job); err != nil {
				t.Error(err)
			}
			if got := conditions.Get(job.Status.Conditions, platformv1.ConditionReady).Message; got != tc.wantReady {
				t.Errorf("Ready says %q, want %q", got, tc.wantReady)
			}
		})
	}
}
