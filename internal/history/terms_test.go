package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platform "github.com/soma-platform/soma/api/v1alpha1"
)

func termsIn(t *testing.T, store *Store) string {
	t.Helper()
	rows, err := store.pool.Query(t.Context(), "SELECT namespace || ' ' || term FROM job_terms ORDER BY term")
	if err != nil {
		t.Fatal(err)
	}
	terms, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(terms, ", ")
}

func TestTermsFollowTheirJob(t *testing.T) {
	store := newStore(t)
	job := newJob("train", time.Now(), 1)
	job.Labels = map[string]string{"team": "a", "empty": ""}
	first := mustEntry(t, job)
	wantTerms := func(what, want string) {
		t.Helper()
		if got := termsIn(t, store); got != want {
			t.Errorf("%s: want %s, got %s", what, want, got)
		}
	}
	mustRecord(t, store, first)
	wantTerms("recorded", "vision #nightly, vision empty, vision empty=, vision team, vision team=a")
	mustRecord(t, store, first, first)
	wantTerms("recorded again", "vision #nightly, vision empty, vision empty=, vision team, vision team=a")
	job.Spec.Tags, job.Labels = []string{"nightly", "best"}, map[string]string{"team": "b"}
	advance(job, string(platform.JobSucceeded))
	second := mustEntry(t, job)
	mustRecord(t, store, second)
	wantTerms("changed", "vision #best, vision #nightly, vision team, vision team=b")
	mustRecord(t, store, first, second, first)
	wantTerms("an older state", "vision #best, vision #nightly, vision team, vision team=b")
	job.Spec.Tags, job.Labels = nil, nil
	advance(job, string(platform.JobSucceeded))
	mustRecord(t, store, mustEntry(t, job))
	wantTerms("taken off", "")
}

