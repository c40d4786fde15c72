package history

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	platform "github.com/soma-platform/soma/api/v1alpha1"
)

// newJob makes a job that had as many transitions.
func newJob(name string, created time.Time, transitions int) *platform.Job {
	job := &platform.Job{}
	job.Name, job.Namespace = name, "vision"
	job.UID = types.UID(uuid.NewString())
	job.CreationTimestamp = metav1.NewTime(created.Truncate(time.Second))
	job.Spec = platform.JobSpec{Image: "trainer:1", SubmittedBy: "ada", Tags: []string{"nightly"}, Command: []string{"train"}}
	for range transitions {
		advance(job, string(platform.JobRunning))
	}
	return job
}

func advance(job *platform.Job, phase string) {
	job.Status.Phase = platform.JobPhase(phase)
	job.Status.Journal.Append(platform.Transition{
		Time: metav1.NewMicroTime(job.CreationTimestamp.Add(time.Duration(job.Status.Journal.Sequence) * time.Second)), Phase: phase,
	})
	job.ResourceVersion = fmt.Sprint(1000 + job.Status.Journal.Sequence)
}

func mustEntry(t testing.TB, job *platform.Job) Entry {
	t.Helper()
	entry, err := EntryOf(KindJob, job)
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

func mustRecord(t testing.TB, store *Store, entries ...Entry) int {
	t.Helper()
	written, err := store.Record(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	return written
}

func mustGet(t testing.TB, store *Store, job *platform.Job) (Job, []Transition) {
	t.Helper()
	uid := uuid.MustParse(string(job.UID))
	rows, _, err := store.List(t.Context(), Query{UID: &UIDRange{First: uid, Last: uid}, PageSize: 2})
	if err != nil || len(rows) != 1 {
		t.Fatalf("want one row of job %s, got %d, %v", job.Name, len(rows), err)
	}
	transitions, err := store.Transitions(t.Context(), &rows[0], 100)
	if err != nil {
		t.Fatal(err)
	}
	return rows[0], transitions
}

func TestMigrateAtOnce(t *testing.T) {
	url, err := server.Database(t.Context(), "at_once")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		store := openStore(t, url)
		group.Go(func() {
			if err := store.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestRecordTwiceWritesOnce(t *testing.T) {
	store := newStore(t)
	job := newJob("train", time.Now(), 3)
	if written := mustRecord(t, store, mustEntry(t, job)); written != 3 {
		t.Errorf("want 3 transitions written, got %d", written)
	}
	if written := mustRecord(t, store, mustEntry(t, job), mustEntry(t, job)); written != 0 {
		t.Errorf("want nothing written again, got %d", written)
	}
	advance(job, "Succeeded")
	if written := mustRecord(t, store, mustEntry(t, job)); written != 1 {
		t.Errorf("want 1 transition written, got %d", written)
	}
	row, transitions := mustGet(t, store, job)
	if row.Phase != "Succeeded" || row.Sequence != 4 || row.SubmittedBy != "ada" {
		t.Errorf("unexpected row: %+v", row)
	}
	for i, transition := range transitions {
		if transition.Sequence != int64(i+1) {
			t.Errorf("transition %d has sequence %d", i, transition.Sequence)
		}
	}
}

// How an attempt ended is kept, also where the job went on.
func TestRecordKeepsEndsOfAttempts(t *testing.T) {
	store := newStore(t)
	job := newJob("train", time.Now(), 1)
	code := int32(137)
	job.Status.Journal.Append(platform.Transition{
		Time: metav1.NowMicro(), Phase: string(platform.JobPending), Reason: "BackOff", Attempt: 1, AttemptReason: "OOMKilled", ExitCode: &code,
	})
	mustRecord(t, store, mustEntry(t, job))
	_, transitions := mustGet(t, store, job)
	if len(transitions) != 2 || transitions[0].AttemptReason != "" {
		t.Fatalf("want two transitions, the first of no attempt's end, got %+v", transitions)
	}
	if got := transitions[1]; got.Reason != "BackOff" || got.AttemptReason != "OOMKilled" || got.ExitCode == nil || *got.ExitCode != code {
		t.Errorf("unexpected transition: %+v", got)
	}
}

// What a job drew is kept as it was told, and grows with it; what is not known is not there.
func TestRecordKeepsEnergy(t *testing.T) {
	store := newStore(t)
	job, other := newJob("train", time.Now(), 1), newJob("other", time.Now(), 1)
	job.Spec.EnergySchedule = "night"
	job.Status.Energy = &platform.JobEnergy{WattHours: "0.083333"}
	mustRecord(t, store, mustEntry(t, job), mustEntry(t, other))
	row, _ := mustGet(t, store, job)
	if row.WattHours == nil || *row.WattHours != "0.083333" || row.Co2Grams != nil || row.EnergySchedule != "night" {
		t.Errorf("unexpected energy: %v, %v, %q", row.WattHours, row.Co2Grams, row.EnergySchedule)
	}
	job.Status.Energy = &platform.JobEnergy{WattHours: "224256000000.500000", CO2Grams: "1121280000000.250000"}
	advance(job, "Succeeded")
	mustRecord(t, store, mustEntry(t, job))
	row, _ = mustGet(t, store, job)
	if row.WattHours == nil || *row.WattHours != "224256000000.500000" || row.Co2Grams == nil || *row.Co2Grams != "1121280000000.250000" {
		t.Errorf("unexpected energy: %v, %v", row.WattHours, row.Co2Grams)
	}
	if row, _ := mustGet(t, store, other); row.WattHours != nil || row.Co2Grams != nil || row.EnergySchedule != "" {
		t.Errorf("energy of which nothing is known: %v, %v, %q", row.WattHours, row.Co2Grams, row.EnergySchedule)
	}
}

func TestRecordNeverGoesBack(t *testing.T) {
	store := newStore(t)
	job := newJob("train", time.Now(), 1)
	job.Status.Reservation = &platform.Reservation{Cluster: "local", Replica: platform.ReplicaResources{GPUs: 2, GPUModel: "a100"},
		Nodes: []platform.NodeShare{{Node: "node-1", Replicas: 1}}}
	reserved := mustEntry(t, job)
	job.Status.Reservation = nil
	advance(job, "Succeeded")
	mustRecord(t, store, reserved)
	mustRecord(t, store, mustEntry(t, job))
	mustRecord(t, store, reserved)
	row, _ := mustGet(t, store, job)
	if row.Phase != "Succeeded" || row.Sequence != 2 {
		t.Errorf("an older state replaced a newer one: %+v", row)
	}
	if row.Gpus != 2 || row.GpuModel != "a100" || row.Cluster != "local" || row.Node != "node-1" {
		t.Errorf("what the reservation said was lost: %+v", row)
	}
}

func TestDelete(t *testing.T) {
	store := newStore(t)
	job := newJob("train", time.Now(), 2)
	identity, err := IdentityOf(KindJob, job)
	if err != nil {
		t.Fatal(err)
	}
	deletion := Deletion{Identity: identity, Time: time.Now(), Reason: "Deleted"}
	wantWritten := func(want int) {
		t.Helper()
		written, err := store.Delete(t.Context(), []Deletion{deletion})
		if err != nil || written != want {
			t.Fatalf("want %d written, got %d, %v", want, written, err)
		}
	}
	wantWritten(0) // never seen
	mustRecord(t, store, mustEntry(t, job))
	wantWritten(1)
	wantWritten(0) // known
	mustRecord(t, store, mustEntry(t, job))
	row, transitions := mustGet(t, store, job)
	if row.DeletedAt == nil || len(transitions) != 3 || transitions[2].Phase != PhaseDeleted || transitions[2].Sequence != 3 {
		t.Fatalf("the deletion is not in place: %+v, %+v", row, transitions)
	}
	present := 0
	if err := store.Present(t.Context(), func(Identity) error { present++; return nil }); err != nil || present != 0 {
		t.Errorf("want nothing present, got %d, %v", present, err)
	}

	// The object was not gone after all: its own transition takes the number, the deletion comes after it.
	advance(job, "Failed")
	mustRecord(t, store, mustEntry(t, job))
	wantWritten(1)
	_, transitions = mustGet(t, store, job)
	if len(transitions) != 4 || transitions[2].Phase != "Failed" || transitions[3].Phase != PhaseDeleted {
		t.Errorf("unexpected transitions: %+v", transitions)
	}
}

func TestRecordOldMonthAndStrangeText(t *testing.T) {
	store := newStore(t)
	job := newJob("old", time.Date(2019, 2, 28, 23, 59, 59, 0, time.UTC), 1)
	job.Status.Message = "a\x00b\xff" + strings.Repeat("é", 4000)
	job.Spec.Args = []string{strings.Repeat("x", maxCommandBytes)}
	job.Labels = map[string]string{"team": "vision"}
	mustRecord(t, store, mustEntry(t, job))
	row, _ := mustGet(t, store, job)
	if !strings.HasPrefix(row.Message, "ab") || len(row.Message) > maxMessageBytes+8 {
		t.Errorf("unexpected message of %d bytes", len(row.Message))
	}
	if !row.CommandTruncated || len(row.Command) != 1 || len(row.Args) != 0 {
		t.Errorf("want the command kept and the long argument left out: %v %v", row.Command, len(row.Args))
	}
}

func TestObjects(t *testing.T) {
	store := newStore(t)
	project := &platform.Project{}
	project.Name, project.UID, project.CreationTimestamp = "vision", types.UID(uuid.NewString()), metav1.Now()
	project.Status.Journal.Append(platform.Transition{Time: metav1.NowMicro(), Phase: "Active"})
	entry, err := EntryOf("Project", project)
	if err != nil {
		t.Fatal(err)
	}
	if written := mustRecord(t, store, entry); written != 1 {
		t.Errorf("want 1 transition, got %d", written)
	}
	var present []Identity
	if err := store.Present(t.Context(), func(i Identity) error { present = append(present, i); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(present) != 1 || present[0].Kind != "Project" || present[0].Name != "vision" {
		t.Errorf("unexpected objects: %+v", present)
	}
}

func TestListPages(t *testing.T) {
	store := newStore(t)
	begin := time.Date(2026, 1, 30, 0, 0, 0, 0, time.UTC)
	var entries []Entry
	for i := range 25 {
		job := newJob(fmt.Sprintf("job-%02d", i), begin.Add(time.Duration(i)*12*time.Hour), 1)
		finish := metav1.NewTime(job.CreationTimestamp.Add(time.Duration(100-i) * 24 * time.Hour))
		job.Status.FinishTime = &finish
		entries = append(entries, mustEntry(t, job))
	}
	mustRecord(t, store, entries...)
	tests := map[string]struct {
		order Order
		want  func(i int) string
	}{
		"newest first":        {BySubmissionDescending, func(i int) string { return fmt.Sprintf("job-%02d", 24-i) }},
		"oldest first":        {BySubmission, func(i int) string { return fmt.Sprintf("job-%02d", i) }},
		"last finished first": {ByFinishDescending, func(i int) string { return fmt.Sprintf("job-%02d", i) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			query := Query{Order: test.order, PageSize: 10, Equal: []Match{{Column: ColumnNamespace, Value: "vision"}}}
			seen := 0
			for {
				rows, next, err := store.List(t.Context(), query)
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range rows {
					if want := test.want(seen); row.Name != want {
						t.Errorf("place %d: want %s, got %s", seen, want, row.Name)
					}
					seen++
				}
				if next == nil {
					break
				}
				query.After = next
			}
			if seen != 25 {
				t.Errorf("want 25 jobs, got %d", seen)
			}
		})
	}
}

func TestListSelects(t *testing.T) {
	store := newStore(t)
	var entries []Entry
	for _, name := range []string{"a", "b", "c"} {
		job := newJob(name, time.Now(), 1)
		job.Spec.Tags = []string{"all", "tag-" + name}
		job.Labels = map[string]string{"name": name}
		if name == "c" {
			job.Labels = nil
			job.Spec.SubmittedBy = "bob"
		}
		entries = append(entries, mustEntry(t, job))
	}
	mustRecord(t, store, entries...)
	tests := map[string]struct {
		query Query
		want  string
	}{
		"all":              {Query{}, "abc"},
		"user":             {Query{Equal: []Match{{Column: ColumnUser, Value: "bob"}}}, "c"},
		"not user":         {Query{Equal: []Match{{Column: ColumnUser, Value: "bob", Not: true}}}, "ab"},
		"injection":        {Query{Equal: []Match{{Column: ColumnUser, Value: "' OR 1=1 --"}}}, ""},
		"tag":              {Query{Tags: []TagMatch{{Tag: "tag-b"}}}, "b"},
		"not tag":          {Query{Tags: []TagMatch{{Tag: "tag-b", Not: true}}}, "ac"},
		"label":            {Query{Labels: []LabelMatch{{Key: "name", Values: []string{"a"}}}}, "a"},
		"not label":        {Query{Labels: []LabelMatch{{Key: "name", Values: []string{"a"}, Not: true}}}, "bc"},
		"label of several": {Query{Labels: []LabelMatch{{Key: "name", Values: []string{"a", "b"}}}}, "ab"},
		"label of none":    {Query{Labels: []LabelMatch{{Key: "name", Values: []string{"a", "x"}, Not: true}}}, "bc"},
		"label exists":     {Query{Labels: []LabelMatch{{Key: "name"}}}, "ab"},
		"label is not":     {Query{Labels: []LabelMatch{{Key: "name", Not: true}}}, "c"},
		"until":            {Query{Until: time.Now().Add(-time.Hour)}, ""},
		"since":            {Query{Since: time.Now().Add(-time.Hour)}, "abc"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.query.PageSize = 10
			rows, _, err := store.List(t.Context(), test.query)
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{}
			for _, row := range rows {
				found[row.Name] = true
			}
			for _, name := range []string{"a", "b", "c"} {
				if want := strings.Contains(test.want, name); found[name] != want {
					t.Errorf("job %s: want found %t, got %t", name, want, found[name])
				}
			}
		})
	}
}

func TestUnavailable(t *testing.T) {
	store := openStore(t, "postgres://soma@127.0.0.1:1/none?connect_timeout=1")
	_, _, err := store.List(t.Context(), Query{PageSize: 1})
	var unavailable *Unavailable
	if !errors.As(err, &unavailable) || time.Since(unavailable.Since) > time.Minute {
		t.Fatalf("want Unavailable, got %v", err)
	}
	first := unavailable.Since
	err = store.Migrate(t.Context())
	if !errors.As(err, &unavailable) || !unavailable.Since.Equal(first) {
		t.Errorf("want the same beginning of the outage, got %v", err)
	}
	if _, _, away := store.Outage(); !away {
		t.Error("want the store to know that the database is away")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := store.List(ctx, Query{PageSize: 1}); err == nil {
		t.Error("want an error of a cancelled call")
	}
}

func TestOpenHidesPassword(t *testing.T) {
	_, err := Open(t.Context(), "postgres://soma:secret@127.0.0.1:port/db", nil)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("want an error without the password, got %v", err)
	}
}

func BenchmarkRecord(b *testing.B) {
	store := newStore(b)
	const objects = 500
	rows := 0
	for b.Loop() {
		entries := make([]Entry, 0, objects)
		for i := range objects {
			entries = append(entries, mustEntry(b, newJob(fmt.Sprintf("job-%d", i), time.Now(), 5)))
		}
		rows += mustRecord(b, store, entries...) + objects
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
