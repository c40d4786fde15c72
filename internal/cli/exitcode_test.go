package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestJobExitCode(t *testing.T) {
	tests := map[string]struct {
		status v1alpha1.JobStatus
		want   int
	}{
		"success":             {v1alpha1.JobStatus{Phase: v1alpha1.JobSucceeded, ExitCode: ptr(int32(0))}, 0},
		"its own code":        {v1alpha1.JobStatus{Phase: v1alpha1.JobFailed, Reason: v1alpha1.JobReasonError, ExitCode: ptr(int32(42))}, 42},
		"out of memory":       {v1alpha1.JobStatus{Phase: v1alpha1.JobFailed, Reason: v1alpha1.JobReasonOOMKilled, ExitCode: ptr(int32(137))}, 137},
		"failed without code": {v1alpha1.JobStatus{Phase: v1alpha1.JobFailed, Reason: v1alpha1.JobReasonImageNotFound}, 1},
		"image away":          {v1alpha1.JobStatus{Phase: v1alpha1.JobFailed, Reason: v1alpha1.JobReasonImagePullBackOff, ExitCode: ptr(int32(137))}, 1},
		"failed with 0":       {v1alpha1.JobStatus{Phase: v1alpha1.JobFailed, Reason: v1alpha1.JobReasonNodeLost, ExitCode: ptr(int32(0))}, 1},
		"code out of range":   {v1alpha1.JobStatus{Phase: v1alpha1.JobFailed, ExitCode: ptr(int32(256))}, 1},
		"never started":       {v1alpha1.JobStatus{Phase: v1alpha1.JobFailed, Reason: v1alpha1.JobReasonScheduleTimeout}, 124},
		"life span":           {v1alpha1.JobStatus{Phase: v1alpha1.JobCancelled, Reason: v1alpha1.JobReasonLifeSpanEnded, ExitCode: ptr(int32(143))}, 124},
		"cancelled":           {v1alpha1.JobStatus{Phase: v1alpha1.JobCancelled, Reason: v1alpha1.JobReasonUserRequested, ExitCode: ptr(int32(137))}, 143},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := jobExitCode(&tt.status); got != tt.want {
				t.Errorf("exit code %d, want %d", got, tt.want)
			}
		})
	}
}

func TestFinish(t *testing.T) {
	tests := map[string]struct {
		err      error
		want     int
		wantText string
	}{
		"well":        {nil, 0, ""},
		"job's code":  {exitWith(3), 3, ""},
		"usage":       {&exitError{code: exitUsage, err: errors.New("no image")}, 2, "error: no image\n"},
		"interrupted": {fmt.Errorf("get: %w", context.Canceled), 130, ""},
		"failure":     {errors.New("broken"), 1, "error: broken\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			a := &app{err: &text}
			if got := a.finish(tt.err); got != tt.want || text.String() != tt.wantText {
				t.Errorf("exit code %d and %q, want %d and %q", got, &text, tt.want, tt.wantText)
			}
		})
	}
}

func TestGoals(t *testing.T) {
	job := func(phase v1alpha1.JobPhase, code int32) *v1alpha1.Job {
		return &v1alpha1.Job{Status: v1alpha1.JobStatus{Phase: phase, ExitCode: &code}}
	}
	tests := map[string]struct {
		word     string
		job      *v1alpha1.Job
		wantDone bool
		wantCode int
	}{
		"complete, runs":              {"complete", job(v1alpha1.JobRunning, 0), false, 0},
		"complete, failed":            {"complete", job(v1alpha1.JobFailed, 3), true, 3},
		"finished, failed":            {"finished", job(v1alpha1.JobFailed, 3), true, 0},
		"running, pending":            {"running", job(v1alpha1.JobPending, 0), false, 0},
		"running, runs":               {"running", job(v1alpha1.JobRunning, 0), true, 0},
		"running, being suspended":    {"running", &v1alpha1.Job{Status: v1alpha1.JobStatus{Phase: v1alpha1.JobRunning, Reason: v1alpha1.JobReasonTerminating}}, false, 0},
		"running, already succeeded":  {"running", job(v1alpha1.JobSucceeded, 0), true, 0},
		"running, failed before":      {"running", job(v1alpha1.JobFailed, 3), true, 3},
		"condition, not there":        {"condition=Reserved", job(v1alpha1.JobRunning, 0), false, 0},
		"condition, ended without it": {"condition=Reserved", job(v1alpha1.JobSucceeded, 0), true, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			reached, err := parseGoal(tt.word)
			if err != nil {
				t.Fatal(err)
			}
			if done, code := reached(tt.job); done != tt.wantDone || code != tt.wantCode {
				t.Errorf("done %v with %d, want %v with %d", done, code, tt.wantDone, tt.wantCode)
			}
		})
	}
	for _, word := range []string{"", "ready", "condition=", "condition=Ready="} {
		if _, err := parseGoal(word); err == nil {
			t.Errorf("parseGoal(%q) accepts it", word)
		}
	}
}

// What is called wrongly ends with 2, whatever is wrong, and nothing is asked of a cluster.
func TestUsage(t *testing.T) {
	wrong := []string{
		"frob", "--frob", "help-me", "help frob", "help user frob", "login", "login http://soma.example", "logout http://soma.example", "auth token --gateway http://x",
		"share job/a bob --read --write", "share job/a", "acl grant bob", "acl revoke", "can-i fly job/a", "user create bob", "service-account revoke ci",
		"ps --limit many", "completion cmd", "status a b",
	}
	walk(newRoot(&app{program: "soma"}), func(c *cobra.Command) {
		path := strings.TrimPrefix(c.CommandPath(), "soma")
		wrong = append(wrong, path+" --frob")
		if c.Args != nil {
			wrong = append(wrong, path+" a b c --frob", path+" a b c d e -o")
		}
	})
	for _, command := range wrong {
		var out, said bytes.Buffer
		if code := Main(append([]string{"soma"}, strings.Fields(command)...), strings.NewReader(""), &out, &said); code != exitUsage {
			t.Errorf("soma %s: exit code %d, want 2: %s", command, code, said.String())
		}
	}
}
