package job

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// A gang has run when all of it has: until then it used nothing, and what lies outside of it costs it nothing. What one of its programs
// did is judged all the same.
func TestAGangRunsAsAWhole(t *testing.T) {
	refused := func(rank int32) *corev1.Pod {
		return pod(rank, corev1.PodFailed, corev1.ContainerState{}, func(p *corev1.Pod) { p.Status.Reason, p.Status.ContainerStatuses = "OutOfcpu", nil })
	}
	stopped, crashed := ended(0, 143, "Error", ""), ended(0, 3, "Error", "boom")
	retried := retries(platformv1.RestartOnFailure, 1)
	tests := map[string]struct {
		job  *platformv1.Job
		pods []*corev1.Pod
		want string
		ran  bool
		// retries that it cost.
		retries int32
	}{
		"one was not bound":                            {reserved(gang(2), ending(platformv1.JobReasonScheduling)), []*corev1.Pod{stopped}, "Pending/Queued", false, 0},
		"one was not bound, and the job is restarted":  {reserved(gang(2), retried, ending(platformv1.JobReasonScheduling)), []*corev1.Pod{stopped}, "Pending/Queued", false, 0},
		"one was refused by its node":                  {reserved(gang(2), ending(platformv1.JobReasonPreempted)), []*corev1.Pod{stopped, refused(1)}, "Pending/Queued", false, 0},
		"one had no secret":                            {reserved(gang(2), ending(platformv1.JobReasonSecretMissing)), []*corev1.Pod{stopped}, "Pending/SecretMissing", false, 0},
		"one crashed before another ran":               {reserved(gang(2), ending(platformv1.JobReasonError)), []*corev1.Pod{crashed}, "Failed/Error", false, 0},
		"one crashed before another ran, and is tried": {reserved(gang(2), retried, ending(platformv1.JobReasonError)), []*corev1.Pod{crashed}, "Pending/BackOff", false, 1},
		"one crashed before another was refused":       {reserved(gang(2), retried), []*corev1.Pod{crashed, refused(1)}, "Pending/BackOff", false, 1},
		"one crashes when all run":                     {reserved(gang(2), ending(platformv1.JobReasonError)), []*corev1.Pod{crashed, ended(1, 143, "Error", "")}, "Failed/Error", true, 0},
		"its pods are gone, and it is known to have":   {running(gang(2), ending(platformv1.JobReasonError)), []*corev1.Pod{crashed}, "Failed/Error", true, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := decide(facts{job: tc.job, pods: tc.pods, now: at(62).Time})
			if describe(got) != tc.want || got.status.Retries != tc.retries {
				t.Errorf("%s at the cost of %d retries, want %s of %d", describe(got), got.status.Retries, tc.want, tc.retries)
			}
			if (got.status.StartTime != nil) != tc.ran || (got.status.Cost != nil) != tc.ran || (got.status.RunSeconds > 0) != tc.ran {
				t.Errorf("started %v, ran %d s, cost %+v; want that it ran: %t", got.status.StartTime, got.status.RunSeconds, got.status.Cost, tc.ran)
			}
			if tc.retries > 0 && (len(got.status.Failures) != 1 || got.status.Failures[0].ExitCode != 3) {
				t.Errorf("the failures are %+v", got.status.Failures)
			}
		})
	}
}

// The exit code is that of the program that failed, whatever the others answered when they were told to end, and whatever the clocks of
// their nodes say.
func TestTheExitCodeIsOfWhoFailed(t *testing.T) {
	endsAt := func(p *corev1.Pod, second int) *corev1.Pod {
		p.Status.ContainerStatuses[0].State.Terminated.FinishedAt = at(second)
		return p
	}
	stopped := func(code int32, second int) *corev1.Pod {
		p := endsAt(ended(0, code, "Error", ""), second)
		deleted, grace := at(10+30), int64(30)
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &deleted, &grace
		return p
	}
	crashed := func(second int) *corev1.Pod { return endsAt(ended(1, 42, "Error", "boom"), second) }
	tests := map[string][]*corev1.Pod{
		"the other ended later":                       {stopped(143, 11), crashed(10)},
		"the other ended within the second":           {stopped(143, 10), crashed(10)},
		"the other was killed":                        {stopped(137, 10), crashed(10)},
		"the other ended well":                        {stopped(0, 10), crashed(10)},
		"the clock of the other's node is behind":     {stopped(143, 10), crashed(12)},
		"the other failed as well, and a moment late": {endsAt(ended(0, 7, "Error", ""), 11), crashed(10)},
	}
	for name, pods := range tests {
		t.Run(name, func(t *testing.T) {
			got := decide(facts{job: running(gang(2), retries(platformv1.RestartOnFailure, 0), ending(platformv1.JobReasonError)), pods: pods, now: at(20).Time}).status
			if got.ExitCode == nil || *got.ExitCode != 42 || len(got.Failures) != 1 || got.Failures[0].ExitCode != 42 {
				t.Errorf("want exit code 42, got %v, failures %+v", got.ExitCode, got.Failures)
			}
		})
	}
}
