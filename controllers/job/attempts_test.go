package job

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func TestBackOffGrows(t *testing.T) {
	last := time.Duration(0)
	for n := range int32(12) {
		job := running(retries(platformv1.RestartOnFailure, 100), func(j *platformv1.Job) {
			if n > 0 {
				j.Status.Failures = []platformv1.FailureCount{{Category: platformv1.FailureExitCode, ExitCode: 1, Count: n}}
			}
		})
		now := t0.Add(12 * time.Second)
		got := decide(facts{job: job, pods: []*corev1.Pod{ended(0, 3, "Error", "")}, now: now})
		wait := got.status.RetryTime.Sub(now)
		if wait < last || wait > longestBackOff {
			t.Errorf("retry %d waits %s after %s", n, wait, last)
		}
		last = wait
	}
	if last != longestBackOff {
		t.Errorf("the longest wait is %s, want %s", last, longestBackOff)
	}
}

func TestAttemptsThatComeToNothingAreNotMadeWithoutPause(t *testing.T) {
	refused := platformv1.Attempt{Reason: platformv1.JobReasonPreempted, FinishTime: new(at(1))}
	brief := platformv1.Attempt{Reason: platformv1.JobReasonCompleted, StartTime: new(at(1)), FinishTime: new(at(2))}
	long := platformv1.Attempt{Reason: platformv1.JobReasonCompleted, StartTime: new(at(1)), FinishTime: new(at(61))}
	suspended := platformv1.Attempt{Reason: platformv1.JobReasonSuspended, FinishTime: new(at(1))}
	row := func(attempt platformv1.Attempt, n int) []platformv1.Attempt {
		attempts := make([]platformv1.Attempt, n)
		for i := range attempts {
			attempts[i] = attempt
		}
		return attempts
	}
	noPlace := []*corev1.Pod{pod(0, corev1.PodFailed, corev1.ContainerState{}, func(p *corev1.Pod) {
		p.Status.Reason, p.Status.ContainerStatuses = "OutOfcpu", nil
	})}
	done := []*corev1.Pod{pod(0, corev1.PodSucceeded, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		Reason: "Completed", StartedAt: at(1), FinishedAt: at(2)}})}
	always := retries(platformv1.RestartAlways, 0)
	tests := map[string]struct {
		job    *platformv1.Job
		before []platformv1.Attempt
		pods   []*corev1.Pod
		want   string
		pause  time.Duration
	}{
		"refused for the first time":             {job: reserved(), pods: noPlace, want: "Pending/Queued"},
		"refused again":                          {job: reserved(), before: row(refused, 1), pods: noPlace, want: "Pending/BackOff", pause: 2 * time.Second},
		"refused for the fourth time":            {job: reserved(), before: row(refused, 3), pods: noPlace, want: "Pending/BackOff", pause: 8 * time.Second},
		"refused for as long as is remembered":   {job: reserved(), before: row(refused, 20), pods: noPlace, want: "Pending/BackOff", pause: 128 * time.Second},
		"refused again after a suspension":       {job: reserved(), before: append(row(refused, 1), suspended), pods: noPlace, want: "Pending/Queued"},
		"always: a brief run":                    {job: running(always), pods: done, want: "Pending/Restarting"},
		"always: brief runs in a row":            {job: running(always), before: row(brief, 2), pods: done, want: "Pending/BackOff", pause: 4 * time.Second},
		"always: a brief run after a long one":   {job: running(always), before: row(long, 2), pods: done, want: "Pending/Restarting"},
		"always: a long run after several brief": {job: running(always), before: row(brief, 2), pods: []*corev1.Pod{ended(0, 0, "", "")}, want: "Pending/Restarting"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.job.Status.Attempts = tc.before
			now := t0.Add(12 * time.Second)
			got := decide(facts{job: tc.job, pods: tc.pods, now: now})
			if text := describe(got); text != tc.want {
				t.Errorf("got %q, want %q", text, tc.want)
			}
			pause := time.Duration(0)
			if got.status.RetryTime != nil {
				pause = got.status.RetryTime.Sub(now)
			}
			if pause != tc.pause || got.again != tc.pause {
				t.Errorf("the next attempt is made after %s and looked at after %s, want %s", pause, got.again, tc.pause)
			}
		})
	}
}

func TestPodsOfOldAttemptsAreDropped(t *testing.T) {
	of := func(attempt string, change ...func(*corev1.Pod)) *corev1.Pod {
		p := ended(0, 3, "Error", "")
		p.Name, p.Labels = "pod-"+attempt, map[string]string{platformv1.LabelAttempt: attempt}
		for _, c := range change {
			c(p)
		}
		return p
	}
	pods := []*corev1.Pod{of("1"), of("2"), of("3"), of("9"), of("10"), of("none of ours")}
	tests := map[string]struct {
		job  *platformv1.Job
		want string
	}{
		"while another attempt is waited for": {waiting(func(j *platformv1.Job) { j.Status.Attempt, j.Status.Phase = 10, platformv1.JobPending }), "pod-1 pod-2"},
		"while an attempt runs":               {running(func(j *platformv1.Job) { j.Status.Attempt, j.Status.Reservation.Attempt = 11, 11 }), "pod-1 pod-2 pod-3"},
		"after the end":                       {waiting(func(j *platformv1.Job) { j.Status.Attempt, j.Status.Phase = 10, platformv1.JobFailed }), "pod-1 pod-2"},
		"of the first attempts":               {waiting(func(j *platformv1.Job) { j.Status.Attempt, j.Status.Phase = 3, platformv1.JobPending }), ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var dropped []string
			for _, p := range decide(facts{job: tc.job, pods: pods, now: t0.Add(12 * time.Second)}).kill {
				dropped = append(dropped, p.Name)
			}
			if got := strings.Join(dropped, " "); got != tc.want {
				t.Errorf("dropped %q, want %q", got, tc.want)
			}
		})
	}
}

// What is not shown any more still counts.
func TestAttemptsThatAreForgottenLeaveWhatTheyUsed(t *testing.T) {
	job := running(retries(platformv1.RestartOnFailure, 100), func(j *platformv1.Job) {
		for i := range keptAttempts {
			j.Status.Attempts = append(j.Status.Attempts, platformv1.Attempt{
				Number: int32(i + 1), Quota: "vision", StartTime: new(at(0)), FinishTime: new(at(10 + i)), PricePerHour: "3.6", Currency: "CHF",
				Replica: &platformv1.ReplicaResources{GPUs: 2},
			})
		}
		j.Status.Cost = &platformv1.Cost{Amount: "1", Currency: "EUR"}
	})
	got := decide(facts{job: job, pods: []*corev1.Pod{ended(0, 3, "Error", "")}, now: t0.Add(12 * time.Second)})
	if len(got.status.Attempts) != keptAttempts || len(got.status.Earlier) != 1 {
		t.Fatalf("%d attempts, earlier %+v", len(got.status.Attempts), got.status.Earlier)
	}
	if e := got.status.Earlier[0]; e.Quota != "vision" || e.Date != "2026-03-01" || e.GPUSeconds != 20 || e.Costs[0] != (platformv1.PriceSeconds{Currency: "CHF", PriceSeconds: "36.000000"}) {
		t.Errorf("earlier: %+v", e)
	}
}
