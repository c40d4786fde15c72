package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestSteeringSays(t *testing.T) {
	held := &v1alpha1.Reservation{Attempt: 1}
	tests := map[string]struct {
		steering  steering
		cancel    bool
		suspended bool
		status    v1alpha1.JobStatus
		want      string
	}{
		"kill":                    {steering: killing(), want: "is being ended"},
		"kill again":              {steering: killing(), cancel: true, want: "is being ended already"},
		"suspend":                 {steering: suspending(), status: v1alpha1.JobStatus{Phase: v1alpha1.JobRunning, Reservation: held}, want: "is being suspended"},
		"suspend again":           {steering: suspending(), suspended: true, status: v1alpha1.JobStatus{Phase: v1alpha1.JobRunning, Reservation: held}, want: "is being suspended already"},
		"suspend what is":         {steering: suspending(), suspended: true, status: v1alpha1.JobStatus{Phase: v1alpha1.JobSuspended}, want: "is suspended already"},
		"resume":                  {steering: resuming(), suspended: true, status: v1alpha1.JobStatus{Phase: v1alpha1.JobSuspended}, want: "is resumed"},
		"resume while pods end":   {steering: resuming(), suspended: true, status: v1alpha1.JobStatus{Phase: v1alpha1.JobRunning, Reservation: held}, want: "is resumed; it starts again when the pods of its last attempt have ended"},
		"resume what is not":      {steering: resuming(), status: v1alpha1.JobStatus{Phase: v1alpha1.JobRunning, Reservation: held}, want: "is not suspended"},
		"suspend after a resume":  {steering: suspending(), status: v1alpha1.JobStatus{Phase: v1alpha1.JobSuspended}, want: "is being suspended"},
		"resume before any start": {steering: resuming(), suspended: true, status: v1alpha1.JobStatus{Phase: v1alpha1.JobPending}, want: "is resumed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			job := &v1alpha1.Job{Spec: v1alpha1.JobSpec{Cancel: &tt.cancel, Suspend: &tt.suspended}, Status: tt.status}
			if got := tt.steering.says(job); got != tt.want {
				t.Errorf("says %q, want %q", got, tt.want)
			}
		})
	}
}

// Words that are no command end with a usage error, which names the command that is meant perhaps.
func TestNoSuchCommand(t *testing.T) {
	tests := map[string]struct {
		line, want string
		wantCode   int
	}{
		"near":               {"soma pss", `there is no command "soma pss"; did you mean "soma ps"?`, exitUsage},
		"near, below":        {"soma project staus", `did you mean "soma project status"?`, exitUsage},
		"as kubectl's":       {"kubectl-soma pss", `did you mean "kubectl soma ps"?`, exitUsage},
		"far":                {"soma bake", `there is no command "soma bake"`, exitUsage},
		"unknown flag":       {"soma ps --stat x", "unknown flag: --stat", exitUsage},
		"argument missing":   {"soma status", "the name of the job is missing", exitUsage},
		"argument too many":  {"soma status a b", "one argument is wanted, the name of the job, not 2", exitUsage},
		"format unknown":     {"soma ps -o xml", `there is no output format "xml"`, exitUsage},
		"template malformed": {"soma ps -o jsonpath={", "the template of -o jsonpath cannot be read", exitUsage},
		"alone":              {"soma", "", exitOK},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			code := Main(strings.Fields(tt.line), strings.NewReader(""), &out, &errOut)
			if code != tt.wantCode || !strings.Contains(errOut.String(), tt.want) {
				t.Errorf("exit code %d, want %d; says %q, want %q", code, tt.wantCode, errOut.String(), tt.want)
			}
		})
	}
}
