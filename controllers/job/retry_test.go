package job

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func TestFollow(t *testing.T) {
	rules := func(rules ...platformv1.RestartRule) platformv1.Restart { return platformv1.Restart{Rules: rules} }
	codes := func(action platformv1.RestartAction, most *int32, codes ...int32) platformv1.RestartRule {
		return platformv1.RestartRule{ExitCodes: codes, Action: action, MaxRetries: most}
	}
	on := func(action platformv1.RestartAction, most *int32, categories ...platformv1.FailureCategory) platformv1.RestartRule {
		return platformv1.RestartRule{Categories: categories, Action: action, MaxRetries: most}
	}
	pauses := func(first, longest int64, codes ...int32) platformv1.RestartRule {
		return platformv1.RestartRule{ExitCodes: codes, Action: platformv1.RestartRetry, BackoffSeconds: &first, MaxBackoffSeconds: &longest}
	}
	exit := func(code int32) failure { return failure{platformv1.FailureExitCode, code} }
	of := func(category platformv1.FailureCategory) failure { return failure{category: category} }
	tests := map[string]struct {
		restart platformv1.Restart
		// had are the failures so far, the last of which is asked about.
		had     []failure
		retries int32
		want    string
		pause   time.Duration
	}{
		"the first failure": {had: []failure{exit(1)}, want: "again", pause: 2 * time.Second},
		"the third":         {had: []failure{exit(1), exit(2), exit(1)}, retries: 2, want: "again", pause: 8 * time.Second},
		"the budget is used up": {had: []failure{exit(1), exit(1), exit(1), exit(1)}, retries: 3, want: "fail",
			pause: 0},
		"another budget":           {restart: platformv1.Restart{MaxRetries: ptr.To[int32](0)}, had: []failure{exit(1)}, want: "fail"},
		"each category waits anew": {had: []failure{exit(1), exit(1), of(platformv1.FailureOutOfMemory)}, retries: 2, want: "again", pause: 2 * time.Second},
		"own pauses": {restart: platformv1.Restart{BackoffSeconds: ptr.To[int64](10), MaxBackoffSeconds: ptr.To[int64](15)}, had: []failure{exit(1), exit(1)}, retries: 1,
			want: "again", pause: 15 * time.Second},
		"no pause at all":             {restart: platformv1.Restart{BackoffSeconds: ptr.To[int64](0)}, had: []failure{exit(1), exit(1)}, retries: 1, want: "again"},
		"a lost node costs nothing":   {had: []failure{of(platformv1.FailureNodeLost)}, retries: 3, want: "free", pause: 2 * time.Second},
		"a lost GPU costs nothing":    {had: []failure{of(platformv1.FailureGPULost)}, retries: 3, want: "free", pause: 2 * time.Second},
		"an eviction costs nothing":   {had: []failure{of(platformv1.FailureEvicted)}, retries: 3, want: "free", pause: 2 * time.Second},
		"a preemption costs nothing":  {had: []failure{of(platformv1.FailurePreempted)}, retries: 3, want: "free", pause: 2 * time.Second},
		"too much scratch space does": {had: []failure{of(platformv1.FailureOutOfScratch)}, retries: 3, want: "fail"},
		"a removed pod does":          {had: []failure{of(platformv1.FailureRemoved)}, retries: 3, want: "fail"},
		"not for ever":                {had: times(101, of(platformv1.FailureNodeLost)), want: "fail"},
		"nearly for ever":             {had: times(100, of(platformv1.FailureNodeLost)), want: "free", pause: 5 * time.Minute},
		"a rule about a code":         {restart: rules(codes(platformv1.RestartFail, nil, 42)), had: []failure{exit(42)}, want: "fail"},
		"a rule about another code":   {restart: rules(codes(platformv1.RestartFail, nil, 42)), had: []failure{exit(41)}, want: "again", pause: 2 * time.Second},
		"a code of a container that was ended is not the program's own": {restart: rules(codes(platformv1.RestartFail, nil, 137)), had: []failure{of(platformv1.FailureOutOfMemory)}, want: "again", pause: 2 * time.Second},
		"the first rule that matches counts":                            {restart: rules(codes(platformv1.RestartRetryFree, nil, 75), on(platformv1.RestartFail, nil, platformv1.FailureExitCode)), had: []failure{exit(75)}, retries: 3, want: "free", pause: 2 * time.Second},
		"the next rule":                                                 {restart: rules(codes(platformv1.RestartRetryFree, nil, 75), on(platformv1.RestartFail, nil, platformv1.FailureExitCode)), had: []failure{exit(1)}, want: "fail"},
		"a lost node may cost":                                          {restart: rules(on(platformv1.RestartRetry, nil, platformv1.FailureNodeLost)), had: []failure{of(platformv1.FailureNodeLost)}, want: "again", pause: 2 * time.Second},
		"a rule's own bound":                                            {restart: rules(on(platformv1.RestartRetry, ptr.To[int32](1), platformv1.FailureImage)), had: times(2, of(platformv1.FailureImage)), retries: 1, want: "fail"},
		"a rule's bound beyond the budget":                              {restart: rules(on(platformv1.RestartRetry, ptr.To[int32](9), platformv1.FailureImage)), had: times(4, of(platformv1.FailureImage)), retries: 3, want: "fail"},
		"a rule's free bound":                                           {restart: rules(codes(platformv1.RestartRetryFree, ptr.To[int32](2), 75, 76)), had: []failure{exit(75), exit(76), exit(75)}, want: "fail"},
		"a rule's own pauses":                                           {restart: rules(pauses(10, 15, 75, 76)), had: []failure{exit(1), exit(75)}, want: "again", pause: 10 * time.Second},
		"they double with what it is about":                             {restart: rules(pauses(10, 300, 75, 76)), had: []failure{exit(1), exit(75), exit(76)}, want: "again", pause: 20 * time.Second},
		"up to its longest":                                             {restart: rules(pauses(10, 15, 75, 76)), had: []failure{exit(75), exit(76)}, want: "again", pause: 15 * time.Second},
		"its longest alone":                                             {restart: rules(platformv1.RestartRule{ExitCodes: []int32{75}, Action: platformv1.RestartRetry, MaxBackoffSeconds: ptr.To[int64](3)}), had: times(2, exit(75)), want: "again", pause: 3 * time.Second},
		"its first alone, the job's longest":                            {restart: platformv1.Restart{MaxBackoffSeconds: ptr.To[int64](50), Rules: []platformv1.RestartRule{{ExitCodes: []int32{75}, Action: platformv1.RestartRetryFree, BackoffSeconds: ptr.To[int64](40)}}}, had: times(2, exit(75)), want: "free", pause: 50 * time.Second},
		"others have the job's":                                         {restart: rules(pauses(10, 15, 75, 76)), had: []failure{exit(75), exit(1)}, want: "again", pause: 4 * time.Second},
		"others do not count against it":                                {restart: rules(codes(platformv1.RestartRetryFree, ptr.To[int32](2), 75, 76)), had: []failure{exit(1), exit(76), exit(75)}, want: "free", pause: 8 * time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var failures []platformv1.FailureCount
			for _, f := range tc.had {
				failures = count(failures, f)
			}
			got := follow(&tc.restart, tc.had[len(tc.had)-1], failures, tc.retries)
			text := "fail"
			switch {
			case got.again && got.free:
				text = "free"
			case got.again:
				text = "again"
			}
			if text != tc.want || got.pause != tc.pause || got.why == "" {
				t.Errorf("got %s after %s (%s), want %s after %s", text, got.pause, got.why, tc.want, tc.pause)
			}
		})
	}
}

