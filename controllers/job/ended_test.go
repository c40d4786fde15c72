package job

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// The journal tells how an attempt ended, also where the job goes on and another reason takes its place.
func TestJournalTellsHowAttemptsEnd(t *testing.T) {
	yes := true
	killed := ended(0, 137, "OOMKilled", "")
	tests := map[string]struct {
		job  *platformv1.Job
		pods []*corev1.Pod
		want string
	}{
		"is retried":   {job: running(retries(platformv1.RestartOnFailure, 1)), pods: []*corev1.Pod{killed}, want: "BackOff OOMKilled 137"},
		"is the last":  {job: running(), pods: []*corev1.Pod{killed}, want: "OOMKilled OOMKilled 137"},
		"is restarted": {job: running(retries(platformv1.RestartAlways, 0)), pods: []*corev1.Pod{ended(0, 0, "", "")}, want: "Restarting Completed 0"},
		"only begins":  {job: reserved(), pods: []*corev1.Pod{runs(0)}, want: "Running  none"},
		"never was":    {job: waiting(func(j *platformv1.Job) { j.Spec.Cancel = &yes }), want: "UserRequested  none"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			entries := decide(facts{job: test.job, pods: test.pods, now: at(12).Time}).status.Journal.Entries
			if len(entries) != 1 {
				t.Fatalf("want one transition, got %+v", entries)
			}
			exit := "none"
			if entries[0].ExitCode != nil {
				exit = fmt.Sprint(*entries[0].ExitCode)
			}
			if got := fmt.Sprint(entries[0].Reason, " ", entries[0].AttemptReason, " ", exit); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}
