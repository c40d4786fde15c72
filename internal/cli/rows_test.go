package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	history "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestMergeRows(t *testing.T) {
	at := func(uid types.UID, minutes int, phase v1alpha1.JobPhase) row {
		return row{uid: uid, name: "job-" + string(uid), phase: phase, submitted: noon.Add(time.Duration(minutes) * time.Minute)}
	}
	live := []row{at("b", 2, v1alpha1.JobRunning), at("d", 4, v1alpha1.JobPending)}
	records := []row{at("a", 1, v1alpha1.JobFailed), at("b", 2, v1alpha1.JobPending), at("c", 3, v1alpha1.JobSucceeded), at("c", 3, v1alpha1.JobSucceeded)}
	var got []string
	for _, r := range mergeRows(live, records) {
		got = append(got, r.name+" "+string(r.phase))
	}
	want := []string{"job-d Pending", "job-c Succeeded", "job-b Running", "job-a Failed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFilter(t *testing.T) {
	r := row{phase: v1alpha1.JobFailed, owner: "ada", tags: []string{"x", "y"}, submitted: noon}
	tests := map[string]struct {
		filter filter
		want   bool
	}{
		"none":         {filter{}, true},
		"state":        {filter{states: []v1alpha1.JobPhase{v1alpha1.JobFailed, v1alpha1.JobRunning}}, true},
		"other state":  {filter{states: []v1alpha1.JobPhase{v1alpha1.JobRunning}}, false},
		"owner":        {filter{owner: "ada"}, true},
		"other owner":  {filter{owner: "bob"}, false},
		"tags":         {filter{tags: []string{"y", "x"}}, true},
		"one tag more": {filter{tags: []string{"x", "z"}}, false},
		"since":        {filter{since: noon}, true},
		"later":        {filter{since: noon.Add(time.Second)}, false},
		"until":        {filter{until: noon.Add(time.Second)}, true},
		"before":       {filter{until: noon}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.filter.wants(r); got != tt.want {
				t.Errorf("wants %v", got)
			}
		})
	}
}

// The history applies the whole filter: what it did not apply would be looked for in the newest records alone.
func TestRecordSelector(t *testing.T) {
	for want, f := range map[string]filter{
		"":             {},
		"phase=Failed": {states: []v1alpha1.JobPhase{v1alpha1.JobFailed}},
		"phase!=Pending,phase!=Running,phase!=Suspended,phase!=Succeeded": {states: []v1alpha1.JobPhase{v1alpha1.JobFailed, v1alpha1.JobCancelled}},
		"tag=x,tag=y": {tags: []string{"x", "y"}},
		"phase=Failed,user=ada,tag=x,since=2026-03-01T12:00:00Z": {
			states: []v1alpha1.JobPhase{v1alpha1.JobFailed}, owner: "ada", tags: []string{"x"}, since: noon,
		},
	} {
		if got := recordSelector(f); got != want {
			t.Errorf("selector %q, want %q", got, want)
		}
	}
}

// A job that this version cannot read is listed as such, and the others as ever.
func TestMalformedJob(t *testing.T) {
	job := func(name string, spec, status any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"kind": "Job", "metadata": map[string]any{"name": name, "uid": name}, "spec": spec, "status": status,
		}}
	}
	good := liveRow(job("good", map[string]any{"image": "i", "submittedBy": "ada"}, map[string]any{"phase": "Pending", "reason": "Queued", "queue": map[string]any{"position": int64(2)}}))
	bad := liveRow(job("bad", "what?", map[string]any{"phase": int64(7)}))
	var out bytes.Buffer
	if err := jobTable([]row{good, bad}, false, noon).print(&out, false, true); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"NAME STATE REASON OWNER", "good Pending Queued #2 ada", "bad Unreadable"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
}

