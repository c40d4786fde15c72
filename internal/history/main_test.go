package history

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/testing/postgres"
)

var server *postgres.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if server, err = postgres.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "start PostgreSQL for the tests:", err)
		return 1
	}
	defer func() { _ = server.Close() }()
	return m.Run()
}

// newStore returns a store of an empty database of the test's own, with its schema.
func newStore(t testing.TB) *Store {
	t.Helper()
	url, err := server.Database(t.Context(), strings.ToLower(strings.ReplaceAll(t.Name(), "/", "_")))
	if err != nil {
		t.Fatal(err)
	}
	store := openStore(t, url)
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}

func openStore(t testing.TB, url string) *Store {
	t.Helper()
	store, err := Open(t.Context(), url, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}
