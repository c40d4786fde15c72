package job

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func queuedSince(second int) func(*platformv1.Job) {
	return func(j *platformv1.Job) {
		since := at(second)
		j.Status.Queue = &platformv1.QueueStatus{Since: &since}
	}
}

func displacedAt(second int) func(*platformv1.Job) {
	return func(j *platformv1.Job) {
		displaced := at(second)
		j.Status.Queue.Displaced = &displaced
	}
}

func timeout(seconds int64) func(*platformv1.Job) {
	return func(j *platformv1.Job) { j.Spec.ScheduleTimeoutSeconds = &seconds }
}

func TestWhoCouldNotStartKeepsItsPlace(t *testing.T) {
	noPlace := []*corev1.Pod{pod(0, corev1.PodFailed, corev1.ContainerState{}, func(p *corev1.Pod) {
		p.Status.Reason, p.Status.ContainerStatuses = "OutOfcpu", nil
	})}
	noImage := []*corev1.Pod{pod(0, corev1.PodFailed, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}})}
	refused := platformv1.Attempt{Reason: platformv1.JobReasonPreempted, FinishTime: new(at(1))}
	now := 100
	tests := map[string]struct {
		job  *platformv1.Job
		pods []*corev1.Pod
		// since is the second since when the job waits.
		since int
	}{
		"refused by its node":              {reserved(queuedSince(-50)), noPlace, -50},
		"not all of a gang ran":            {reserved(gang(2), queuedSince(-50), ending(platformv1.JobReasonScheduling)), []*corev1.Pod{ended(0, 143, "Error", "")}, -50},
		"refused by its node, with pauses": {reserved(queuedSince(-50), func(j *platformv1.Job) { j.Status.Attempts = []platformv1.Attempt{refused, refused} }), noPlace, -50},
		"a secret is missing":              {reserved(queuedSince(-50), ending(platformv1.JobReasonSecretMissing)), nil, -50},
		"it ran and failed":                {running(retries(platformv1.RestartOnFailure, 1)), []*corev1.Pod{ended(0, 3, "Error", "")}, now + 2},
		"it failed itself, and never ran": {reserved(queuedSince(-50), retries(platformv1.RestartOnFailure, 1), ending(platformv1.JobReasonImageNotFound)),
			noImage, now + 2},
		"it is restarted": {running(retries(platformv1.RestartAlways, 0)), []*corev1.Pod{ended(0, 0, "", "")}, now},
		"resumed":         {waiting(func(j *platformv1.Job) { j.Status.Phase = platformv1.JobSuspended }), nil, now},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := decide(facts{job: tc.job, pods: tc.pods, now: at(now).Time})
			if got.status.Queue == nil || !got.status.Queue.Since.Time.Equal(at(tc.since).Time) {
				t.Errorf("%s waits since %+v, want %s", describe(got), got.status.Queue, at(tc.since))
			}
		})
	}
}

func TestScheduleTimeout(t *testing.T) {
	due := func(second int) func(*platformv1.Job) {
		return func(j *platformv1.Job) { retry := at(second); j.Status.RetryTime = &retry }
	}
	tests := map[string]struct {
		job  *platformv1.Job
		now  int
		want string
	}{
		"of a job that was sent back again and again": {waiting(queuedSince(0), timeout(60), due(70)), 61, "Failed/ScheduleTimeout"},
		"of a retry begins when it is due":            {waiting(queuedSince(300), timeout(60), due(300)), 100, "/"},
		"of a retry that is due":                      {waiting(queuedSince(300), timeout(60)), 361, "Failed/ScheduleTimeout"},
		"while it starts":                             {reserved(queuedSince(-59), timeout(60)), 1, "Failed/ScheduleTimeout"},
		"while it starts, after it gave way":          {reserved(queuedSince(-59), displacedAt(0), timeout(60)), 1, "Pending/Creating held create"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := decide(facts{job: tc.job, now: at(tc.now).Time}); describe(got) != tc.want {
				t.Errorf("got %q, want %q", describe(got), tc.want)
			}
		})
	}
}

func TestASlowStartSaysWhatItWaitsFor(t *testing.T) {
	event := func(reason, message string) []corev1.Event {
		return []corev1.Event{{Reason: reason, Message: message, FirstTimestamp: at(1), LastTimestamp: at(1)}}
	}
	tests := map[string]struct {
		events []corev1.Event
		now    int
		want   string
		again  time.Duration
	}{
		"nothing known yet":           {nil, 1, "Pending/Creating held", time.Second},
		"nothing known":               {nil, 4, "Pending/ContainerCreating held", 4 * time.Second},
		"it pulls":                    {event("Pulling", ""), 4, "Pending/Pulling held", 4 * time.Second},
		"it pulls for very long":      {event("Pulling", ""), 3600, "Pending/Pulling held", 30 * time.Second},
		"a disk fails":                {event("FailedMount", "no space"), 10, "Pending/DiskUnavailable held", 10 * time.Second},
		"a disk fails for too long":   {event("FailedMount", "no space"), 121, "Pending/Terminating held kill=1", 30 * time.Second},
		"a secret is gone":            {event("FailedMount", `secret "s" not found`), 20, "Pending/SecretMissing held", time.Second},
		"a secret is gone, too long":  {event("FailedMount", `secret "s" not found`), 21, "Pending/Terminating held kill=1", 21 * time.Second},
		"the network fails":           {event("FailedCreatePodSandBox", "no plugin"), 60, "Pending/ContainerCreating held", 30 * time.Second},
		"the network fails, too long": {event("FailedCreatePodSandBox", "no plugin"), 121, "Pending/Terminating held kill=1", 30 * time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			slow := waits("ContainerCreating", "")
			slow.UID = "slow"
			got := decide(facts{job: reserved(), pods: []*corev1.Pod{slow}, events: map[types.UID][]corev1.Event{"slow": tc.events}, now: at(tc.now).Time})
			if describe(got) != tc.want || got.again != tc.again {
				t.Errorf("got %q, looked at again after %s; want %q after %s", describe(got), got.again, tc.want, tc.again)
			}
		})
	}
}