// A job ran for as long as its attempts did, whether its object tells it or its record.
func TestRan(t *testing.T) {
	before := func(minutes int) *metav1.Time {
		return &metav1.Time{Time: noon.Add(-time.Duration(minutes) * time.Minute)}
	}
	for name, tt := range map[string]struct {
		of   ran
		want string
	}{
		"never":                     {jobRan(&v1alpha1.JobStatus{}), ""},
		"reserved":                  {jobRan(&v1alpha1.JobStatus{Reservation: &v1alpha1.Reservation{}}), ""},
		"runs":                      {jobRan(&v1alpha1.JobStatus{StartTime: before(9), Reservation: &v1alpha1.Reservation{StartTime: before(9)}}), "9m"},
		"just begins":               {jobRan(&v1alpha1.JobStatus{Reservation: &v1alpha1.Reservation{StartTime: before(-1)}}), "0s"},
		"runs again":                {jobRan(&v1alpha1.JobStatus{StartTime: before(90), RunSeconds: 60, Reservation: &v1alpha1.Reservation{StartTime: before(8)}}), "9m"},
		"ended":                     {jobRan(&v1alpha1.JobStatus{StartTime: before(90), FinishTime: before(8), RunSeconds: 60}), "60s"},
		"recorded":                  {recordRan(&history.JobRecordStatus{StartTime: before(90), FinishTime: before(8), RunSeconds: 60}), "60s"},
		"recorded without seconds":  {recordRan(&history.JobRecordStatus{StartTime: before(9), FinishTime: before(8)}), "60s"},
		"gone before its end":       {recordRan(&history.JobRecordStatus{StartTime: before(9), DeletedTime: before(8)}), ""},
		"recorded and never to run": {recordRan(&history.JobRecordStatus{FinishTime: before(8)}), ""},
	} {
		if got := tt.of.text(noon); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestParseStates(t *testing.T) {
	tests := map[string]struct {
		words   []string
		want    []v1alpha1.JobPhase
		wantBad bool
	}{
		"one":     {words: []string{"running"}, want: []v1alpha1.JobPhase{v1alpha1.JobRunning}},
		"in case": {words: []string{"Failed"}, want: []v1alpha1.JobPhase{v1alpha1.JobFailed}},
		"several": {words: []string{"pending", "active"}, want: []v1alpha1.JobPhase{v1alpha1.JobPending, v1alpha1.JobRunning, v1alpha1.JobSuspended}},
		"unknown": {words: []string{"asleep"}, wantBad: true},
		"none":    {},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseStates(tt.words)
			if diff := cmp.Diff(tt.want, got); diff != "" && !tt.wantBad || (err != nil) != tt.wantBad {
				t.Errorf("error %v, %s", err, diff)
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	tests := map[string]struct {
		want    time.Time
		wantBad bool
	}{
		"2026-02-28":           {want: time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)},
		"2026-02-28T09:30:00Z": {want: time.Date(2026, 2, 28, 9, 30, 0, 0, time.UTC)},
		"2026-02-28 09:30":     {want: time.Date(2026, 2, 28, 9, 30, 0, 0, time.UTC)},
		"2h":                   {want: noon.Add(-2 * time.Hour)},
		"1d12h":                {want: noon.Add(-36 * time.Hour)},
		"yesterday":            {wantBad: true},
		"-2h":                  {wantBad: true},
		"":                     {wantBad: true},
	}
	for text, tt := range tests {
		t.Run(text, func(t *testing.T) {
			if got, err := parseTime(text, noon); (err != nil) != tt.wantBad || !got.Equal(tt.want) {
				t.Errorf("got %v, error %v", got, err)
			}
		})
	}
}

func TestCostInSeveralCurrencies(t *testing.T) {
	job := &v1alpha1.Job{}
	job.Status.Cost = &v1alpha1.Cost{Amount: "2", Currency: "EUR", Others: []v1alpha1.OtherCost{{Amount: "1.5", Currency: "DEM"}}}
	if got := jobRow(job).cost; got != "2 EUR + 1.5 DEM" {
		t.Errorf("it cost %q", got)
	}
}