// What was recorded before there were terms is found by them.
func TestMigrationMakesTerms(t *testing.T) {
	url, err := server.Database(t.Context(), "migration_makes_terms")
	if err != nil {
		t.Fatal(err)
	}
	store := openStore(t, url)
	connection := stdlib.OpenDB(*store.migrationConfig())
	defer func() { _ = connection.Close() }()
	provider, err := migrationsOn(connection)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	old := newJob("old", time.Date(2019, 12, 31, 23, 59, 59, 0, time.UTC), 1)
	for _, job := range []*platform.Job{old, newJob("new", time.Now(), 1)} {
		if err := store.ensureMonths(t.Context(), job.CreationTimestamp.Time); err != nil {
			t.Fatal(err)
		}
		// As it was recorded then: today's statement writes columns that are not there yet.
		_, err := connection.ExecContext(t.Context(), `INSERT INTO jobs (submitted_at, uid, namespace, name, tags, phase, sequence, resource_version)
			VALUES ($1, $2, $3, $4, '{nightly}', $5, 1, 1)`, job.CreationTimestamp.Time, string(job.UID), job.Namespace, job.Name, string(job.Status.Phase))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The store knows the month from before, and has to find it whole.
	mustRecord(t, store, mustEntry(t, newJob("newer", old.CreationTimestamp.Time, 1)))
	rows, _, err := store.List(t.Context(), Query{Tags: []TagMatch{{Tag: "nightly"}}, PageSize: 10})
	if err != nil || len(rows) != 3 {
		t.Errorf("want 3 jobs with the tag, got %d, %v", len(rows), err)
	}
	if _, err := provider.DownTo(t.Context(), 2); err != nil {
		t.Error(err)
	}
}

// Every way to find jobs by tags and labels finds the same: those that a look at every job finds, in the same order.
func TestListByTerms(t *testing.T) {
	store := newStore(t)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same jobs every time
	begin := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	var jobs []*platform.Job
	var entries []Entry
	for i := range 4000 {
		job := newJob(fmt.Sprintf("job-%d", i), begin.Add(time.Duration(random.IntN(90*24))*time.Hour), 1)
		job.Namespace = []string{"vision", "vision", "vision", "speech"}[random.IntN(4)]
		job.Spec.SubmittedBy = []string{"ada", "bob"}[random.IntN(2)]
		job.Spec.Tags, job.Labels = []string{"many"}, map[string]string{"team": fmt.Sprint(random.IntN(3))}
		if random.IntN(100) == 0 {
			job.Spec.Tags = append(job.Spec.Tags, "few")
			job.Labels["marked"] = ""
		}
		if random.IntN(2) == 0 {
			finish := metav1.NewTime(begin.Add(time.Duration(random.IntN(200*24*3600)) * time.Second))
			job.Status.FinishTime = &finish
		}
		jobs, entries = append(jobs, job), append(entries, mustEntry(t, job))
	}
	mustRecord(t, store, entries...)
	vision, ada := Match{Column: ColumnNamespace, Value: "vision"}, Match{Column: ColumnUser, Value: "ada"}
	inVision := func(j *platform.Job) bool { return j.Namespace == "vision" }
	tagged := func(tag string) func(*platform.Job) bool {
		return func(j *platform.Job) bool { return slices.Contains(j.Spec.Tags, tag) }
	}
	labelled := func(key string, values ...string) func(*platform.Job) bool {
		return func(j *platform.Job) bool {
			value, has := j.Labels[key]
			return has && (len(values) == 0 || slices.Contains(values, value))
		}
	}
	april := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		query Query
		want  []func(*platform.Job) bool
	}{
		"tag of many":           {Query{Tags: []TagMatch{{Tag: "many"}}}, []func(*platform.Job) bool{tagged("many")}},
		"tag of few":            {Query{Tags: []TagMatch{{Tag: "few"}}}, []func(*platform.Job) bool{tagged("few")}},
		"tag of none":           {Query{Tags: []TagMatch{{Tag: "none"}}}, []func(*platform.Job) bool{tagged("none")}},
		"tags of many and few":  {Query{Tags: []TagMatch{{Tag: "many"}, {Tag: "few"}}}, []func(*platform.Job) bool{tagged("few")}},
		"label of many":         {Query{Labels: []LabelMatch{{Key: "team", Values: []string{"1"}}}}, []func(*platform.Job) bool{labelled("team", "1")}},
		"label of several":      {Query{Labels: []LabelMatch{{Key: "team", Values: []string{"0", "2", "9"}}}}, []func(*platform.Job) bool{labelled("team", "0", "2")}},
		"label exists":          {Query{Labels: []LabelMatch{{Key: "marked"}}}, []func(*platform.Job) bool{labelled("marked")}},
		"empty label":           {Query{Labels: []LabelMatch{{Key: "marked", Values: []string{""}}}}, []func(*platform.Job) bool{labelled("marked")}},
		"tag of many, in April": {Query{Tags: []TagMatch{{Tag: "many"}}, Since: april}, []func(*platform.Job) bool{func(j *platform.Job) bool { return !j.CreationTimestamp.Time.Before(april) }}},
		"tag of few, until April": {Query{Tags: []TagMatch{{Tag: "few"}}, Until: april}, []func(*platform.Job) bool{tagged("few"),
			func(j *platform.Job) bool { return j.CreationTimestamp.Time.Before(april) }}},
		"tag and user":         {Query{Tags: []TagMatch{{Tag: "many"}}, Equal: []Match{ada}}, []func(*platform.Job) bool{func(j *platform.Job) bool { return j.Spec.SubmittedBy == "ada" }}},
		"tag of few, not user": {Query{Tags: []TagMatch{{Tag: "few"}}, Equal: []Match{{Column: ColumnUser, Value: "ada", Not: true}}}, []func(*platform.Job) bool{tagged("few"), func(j *platform.Job) bool { return j.Spec.SubmittedBy != "ada" }}},
	}
	for name, test := range tests {
		for _, order := range []Order{BySubmissionDescending, BySubmission, ByFinishDescending} {
			for _, everywhere := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/order %d/everywhere %t", name, order, everywhere), func(t *testing.T) {
					query, wanted := test.query, test.want
					query.Order, query.PageSize = order, 700
					if !everywhere {
						query.Equal = append(slices.Clone(query.Equal), vision)
						wanted = append(slices.Clone(wanted), inVision)
					}
					want := expected(jobs, order, wanted)
					got := listAll(t, store, query)
					if !slices.Equal(got, want) {
						t.Errorf("want %d jobs, got %d, the same in another order: %t", len(want), len(got),
							slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))))
					}
				})
			}
		}
	}
}

