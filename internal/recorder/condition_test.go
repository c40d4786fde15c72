package recorder

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/platform/conditions"
)

func TestConditionOf(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ready := metav1.Condition{Type: platform.ConditionReady, Status: metav1.ConditionTrue}
	tells := func(status metav1.ConditionStatus, reason, message string, since time.Time) []metav1.Condition {
		return []metav1.Condition{ready, {Type: platform.ConditionHistoryAvailable, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(since)}}
	}
	good := tells(metav1.ConditionTrue, "Recording", "What happens is recorded.", now)
	away := Health{Away: true, Since: now.Add(-time.Minute), Cause: errors.New("refused"), Backlog: 7}
	const awayText = "The history is away since 2026-03-01T11:59:00Z. Jobs go on and nothing of them is lost; 7 objects wait to be recorded."
	tests := map[string]struct {
		others []metav1.Condition
		health Health
		renew  bool
		// want is status, reason and message; empty for no write.
		want string
	}{
		"a cluster that nobody looked at": {},
		"a new cluster":                   {others: []metav1.Condition{ready}, want: "True Recording What happens is recorded."},
		"all is said":                     {others: good, renew: true},
		"a backlog alone is no outage":    {others: good, health: Health{Backlog: 7}, renew: true},
		"away":                            {others: good, health: away, want: "False HistoryAway " + awayText},
		"away for a moment":               {others: good, health: Health{Away: true, Since: now.Add(-time.Second)}},
		"away, all is said":               {others: tells(metav1.ConditionFalse, "HistoryAway", awayText, away.Since), health: away, renew: true},
		"more wait, too early":            {others: tells(metav1.ConditionFalse, "HistoryAway", "6 objects", away.Since), health: away},
		"more wait":                       {others: tells(metav1.ConditionFalse, "HistoryAway", "6 objects", away.Since), health: away, renew: true, want: "False HistoryAway " + awayText},
		"away since before this manager": {others: tells(metav1.ConditionFalse, "HistoryAway", "6 objects", now.Add(-time.Hour)), health: away, renew: true,
			want: "False HistoryAway " + strings.Replace(awayText, "11:59", "11:00", 1)},
		"back": {others: tells(metav1.ConditionFalse, "HistoryAway", awayText, away.Since), want: "True Recording What happens is recorded."},
		"migrating": {others: good, health: Health{Migrating: now.Add(-time.Minute), Backlog: 1},
			want: "False HistoryMigrating The history's database is being brought up to date since 2026-03-01T11:59:00Z. Jobs go on and nothing of them is lost; 1 object waits to be recorded."},
		"migrating for a moment": {others: good, health: Health{Migrating: now}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if c := conditionOf(test.others, test.health, now, test.renew); c != nil {
				got = string(c.Status) + " " + c.Reason + " " + c.Message
			}
			if got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

// A cluster tells since when the history is away, and is then left alone; so it is when the history is back.
func TestClusterTellsOfAnOutage(t *testing.T) {
	f := newFixture(t)
	_, stop := f.start()
	defer stop()
	cluster := &platform.Cluster{ObjectMeta: metav1.ObjectMeta{Name: f.namespace}}
	if err := f.client.Create(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.client.Delete(context.Background(), cluster) })
	conditions.MarkReady(&cluster.Status.Conditions, time.Now(), cluster.Generation, "Available", "The cluster answers.")
	cluster.Status.ObservedGeneration = cluster.Generation
	if err := f.client.Status().Update(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	reaches := func(status metav1.ConditionStatus, reason string) *metav1.Condition {
		t.Helper()
		var found *metav1.Condition
		f.eventually("the cluster tells "+reason, func(ctx context.Context) bool {
			if err := f.client.Get(ctx, client.ObjectKeyFromObject(cluster), cluster); err != nil {
				return false
			}
			found = conditions.Get(cluster.Status.Conditions, platform.ConditionHistoryAvailable)
			return found != nil && found.Status == status && found.Reason == reason
		})
		return found
	}
	reaches(metav1.ConditionTrue, platform.ReasonHistoryRecording)

	down := time.Now()
	if err := database.Down(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := database.Up(context.Background()); err != nil {
			t.Error(err)
		}
	})
	// Nothing happens that would have to be recorded: the outage is found all the same.
	told := reaches(metav1.ConditionFalse, platform.ReasonHistoryAway)
	if since := told.LastTransitionTime.Time; since.Before(down.Truncate(time.Second)) || time.Since(since) > time.Minute {
		t.Errorf("the history is away since %s, the cluster says since %s", down, since)
	}
	if err := database.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	reaches(metav1.ConditionTrue, platform.ReasonHistoryRecording)
	if !conditions.IsTrue(cluster.Status.Conditions, platform.ConditionReady) {
		t.Error("what others said of the cluster is gone")
	}
}

// A history may hold millions of rows: bringing it up to date ends with the recorder alone.
func TestMigrationsHaveNoDeadline(t *testing.T) {
	r := New(nil, nil, nil, migrating(func(ctx context.Context) error {
		if deadline, has := ctx.Deadline(); has {
			t.Errorf("a migration would end at %s", deadline)
		}
		return nil
	}), clock.RealClock{}, logr.Discard())
	if !r.prepare(context.Background()) {
		t.Error("the history was not prepared")
	}
}

// While a migration goes on the recorder says since when, and it ends with the recorder.
func TestMigrationIsTold(t *testing.T) {
	begun := make(chan struct{})
	r := New(nil, nil, nil, migrating(func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}), clock.RealClock{}, logr.Discard())
	ctx, cancel := context.WithCancel(t.Context())
	prepared := make(chan bool, 1)
	go func() { prepared <- r.prepare(ctx) }()
	<-begun
	if r.Health().Migrating.IsZero() {
		t.Error("want to be told of the migration")
	}
	cancel()
	if <-prepared || !r.Health().Migrating.IsZero() {
		t.Error("want the migration to end with the recorder")
	}
}

// migrating is a history that can only be brought up to date.
type migrating func(context.Context) error

var errNot = errors.New("this history can only be brought up to date")

func (m migrating) Migrate(ctx context.Context) error                         { return m(ctx) }
func (migrating) Record(context.Context, []history.Entry) (int, error)        { return 0, errNot }
func (migrating) Delete(context.Context, []history.Deletion) (int, error)     { return 0, errNot }
func (migrating) Present(context.Context, func(history.Identity) error) error { return errNot }
func (migrating) Probe(context.Context) error                                 { return nil }
func (migrating) Outage() (since time.Time, cause error, away bool)           { return time.Time{}, nil, false }
