package history

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-logr/logr"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// progressInterval is how often a migration that takes long is told of.
	progressInterval = 30 * time.Second
	// cancelPatience is how long the database may take to give up a migration that it is told to.
	cancelPatience = 5 * time.Second
)

// Migrate brings the schema to the newest version and makes the partitions of this month and the next ones. Several
// programs may do so at once: one works, the others wait for it. Millions of rows take their time, so that only the end of
// the context ends it; each migration is done whole or not at all. What is done is told to the context's logger.
func (s *Store) Migrate(ctx context.Context) error {
	return s.observe(s.migrate(ctx))
}

func (s *Store) migrate(ctx context.Context) error {
	connection := stdlib.OpenDB(*s.migrationConfig())
	defer func() { _ = connection.Close() }()
	provider, err := migrationsOn(connection)
	if err != nil {
		return err
	}
	if err := s.bringUp(ctx, provider); err != nil {
		return fmt.Errorf("bring the history's schema up to date: %w", err)
	}
	s.months.Clear()
	return s.ensureMonths(ctx, s.upcoming()...)
}

// migrationConfig is how migrations connect: without the limit of other statements, and so that the database gives up what
// it does for a program that ends. Its successor would have to wait for it.
func (s *Store) migrationConfig() *pgx.ConnConfig {
	config := s.pool.Config().ConnConfig
	config.RuntimeParams["statement_timeout"] = "0"
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cancelPatience}
	}
	return config
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

// bringUp does the migrations that are missing, one by one.
func (s *Store) bringUp(ctx context.Context, provider *goose.Provider) error {
	log := logr.FromContextOrDiscard(ctx)
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current < target {
		log.Info("Bringing the history's schema up to date", "from", current, "to", target)
		defer s.tellProgress(log)()
	}
	for {
		done, err := provider.UpByOne(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		if err != nil {
			return err
		}
		log.Info("Brought the history's schema up", "version", done.Source.Version, "target", target, "took", done.Duration.String())
	}
}

// tellProgress says from time to time that the work goes on, until the function that it returns is called.
func (s *Store) tellProgress(log logr.Logger) (stop func()) {
	begin, ended := s.clock.Now(), make(chan struct{})
	go func() {
		ticker := time.NewTicker(progressInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				log.Info("Still bringing the history's schema up to date", "for", s.clock.Since(begin).Round(time.Second).String())
			}
		}
	}()
	return func() { close(ended) }
}
