// Package history keeps in PostgreSQL what was: the newest state of every job that ever existed, and every transition of
// jobs, projects, quotas and clusters, exactly once. It is a projection: nothing reads it to decide, and all that still
// exists can be written into it again.
package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/history/db"
)

// monthsAhead is how many months of partitions are made before they are needed.
const monthsAhead = 3

// Store is a connection to the history. It is safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	queries *db.Queries
	clock   clock.PassiveClock

	// months that are known to have partitions.
	months sync.Map
	outage outage
	prober prober
}

// Open prepares a store for the database at url. It does not connect: a database that is away is an error of the calls
// that need it, not of the start of a program.
func Open(ctx context.Context, url string, clk clock.PassiveClock) (*Store, error) {
	if url == "" {
		return nil, errors.New("the address of the history's database is missing: set SOMA_DATABASE_URL, for instance to postgres://user:password@host:5432/soma")
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The parser's own message may hold the password.
		return nil, errors.New("SOMA_DATABASE_URL is not a PostgreSQL address; it looks like postgres://user:password@host:5432/soma")
	}
	config.ConnConfig.RuntimeParams["application_name"] = "soma"
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// Statements are short: compiling one, as the many partitions would have it, takes longer than running it.
	config.ConnConfig.RuntimeParams["jit"] = "off"
	// A statement ends before the caller's own patience does, whatever became of the caller.
	config.ConnConfig.RuntimeParams["statement_timeout"] = "30s"
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("prepare the connections to the history: %w", err)
	}
	return &Store{pool: pool, queries: db.New(pool), clock: clk}, nil
}

// Close ends all connections.
func (s *Store) Close() {
	s.prober.close()
	s.pool.Close()
}

// upcoming are instants in this month and the next ones.
func (s *Store) upcoming() []time.Time {
	first := monthOf(s.clock.Now())
	months := make([]time.Time, 0, monthsAhead+1)
	for i := range monthsAhead + 1 {
		months = append(months, first.AddDate(0, i, 0))
	}
	return months
}

// ensureMonths makes the partitions for instants. Those that are known to exist cost nothing.
func (s *Store) ensureMonths(ctx context.Context, instants ...time.Time) error {
	for _, instant := range instants {
		month := monthOf(instant)
		if _, known := s.months.Load(month); known {
			continue
		}
		if err := s.queries.EnsureMonth(ctx, month); err != nil {
			return fmt.Errorf("make the history's partitions for %s: %w", month.Format("2006-01"), err)
		}
		s.months.Store(month, struct{}{})
	}
	return nil
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}
