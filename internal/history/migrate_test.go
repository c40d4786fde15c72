package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"k8s.io/apimachinery/pkg/util/wait"
)

// A migration that waits for a lock is given up with its context, by the database too, and is done once it can be: by two
// programs at once, one of them after the other.
func TestMigrationTakesItsTime(t *testing.T) {
	url, err := server.Database(t.Context(), "takes_its_time")
	if err != nil {
		t.Fatal(err)
	}
	store := openStore(t, url)
	before := stdlib.OpenDB(*store.migrationConfig())
	defer func() { _ = before.Close() }()
	provider, err := migrationsOn(before)
	if err != nil {
		t.Fatal(err)
	}
	const old = 3
	if _, err := provider.UpTo(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	job := newJob("train", time.Now(), 1)
	if err := store.queries.EnsureMonth(t.Context(), job.CreationTimestamp.Time); err != nil {
		t.Fatal(err)
	}
	release := lockTable(t, url, "transitions")
	var limit string
	if err := before.QueryRowContext(t.Context(), "SHOW statement_timeout").Scan(&limit); err != nil || limit != "0" {
		t.Errorf("want no limit for the statements of migrations, got %q, %v", limit, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() { given <- store.Migrate(ctx) }()
	waitForWaiting(t, url, 1)
	cancel()
	if err := <-given; err == nil {
		t.Error("want an error of a migration that was given up")
	}
	waitForWaiting(t, url, 0)

	var told lines
	var group sync.WaitGroup
	for range 2 {
		other := openStore(t, url)
		group.Go(func() {
			if err := other.Migrate(logr.NewContext(t.Context(), told.logger())); err != nil {
				t.Error(err)
			}
		})
	}
	waitForWaiting(t, url, 1)
	release()
	group.Wait()
	mustRecord(t, store, mustEntry(t, job))
	if _, transitions := mustGet(t, store, job); len(transitions) != 1 {
		t.Errorf("want the job's transition, got %v", transitions)
	}
	if done := told.count("Brought the history's schema up"); done != len(provider.ListSources())-old {
		t.Errorf("want each migration done and told once, got %v", told.all)
	}
}

// lockTable keeps a table from being changed until the function that it returns is called.
func lockTable(t *testing.T, url, table string) (release func()) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close(context.Background()) })
	tx, err := connection.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), fmt.Sprintf("LOCK TABLE %s IN ACCESS SHARE MODE", table)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// waitForWaiting waits until as many statements of the database wait for a lock on a table.
func waitForWaiting(t *testing.T, url string, want int) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(context.Background()) }()
	got := 0
	err = wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		err := connection.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'relation'`).Scan(&got)
		return got == want, err
	})
	if err != nil {
		t.Fatalf("want %d statements that wait for a lock, got %d: %v", want, got, err)
	}
}

// lines are what a logger was told.
type lines struct {
	mutex sync.Mutex
	all   []string
}

func (l *lines) logger() logr.Logger {
	return funcr.NewJSON(func(line string) {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		l.all = append(l.all, line)
	}, funcr.Options{})
}

func (l *lines) count(part string) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return len(slices.DeleteFunc(slices.Clone(l.all), func(line string) bool { return !strings.Contains(line, part) }))
}
