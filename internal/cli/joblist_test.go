package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestReadJobPage(t *testing.T) {
	const good = `{"apiVersion":"platform.soma.dev/v1alpha1","kind":"Job","metadata":{"name":"good","namespace":"vision","uid":"1",
		"creationTimestamp":"2026-03-01T11:00:00Z","managedFields":[{"manager":"soma"}]},
		"spec":{"image":"pytorch","submittedBy":"ada","tags":["x"],"resources":{"gpu":{"count":2}}},"status":{"phase":"Running","preset":"gpu-small"}}`
	const fresh = `{"apiVersion":"platform.soma.dev/v1alpha1","kind":"Job","metadata":{"name":"fresh"},"spec":{"image":"pytorch"}}`
	const bad = `{"apiVersion":"platform.soma.dev/v1alpha1","kind":"Job","metadata":{"name":"bad"},"spec":"what?"}`
	tests := map[string]struct {
		text     string
		want     []string
		wantNext string
		wantBad  bool
	}{
		"empty":         {text: `{"kind":"JobList","metadata":{},"items":[]}`},
		"good":          {text: `{"kind":"JobList","metadata":{"continue":"more"},"items":[` + good + `,` + fresh + `]}`, want: []string{"good Running ada gpu-small 2", "fresh Pending   0"}, wantNext: "more"},
		"one bad":       {text: `{"kind":"JobList","metadata":{"continue":"more"},"items":[` + bad + `,` + good + `]}`, want: []string{"bad Unreadable   0", "good Running ada gpu-small 2"}, wantNext: "more"},
		"not a list":    {text: `<html>`, wantBad: true},
		"broken off":    {text: `{"kind":"JobList","items":[` + good, wantBad: true},
		"another thing": {text: `[]`, wantBad: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rows, next, err := readJobPage([]byte(tt.text))
			var got []string
			for _, r := range rows {
				got = append(got, r.name+" "+string(r.phase)+" "+r.owner+" "+r.preset+" "+string(rune('0'+r.gpus)))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || next != tt.wantNext || (err != nil) != tt.wantBad {
				t.Errorf("next %q, error %v, %s", next, err, diff)
			}
		})
	}
}

func TestJobSelector(t *testing.T) {
	tests := map[string]struct {
		filter filter
		want   string
	}{
		"everything": {filter{}, ""},
		"active":     {filter{states: stateWords["active"]}, "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Cancelled"},
		"all states": {filter{states: phases}, ""},
		"owner":      {filter{owner: "a,b=c"}, `spec.submittedBy=a\,b\=c`},
		"both":       {filter{owner: "ada", states: []v1alpha1.JobPhase{v1alpha1.JobPending, v1alpha1.JobRunning, v1alpha1.JobSuspended, v1alpha1.JobFailed, v1alpha1.JobCancelled}}, "status.phase!=Succeeded,spec.submittedBy=ada"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.filter.selector(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
