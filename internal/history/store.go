// Package history keeps in PostgreSQL what was: the newest state of every job that ever existed, and every transition of
// jobs, projects, quotas and clusters, exactly once. It is a projection: nothing reads it to decide, and all that still
// exists can be written into it again.
package history

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/history/db"
)

//go:embed migrations/*.sql
var migrations embed.FS

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
func (s *Store) Close() { s.pool.Close() }

// Migrate brings the schema to the newest version and makes the partitions of this month and the next ones. Several
// programs may do so at once: one works, the others wait for it.
func (s *Store) Migrate(ctx context.Context) error {
	return s.observe(s.migrate(ctx))
}

func (s *Store) migrate(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("reach the history: %w", err)
	}
	connection := stdlib.OpenDBFromPool(s.pool)
	defer func() { _ = connection.Close() }()
	provider, err := migrationsOn(connection)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the history's schema up to date: %w", err)
	}
	s.months.Clear()
	return s.ensureMonths(ctx, s.upcoming()...)
}

func migrationsOn(connection *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120))
	if err != nil {
		return nil, fmt.Errorf("prepare the lock of the migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, connection, files, goose.WithSessionLocker(locker))
	if err != nil {
		return nil, fmt.Errorf("prepare the migrations: %w", err)
	}
	return provider, nil
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