// expected are the UIDs of the jobs that satisfy all, in order.
func expected(jobs []*platform.Job, order Order, all []func(*platform.Job) bool) []string {
	var found []*platform.Job
	for _, job := range jobs {
		if order == ByFinishDescending && job.Status.FinishTime == nil {
			continue
		}
		if !slices.ContainsFunc(all, func(satisfies func(*platform.Job) bool) bool { return !satisfies(job) }) {
			found = append(found, job)
		}
	}
	slices.SortFunc(found, func(a, b *platform.Job) int {
		first, second := a.CreationTimestamp.Time, b.CreationTimestamp.Time
		if order == ByFinishDescending {
			first, second = a.Status.FinishTime.Time, b.Status.FinishTime.Time
		}
		result := first.Compare(second)
		if result == 0 {
			result = strings.Compare(string(a.UID), string(b.UID))
		}
		if order != BySubmission {
			result = -result
		}
		return result
	})
	uids := make([]string, 0, len(found))
	for _, job := range found {
		uids = append(uids, string(job.UID))
	}
	return uids
}

// listAll are the UIDs of a whole list, page by page.
func listAll(t *testing.T, store *Store, query Query) []string {
	t.Helper()
	uids := []string{}
	for {
		rows, next, err := store.List(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			uids = append(uids, row.Uid.String())
		}
		if next == nil {
			return uids
		}
		query.After = next
	}
}

func TestLeading(t *testing.T) {
	store := newStore(t)
	var entries []Entry
	for i := range fewJobs + 1 {
		job := newJob(fmt.Sprintf("job-%d", i), time.Now(), 1)
		job.Spec.Tags = []string{"many"}
		if i == 0 {
			job.Spec.Tags = []string{"many", "few"}
		}
		entries = append(entries, mustEntry(t, job))
	}
	mustRecord(t, store, entries...)
	vision, user := Match{Column: ColumnNamespace, Value: "vision"}, Match{Column: ColumnUser, Value: "ada"}
	many, few := TagMatch{Tag: "many"}, TagMatch{Tag: "few"}
	tests := map[string]struct {
		query Query
		want  string
	}{
		"no tag":                     {Query{Equal: []Match{vision}}, ""},
		"not a tag":                  {Query{Equal: []Match{vision}, Tags: []TagMatch{{Tag: "many", Not: true}}}, ""},
		"in the order of terms":      {Query{Equal: []Match{vision}, Tags: []TagMatch{many}}, "#many"},
		"the rarest":                 {Query{Equal: []Match{vision}, Tags: []TagMatch{many, few}}, "#few"},
		"many in another order":      {Query{Equal: []Match{vision}, Tags: []TagMatch{many}, Order: ByFinishDescending}, ""},
		"few in another order":       {Query{Equal: []Match{vision}, Tags: []TagMatch{few}, Order: ByFinishDescending}, "#few"},
		"many and a user":            {Query{Equal: []Match{vision, user}, Tags: []TagMatch{many}}, ""},
		"few and a user":             {Query{Equal: []Match{vision, user}, Tags: []TagMatch{few}}, "#few"},
		"many of all projects":       {Query{Tags: []TagMatch{many}}, ""},
		"few of all projects":        {Query{Tags: []TagMatch{few}}, "#few"},
		"many, none before this day": {Query{Tags: []TagMatch{many}, Until: time.Now().AddDate(0, 0, -1)}, "#many"},
		"label of many values":       {Query{Equal: []Match{vision}, Labels: []LabelMatch{{Key: "a", Values: slices.Repeat([]string{"b"}, maxAlternatives+1)}}}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := store.leading(t.Context(), &test.query)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(got, ",") != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}
