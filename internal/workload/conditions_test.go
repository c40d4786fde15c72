package workload

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// A job that runs is not ready any more once it is being ended, and that tells since when.
func TestAJobThatIsBeingEndedIsNotReady(t *testing.T) {
	job := &platformv1.Job{}
	job.Generation = 1
	job.Status.Phase, job.Status.Reason, job.Status.Reservation = platformv1.JobRunning, platformv1.JobReasonRunning, &platformv1.Reservation{}
	SetConditions(&job.Status, 1, time.Unix(1, 0))
	job.Status.Reason, job.Status.Reservation.Ending = platformv1.JobReasonTerminating, platformv1.JobReasonNodeLost
	for _, second := range []int64{5, 9} {
		SetConditions(&job.Status, 1, time.Unix(second, 0))
	}
	if err := check.Contract(job); err != nil {
		t.Error(err)
	}
	ready, at := conditions.Get(job.Status.Conditions, platformv1.ConditionReady), time.Unix(5, 0)
	if ready.Status != metav1.ConditionFalse || ready.Message != "The job is being ended: Terminating." || !EndingSince(&job.Status).Equal(at) {
		t.Errorf("ready %+v, ending since %s; want since %s", ready, EndingSince(&job.Status), at)
	}
}

// A job that waits is stalled where it cannot start until somebody changes something, and gets on by itself everywhere else.
func TestWhoWaitsInVainIsStalled(t *testing.T) {
	for reason, stalled := range map[platformv1.JobReason]bool{
		platformv1.JobReasonQueued: false, platformv1.JobReasonGangWaiting: false, platformv1.JobReasonQuotaExceeded: false, platformv1.JobReasonBackOff: false,
		platformv1.JobReasonBudgetExhausted: false, platformv1.JobReasonEnergyWindow: false, platformv1.JobReasonClusterUnreachable: false,
		platformv1.JobReasonHistoryBacklog: false,
		platformv1.JobReasonUnschedulable:  true, platformv1.JobReasonQuotaTooSmall: true, platformv1.JobReasonQuotaMissing: true,
		platformv1.JobReasonProjectNotReady: true, platformv1.JobReasonClusterNotFound: true, platformv1.JobReasonPresetNotFound: true,
		platformv1.JobReasonPresetInvalid: true, platformv1.JobReasonSecretMissing: true, platformv1.JobReasonEnergyScheduleNotFound: true,
		platformv1.JobReasonReservationRefused: true,
	} {
		status := platformv1.JobStatus{Phase: platformv1.JobPending, Reason: reason}
		SetConditions(&status, 1, time.Unix(1, 0))
		reconciling, is := conditions.Get(status.Conditions, platformv1.ConditionReconciling), conditions.Get(status.Conditions, platformv1.ConditionStalled)
		if (is != nil) != stalled || (reconciling != nil) == stalled || stalled != reason.Impossible() || stalled && reason.Busy() {
			t.Errorf("%s: stalled %v, reconciling %v", reason, is, reconciling)
		}
	}
}
