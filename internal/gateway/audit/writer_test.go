package audit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// writer is what docs/gateway.md has the owner of the database do, once the tables are there.
const writer = `
CREATE ROLE soma_audit LOGIN PASSWORD 'secret';
GRANT USAGE ON SCHEMA audit TO soma_audit;
GRANT INSERT ON audit.records TO soma_audit;
GRANT EXECUTE ON FUNCTION audit.ensure_month(timestamptz) TO soma_audit;
`

// A role that does not own the tables adds records, and that is all: it can neither read nor change nor take a rule back.
func TestAWriterCanOnlyAdd(t *testing.T) {
	url, err := server.Database(t.Context(), "writer")
	if err != nil {
		t.Fatal(err)
	}
	owner, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	if err := owner.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.pool.Exec(t.Context(), writer, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	store, err := Open(t.Context(), strings.Replace(url, "soma@", "soma_audit:secret@", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	// The month is made on the way. What is given twice is there once.
	one := record("one")
	for range 2 {
		if err := store.Write(t.Context(), []Record{one, record("other")}); err != nil {
			t.Fatal(err)
		}
	}
	// It gives itself nothing: PostgreSQL only warns.
	if _, err := store.pool.Exec(t.Context(), "GRANT ALL ON audit.records TO soma_audit"); err != nil {
		t.Fatal(err)
	}
	partition := "audit.records_" + time.Now().UTC().Format("2006_01")
	for _, statement := range []string{
		"SELECT * FROM audit.records", "UPDATE audit.records SET username = 'bob'", "DELETE FROM audit.records", "TRUNCATE audit.records",
		"ALTER TABLE audit.records DISABLE TRIGGER ALL", "DROP TRIGGER no_change ON audit.records", "DROP TABLE audit.records", "DROP SCHEMA audit CASCADE",
		"ALTER TABLE audit.records DETACH PARTITION " + partition, "SELECT * FROM " + partition, "DELETE FROM " + partition, "DROP TABLE " + partition,
		"ALTER TABLE " + partition + " DISABLE TRIGGER ALL", "SET ROLE soma", "SET session_replication_role = replica",
		"CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
		"CREATE TABLE audit.more ()", "DELETE FROM gateway_audit_version",
	} {
		var refused *pgconn.PgError
		if _, err := store.pool.Exec(t.Context(), statement); !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, at := range []time.Time{time.Now().AddDate(0, 3, 0), time.Now().AddDate(-1, 0, 0)} {
		far := record("far")
		far.At = at
		if err := store.Write(t.Context(), []Record{far}); !errors.Is(err, ErrBadData) {
			t.Errorf("a record of %s: %v", at, err)
		}
	}
	var n int
	if err := owner.pool.QueryRow(t.Context(), "SELECT count(*) FROM audit.records").Scan(&n); err != nil || n != 3 {
		t.Errorf("%d records are there: %v", n, err)
	}
}
