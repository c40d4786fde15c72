package audit

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"

	"github.com/soma-platform/soma/internal/gateway/audit/db"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// versions is the table of the migrations that were done. That of the history has another name.
	versions = "gateway_audit_version"
	// maxConnections are enough for one writer, and one who brings the schema up.
	maxConnections = 2
)

// ErrBadData is the error for records that the database does not take for what is in them: another try fails again.
var ErrBadData = errors.New("the database does not take the records")

// Store is the audit log in PostgreSQL. It is for one writer.
type Store struct {
	pool    *pgxpool.Pool
	queries *db.Queries
	// ready is true once the schema is there, and months are those that have a partition.
	ready bool
	// owns is true where its role owns the tables.
	owns   bool
	months map[time.Time]struct{}
}

// Open prepares a store for the database at url. It does not connect: a database that is away is an error of the calls that
// need it, not of the start of a program.
func Open(ctx context.Context, url string) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil || url == "" {
		return nil, fmt.Errorf("SOMA_DATABASE_URL: %w", errAddress)
	}
	config.MaxConns = maxConnections
	adjust(config.ConnConfig)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("prepare the connections to the audit log: %w", err)
	}
	return &Store{pool: pool, queries: db.New(pool), months: map[time.Time]struct{}{}}, nil
}

// errAddress has nothing of the address in it, which holds a password: the parser's own message may.
var errAddress = errors.New("it is not a PostgreSQL address; it looks like postgres://user:password@host:5432/soma")

// parse reads an address.
func parse(address string) (*pgx.ConnConfig, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil || address == "" {
		return nil, errAddress
	}
	adjust(config.ConnConfig)
	return config.ConnConfig, nil
}

// databaseOf is the name of the database that a connection is to.
func databaseOf(config *pgx.ConnConfig) string {
	if config.Database != "" {
		return config.Database
	}
	return config.User
}

// adjust sets what all connections have.
func adjust(config *pgx.ConnConfig) {
	config.RuntimeParams["application_name"] = "soma-gateway"
	config.RuntimeParams["timezone"] = "UTC"
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
}

// Close ends all connections.
func (s *Store) Close() { s.pool.Close() }

// Write adds records, all or none. Those that are there already stay as they are. The schema is brought up before the first,
// where it is not another role's.
func (s *Store) Write(ctx context.Context, records []Record) error {
	if !s.ready {
		if err := s.prepare(ctx); err != nil {
			return err
		}
		s.ready = true
	}
	for i := range records {
		if err := s.ensureMonth(ctx, records[i].At); err != nil {
			return s.failed(fmt.Errorf("make the audit log's partition: %w", err))
		}
	}
	if _, err := s.queries.InsertRecords(ctx, columns(records)); err != nil {
		return s.failed(fmt.Errorf("write audit records: %w", err))
	}
	return nil
}

// failed tells data that is refused from a database that is away, or was made anew and has no tables.
func (s *Store) failed(err error) error {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) || len(answer.Code) != 5 {
		return err
	}
	switch {
	case answer.Code == "23514": // there is no partition for it: somebody dropped the month
		clear(s.months)
	case answer.Code[:2] == "22" || answer.Code[:2] == "23":
		return fmt.Errorf("%w: %w", ErrBadData, err)
	case answer.Code == "42P01" || answer.Code == "42883" || answer.Code == "3F000": // no table, function or schema
		s.ready = false
		clear(s.months)
	}
	return err
}

func (s *Store) ensureMonth(ctx context.Context, at time.Time) error {
	at = at.UTC()
	month := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	if _, known := s.months[month]; known {
		return nil
	}
	if err := s.queries.EnsureMonth(ctx, month); err != nil {
		return err
	}
	s.months[month] = struct{}{}
	return nil
}

// prepare brings the schema up, unless another role owns it: then that one does, and this one may add records alone.
func (s *Store) prepare(ctx context.Context) error {
	var others bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'audit' AND c.relname = 'records' AND NOT pg_has_role(c.relowner, 'USAGE'))`).Scan(&others)
	if err != nil {
		return fmt.Errorf("find whose the audit log's tables are: %w", err)
	}
	if s.owns = !others; others {
		return nil
	}
	return s.Migrate(ctx)
}

// Migrate brings the schema up to date. The store's role owns the tables.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("bring the audit log's schema up to date: %w", err)
	}
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	connection := stdlib.OpenDBFromPool(s.pool)
	defer func() { _ = connection.Close() }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	// Several gateways may do so at once: one works, the others wait for it.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120))
	if err != nil {
		return err
	}
	done, err := database.NewStore(database.DialectPostgres, versions)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", connection, files, goose.WithStore(done), goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// columns are the records as the statement takes them.
func columns(records []Record) db.InsertRecordsParams {
	n := len(records)
	text := func() []string { return make([]string, n) }
	p := db.InsertRecordsParams{
		At: make([]time.Time, n), ID: make([]uuid.UUID, n), Username: text(), Session: text(), Via: text(), Verb: text(),
		ApiGroup: text(), Resource: text(), Subresource: text(), Namespace: text(), Name: text(), Path: text(), Query: text(),
		Allowed: make([]bool, n), Code: make([]int32, n), Reason: text(), Source: text(),
		Detail: text(), Issuer: text(), Subject: text(),
	}
	for i := range records {
		r := &records[i]
		p.At[i], p.ID[i], p.Username[i], p.Session[i], p.Via[i], p.Verb[i] = r.At, r.ID, r.User, r.Session, r.Via, r.Verb
		p.ApiGroup[i], p.Resource[i], p.Subresource[i], p.Namespace[i], p.Name[i] = r.Group, r.Resource, r.Subresource, r.Namespace, r.Name
		p.Path[i], p.Query[i], p.Allowed[i], p.Code[i], p.Reason[i], p.Source[i] = r.Path, r.Query, r.Allowed, int32(r.Code), r.Reason, r.Source
		p.Detail[i], p.Issuer[i], p.Subject[i] = r.Detail, r.Issuer, r.Subject
	}
	return p
}