// How long an image was pulled counts for nothing when it fails.
func TestAHiccupAfterASlowPullIsTolerated(t *testing.T) {
	event := func(reason string, first, last int) corev1.Event {
		return corev1.Event{Reason: reason, FirstTimestamp: at(first), LastTimestamp: at(last)}
	}
	failed := []corev1.Event{event("Pulling", 1, 1), event("Failed", 299, 299)}
	pulled := []corev1.Event{event("Pulling", 1, 1), event("Pulled", 299, 299)}
	tests := map[string]struct {
		reason string
		events []corev1.Event
		now    int
		want   string
	}{
		"an image":                         {"ErrImagePull", failed, 300, "Pending/ErrImagePull held"},
		"an image, for too long":           {"ImagePullBackOff", failed, 299 + 60, "Pending/Terminating held kill=1"},
		"an image that is pulled again":    {"ImagePullBackOff", append(failed, event("Pulling", 1, 310)), 500, "Pending/ErrImagePull held"},
		"a container":                      {"CreateContainerError", pulled, 300, "Pending/ContainerCannotRun held"},
		"a container, for too long":        {"CreateContainerError", pulled, 299 + 20, "Pending/Terminating held kill=1"},
		"a container's start":              {"RunContainerError", pulled, 300, "Pending/ContainerCannotRun held"},
		"a container's settings, too long": {"CreateContainerConfigError", pulled, 299 + 20, "Pending/Terminating held kill=1"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			slow := waits(tc.reason, "connection reset")
			slow.UID = "slow"
			got := decide(facts{job: reserved(), pods: []*corev1.Pod{slow}, events: map[types.UID][]corev1.Event{"slow": tc.events}, now: at(tc.now).Time})
			if describe(got) != tc.want || got.again == 0 {
				t.Errorf("got %q, looked at again after %s; want %q", describe(got), got.again, tc.want)
			}
		})
	}
}

func TestAnEndThatTakesLongSaysWhatItWaitsFor(t *testing.T) {
	const asked = "cancelled by bob"
	// The pod was asked to end in second 10 and has 30 seconds to do so.
	told := func(p *corev1.Pod) *corev1.Pod {
		deadline := at(40)
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &deadline, new(int64(30))
		return p
	}
	tests := map[string]struct {
		pod   *corev1.Pod
		now   int
		want  string
		again time.Duration
	}{
		"before the pod is asked":         {runs(0), 10, "", 0},
		"a program has its time":          {told(runs(0)), 39, "", 11 * time.Second},
		"a node does not answer":          {told(runs(0)), 50, "has not ended pod", 0},
		"what never ran ends at once":     {told(waits("ContainerCreating", "")), 11, "", time.Second},
		"an image is pulled nevertheless": {told(waits("ContainerCreating", "")), 12, "still preparing pod", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.pod.Spec.NodeName = "n1"
			job := reserved(ending(platformv1.JobReasonUserRequested))
			job.Status.Reservation.EndingMessage = asked
			job.Status.Message = asked
			got := decide(facts{job: job, pods: []*corev1.Pod{tc.pod}, now: at(tc.now).Time})
			if !strings.HasPrefix(got.status.Message, asked) || !strings.Contains(got.status.Message, tc.want) ||
				(tc.want == "") != (got.status.Message == asked) || got.again != tc.again {
				t.Errorf("message %q, looked at again after %s; want %q after %s", got.status.Message, got.again, tc.want, tc.again)
			}
		})
	}
}

// Who gave way and could not start again, or had to give way once more before that, has waited since it gave way.
func TestSinceWhenAJobThatGaveWayWaits(t *testing.T) {
	noPlace := pod(0, corev1.PodFailed, corev1.ContainerState{}, func(p *corev1.Pod) {
		p.Status.Reason, p.Status.ContainerStatuses = "OutOfcpu", nil
	})
	again := func(j *platformv1.Job) {
		j.Status.Reservation.Ending, j.Status.Reservation.DisplacedFor, j.Status.Reservation.QueuedSince = platformv1.JobReasonPreempted, "vision/other", new(at(-50))
	}
	tests := map[string]struct {
		job  *platformv1.Job
		pods []*corev1.Pod
		want int
	}{
		"it could not start":              {reserved(queuedSince(-50), displacedAt(-20)), []*corev1.Pod{noPlace}, -20},
		"it gave way before it ran":       {reserved(queuedSince(-50), displacedAt(-20), again), nil, -20},
		"not all of it ran till then":     {reserved(gang(2), queuedSince(-50), displacedAt(-20), again), []*corev1.Pod{ended(0, 143, "Error", "")}, -20},
		"it gave way, the first time":     {reserved(queuedSince(-50), again), nil, 100},
		"it ran again, and gave way then": {running(again), []*corev1.Pod{ended(0, 143, "Error", "")}, 100},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := decide(facts{job: tc.job, pods: tc.pods, now: at(100).Time})
			queue := got.status.Queue
			if queue == nil || !queue.Since.Equal(new(at(-50))) || !queue.Displaced.Equal(new(at(tc.want))) {
				t.Errorf("%s waits as %+v, want since it gave way in second %d", describe(got), queue, tc.want)
			}
		})
	}
}