func times(n int, f failure) []failure {
	all := make([]failure, n)
	for i := range all {
		all[i] = f
	}
	return all
}

func TestFailuresAreBounded(t *testing.T) {
	var failures []platformv1.FailureCount
	for code := range int32(250) {
		failures = count(failures, failure{platformv1.FailureExitCode, code + 1})
	}
	total := failed(failures, func(failure) bool { return true })
	if len(failures) != countedCodes+1 || total != 250 {
		t.Errorf("%d entries for %d failures", len(failures), total)
	}
}

// What a job used of its budget is known though status has forgotten most of its attempts.
func TestTheBudgetOutlivesTheAttempts(t *testing.T) {
	job := running(retries(platformv1.RestartOnFailure, 20))
	for n := range 21 {
		job.Status.Phase = platformv1.JobPending
		job.Status.Attempt, job.Status.Reservation = int32(n+1), running().Status.Reservation.DeepCopy()
		plan := decide(facts{job: job, pods: []*corev1.Pod{ended(0, 3, "Error", "boom")}, now: at(12).Time})
		job.Status = plan.status
		job.Status.Journal.Recorded = job.Status.Journal.Sequence
	}
	if job.Status.Phase != platformv1.JobFailed || job.Status.Retries != 20 || len(job.Status.Attempts) != keptAttempts {
		t.Errorf("%s after %d retries, with %d attempts", job.Status.Phase, job.Status.Retries, len(job.Status.Attempts))
	}
	if len(job.Status.Failures) != 1 || job.Status.Failures[0].Count != 21 {
		t.Errorf("failures: %+v", job.Status.Failures)
	}
}

// A job that its node took the place from goes back to its place in the queue; its time to start again counts from when it is due.
func TestALostNodeKeepsThePlaceInTheQueue(t *testing.T) {
	since := at(-90)
	job := running(retries(platformv1.RestartOnFailure, 0), timeout(60), func(j *platformv1.Job) { j.Status.Reservation.QueuedSince = &since })
	gone := ended(0, 137, "Error", "")
	gone.Status.Reason = "NodeShutdown"
	got := decide(facts{job: job, pods: []*corev1.Pod{gone}, now: at(12).Time}).status
	if got.Phase != platformv1.JobPending || got.Reason != platformv1.JobReasonBackOff || got.Retries != 0 {
		t.Fatalf("%s/%s after %d retries: %s", got.Phase, got.Reason, got.Retries, got.Message)
	}
	if !got.RetryTime.Time.Equal(at(14).Time) || !got.Queue.Since.Time.Equal(since.Time) || !got.Queue.Displaced.Time.Equal(at(14).Time) {
		t.Errorf("due %s, queue %+v", got.RetryTime, got.Queue)
	}
	if !strings.Contains(got.Message, "at no cost") {
		t.Errorf("message: %s", got.Message)
	}
}

// Of a gang it is the node that failed that is remembered, also when its pods are gone.
func TestTheNodeThatFailedIsRemembered(t *testing.T) {
	job := reserved(gang(2), func(j *platformv1.Job) {
		j.Status.Reservation.Nodes = []platformv1.NodeShare{{Node: "n1", Replicas: 1}, {Node: "n2", Replicas: 1}}
	})
	failing := pod(1, corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CreateContainerError", Message: "input/output error"}},
		func(p *corev1.Pod) { p.Spec.NodeName = "n2" })
	job.Status = decide(facts{job: job, pods: []*corev1.Pod{runs(0), failing}, now: at(30).Time}).status
	if job.Status.Reservation.EndingNode != "n2" {
		t.Fatalf("ended because of %q", job.Status.Reservation.EndingNode)
	}
	got := decide(facts{job: job, now: at(40).Time}).status
	if len(got.Attempts) != 1 || got.Attempts[0].Node != "n2" {
		t.Errorf("attempts: %+v", got.Attempts)
	}
}
