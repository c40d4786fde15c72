package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestNarrator(t *testing.T) {
	held := &v1alpha1.Reservation{Nodes: []v1alpha1.NodeShare{{Node: "n1", Replicas: 1}}}
	begin := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		statuses []v1alpha1.JobStatus
		want     []string
	}{
		"a good life": {
			[]v1alpha1.JobStatus{
				{},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonQueued, Message: "2 of 4 GPUs are free", Queue: &v1alpha1.QueueStatus{Position: 3}},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonQueued, Message: "2 of 4 GPUs are free", Queue: &v1alpha1.QueueStatus{Position: 3}},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonCreating, Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonScheduling, Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonPulling, Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobRunning, Reason: v1alpha1.JobReasonRunning, Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobSucceeded, Reason: v1alpha1.JobReasonCompleted, ExitCode: ptr(int32(0)), StartTime: ptr(metav1.NewTime(begin)), FinishTime: ptr(metav1.NewTime(begin.Add(95 * time.Second))), RunSeconds: 90},
			},
			[]string{"Submitted", "Queued at position 3: 2 of 4 GPUs are free", "Starting on n1", "Pulling img on n1", "Running on n1", "Succeeded after 90s"},
		},
		"impossible": {
			[]v1alpha1.JobStatus{
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonUnschedulable, Message: "no node has 9 GPUs", Queue: &v1alpha1.QueueStatus{Position: 1}},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonQuotaMissing},
				{Phase: v1alpha1.JobFailed, Reason: v1alpha1.JobReasonScheduleTimeout},
			},
			[]string{"Cannot start: no node has 9 GPUs, then Waiting", "Cannot start: QuotaMissing, then Waiting", "Failed (ScheduleTimeout)"},
		},
		"tried again": {
			[]v1alpha1.JobStatus{
				{Phase: v1alpha1.JobRunning, Attempt: 1},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonBackOff, Message: "exit code 1", Attempt: 1},
				{Phase: v1alpha1.JobRunning, Attempt: 2},
				{Phase: v1alpha1.JobFailed, Reason: v1alpha1.JobReasonOOMKilled, ExitCode: ptr(int32(137)), Attempt: 2},
			},
			[]string{"Running", "Attempt 1 ended, trying again: exit code 1, then Waiting", "Running, attempt 2", "Failed (OOMKilled, exit code 137)"},
		},
		"news that come late": {
			[]v1alpha1.JobStatus{
				{Phase: v1alpha1.JobRunning, Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonContainerCreating, Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobRunning, Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonContainerCreating, Reservation: held, Attempt: 2},
			},
			[]string{"Running on n1", "Preparing the container on n1, attempt 2"},
		},
		"an image that does not come": {
			[]v1alpha1.JobStatus{
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonErrImagePull, Message: "no such host", Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonImagePullBackOff, Message: "back-off", Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonErrImagePull, Message: "no such host", Reservation: held, Attempt: 1},
			},
			[]string{
				"The image cannot be pulled, trying again: no such host, then Waiting",
				"The image cannot be pulled, trying again: back-off, then Waiting",
				"The image cannot be pulled, trying again: no such host",
			},
		},
		"a start that is held up": {
			[]v1alpha1.JobStatus{
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonImageNotFound, Message: "img: not found", Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonContainerCannotRun, Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobPending, Reason: "OfALaterVersion", Message: "who knows", Reservation: held, Attempt: 1},
				{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonSecretMissing, Message: "no secret", Queue: &v1alpha1.QueueStatus{Position: 1}},
			},
			[]string{
				"Held up at the start on n1: img: not found, then Waiting",
				"Held up at the start on n1: ContainerCannotRun, then Waiting",
				"Held up at the start on n1: who knows, then Waiting",
				"Cannot start: no secret, then Waiting",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var said narrator
			var got []string
			for _, status := range tt.statuses {
				var l *line
				if said, l = said.next(&v1alpha1.Job{Spec: v1alpha1.JobSpec{Image: "img"}, Status: status}); l != nil {
					text := l.text
					if l.then != "" {
						text += ", then " + l.then
					}
					got = append(got, text)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// How to leave a job that cannot start is said once, and not of one that waits for others.
func TestTellerSaysHowToLeave(t *testing.T) {
	var out strings.Builder
	told := &teller{live: newLiveLine(&out, style{}), leave: "\n  end it"}
	for _, status := range []v1alpha1.JobStatus{
		{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonQueued, Message: "busy"},
		{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonPresetNotFound, Message: "no preset"},
		{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonPresetNotFound, Message: "no preset"},
		{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonQuotaMissing, Message: "no quota"},
	} {
		told.see(&v1alpha1.Job{Status: status})
	}
	if want := "Queued: busy\nCannot start: no preset\n  end it\nCannot start: no quota\n"; out.String() != want {
		t.Errorf("written %q, want %q", out.String(), want)
	}
}

func TestLiveLineInPipe(t *testing.T) {
	var out strings.Builder
	live := newLiveLine(&out, style{})
	live.show(line{text: "Queued"})
	live.show(line{text: "Running", lasting: true, tone: toneGood})
	live.close()
	if want := "Queued\nRunning\n"; out.String() != want {
		t.Errorf("written %q, want %q", out.String(), want)
	}
}

func TestLiveLineOnTerminal(t *testing.T) {
	var out strings.Builder
	live := newLiveLine(&out, style{terminal: true})
	live.show(line{text: "Queued"})
	if _, err := live.over(&out).Write([]byte("epoch 1\n")); err != nil {
		t.Fatal(err)
	}
	live.close()
	if want := "Queued 0s\r\x1b[Kepoch 1\n"; out.String() != want {
		t.Errorf("written %q, want %q", out.String(), want)
	}
}

// TestReasons wants advice about every reason that a job can have.
func TestReasons(t *testing.T) {
	for reason, known := range reasons {
		if known.meaning == "" || strings.Contains(fillIn(known.do+known.ended, "soma", "j"), "%") {
			t.Errorf("advice about %s: %+v", reason, known)
		}
	}
	if got := len(reasons); got < 40 {
		t.Errorf("advice about %d reasons", got)
	}
}
