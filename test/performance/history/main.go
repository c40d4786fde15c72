// Command history measures pages of job records out of millions: it fills a PostgreSQL of its own, asks through the storage
// of the aggregated API, prints how long a page took, and removes everything. docs/performance.md has its figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/historyapi"
	"github.com/soma-platform/soma/internal/testing/postgres"
)

func main() {
	records := flag.Int("records", 10_000_000, "job records in the history")
	months := flag.Int("months", 12, "months over which they are spread")
	rounds := flag.Int("rounds", 15, "how often each page is asked for")
	budget := flag.Duration("budget", 100*time.Millisecond, "median time of a page over which the run fails")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *records, *months, *rounds, *budget); err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, records, months, rounds int, budget time.Duration) (err error) {
	server, err := postgres.Start(ctx)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	url, err := server.Database(ctx, "history")
	if err != nil {
		return err
	}
	store, err := history.Open(ctx, url, clock.RealClock{})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	if err := load(ctx, url, records, months); err != nil {
		return err
	}
	return measure(ctx, historyapi.Storage(store, clock.RealClock{}), rounds, budget)
}
