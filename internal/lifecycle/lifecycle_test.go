package lifecycle

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions/check"
)

func TestApplyWritesTheJournal(t *testing.T) {
	type step struct {
		generation int64
		deleted    bool
		outcome    Outcome
	}
	available := Outcome{Ready, "Active", "Available", "ready"}
	working := Outcome{Working, "Pending", "Progressing", "at work"}
	stuck := Outcome{Stuck, "Pending", "Foreign", "stuck"}
	terminating := Outcome{Working, "Terminating", "Terminating", "waiting for 2 jobs"}
	tests := map[string]struct {
		steps []step
		want  []string
	}{
		"first look":        {[]step{{1, false, available}}, []string{"Active Available"}},
		"nothing new":       {[]step{{1, false, available}, {1, false, available}}, []string{"Active Available"}},
		"into ready":        {[]step{{1, false, working}, {1, false, available}}, []string{"Pending Progressing", "Active Available"}},
		"stuck":             {[]step{{1, false, working}, {1, false, stuck}}, []string{"Pending Progressing", "Pending Foreign"}},
		"new spec":          {[]step{{1, false, available}, {2, false, available}, {2, false, available}}, []string{"Active Available", "Active SpecChanged"}},
		"new spec, at work": {[]step{{1, false, available}, {2, false, working}}, []string{"Active Available", "Pending SpecChanged", "Pending Progressing"}},
		"deleted":           {[]step{{1, false, available}, {2, true, terminating}}, []string{"Active Available", "Terminating Terminating"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			project := &v1alpha1.Project{}
			for _, step := range test.steps {
				now = now.Add(time.Minute)
				project.Generation = step.generation
				if step.deleted {
					project.DeletionTimestamp = &metav1.Time{Time: now}
				}
				Apply(project, now, step.outcome)
				if err := check.Contract(project); err != nil {
					t.Error(err)
				}
			}
			var got []string
			for i, entry := range project.Status.Journal.Entries {
				got = append(got, entry.Phase+" "+entry.Reason)
				if entry.Sequence != int64(i+1) {
					t.Errorf("entry %d has the sequence %d", i, entry.Sequence)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("journal = %q, want %q", got, test.want)
			}
		})
	}
}

func TestApplyFoldsWhatAFullJournalCannotHold(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	project := &v1alpha1.Project{}
	project.Generation = 1
	outcomes := []Outcome{{Ready, "Active", "Available", ""}, {Working, "Pending", "Progressing", "at work"}}
	for i := range v1alpha1.JournalCapacity + 5 {
		Apply(project, now, outcomes[i%2])
	}
	journal := &project.Status.Journal
	if len(journal.Entries) != v1alpha1.JournalCapacity || journal.Sequence != v1alpha1.JournalCapacity {
		t.Fatalf("the journal has %d entries up to %d, want %d", len(journal.Entries), journal.Sequence, v1alpha1.JournalCapacity)
	}
	journal.Recorded = journal.Sequence
	Apply(project, now, outcomes[0])
	if got := journal.Entries[len(journal.Entries)-1]; got.Reason != "Available" || got.Sequence != v1alpha1.JournalCapacity+1 {
		t.Errorf("the newest entry is %+v, want Available as the next", got)
	}
}
