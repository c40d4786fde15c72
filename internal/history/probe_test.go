package history

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Since when the database is away is known though nobody asks it for anything.
func TestProbingTellsSinceWhen(t *testing.T) {
	store := newStore(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		store.KeepProbing(ctx)
	}()
	defer func() {
		stop()
		<-ended
	}()
	awayIs := func(want bool) time.Time {
		t.Helper()
		var since time.Time
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
			var away bool
			since, _, away = store.Outage()
			return away == want, nil
		})
		if err != nil {
			t.Fatalf("the store never found that the database is away: %t", want)
		}
		return since
	}
	down := time.Now()
	if err := server.Down(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Up(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if since := awayIs(true); since.Before(down) || since.Sub(down) > 2*(probeInterval+probeTimeout) {
		t.Errorf("the database is away since %s, the store says since %s", down, since)
	}
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	awayIs(false)
}

// That others use all connections is no sign that the database is away.
func TestProbeNeedsNoConnectionOfThePool(t *testing.T) {
	store := newStore(t)
	for range store.pool.Config().MaxConns {
		connection, err := store.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Release()
	}
	if err := store.Probe(t.Context()); err != nil {
		t.Error(err)
	}
}

// A database without the history's tables has no history.
func TestProbeLooksForTheTables(t *testing.T) {
	url, err := server.Database(t.Context(), "no_tables")
	if err != nil {
		t.Fatal(err)
	}
	if err := openStore(t, url).Probe(t.Context()); !IsLost(err) {
		t.Errorf("want a history that is lost, got %v", err)
	}
}
