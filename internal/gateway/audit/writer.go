package audit

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// writerSuffix ends the name of the role that gateways write as: a database `soma` has `soma_audit`. Roles are those of all
// databases of a server, so that their names have to differ.
const writerSuffix = "_audit"

// maxRole is how long the name of a role may be for PostgreSQL, which would cut it off.
const maxRole = 63

// errRoles is the error for an owner of the database who may not make the role.
var errRoles = errors.New("the owner of the database may not make roles, so that it cannot make the one that gateways write to the audit log as: " +
	"either let it (ALTER ROLE … CREATEROLE), or have an administrator make one (CREATE ROLE soma_audit LOGIN PASSWORD '…') and put its address into the secret " +
	"soma-audit under the key url (database.auditURL of the chart)")

// writerURL is the address of the database at ownerURL for the role that gateways write as, with a password.
func writerURL(ownerURL, password string) (string, error) {
	config, err := parse(ownerURL)
	if err != nil {
		return "", err
	}
	address, err := url.Parse(ownerURL)
	if err != nil || address.Scheme != "postgres" && address.Scheme != "postgresql" {
		return "", errAddress
	}
	role := databaseOf(config) + writerSuffix
	if len(role) > maxRole {
		return "", fmt.Errorf("the name of the database is too long to make a role %s: put the address of another role into the secret soma-audit under the key url", role)
	}
	address.User = url.UserPassword(role, password)
	// Nothing by which the owner shows who they are goes to the gateways.
	options := address.Query()
	for _, name := range []string{"user", "password", "passfile", "service", "servicefile", "sslcert", "sslkey", "sslpassword"} {
		options.Del(name)
	}
	address.RawQuery = options.Encode()
	return address.String(), nil
}

// EnsureWriter lets the role of an address add to the audit log and do nothing else. The store's own role owns the tables. A role
// that there is not, or that has another password, is made so.
func (s *Store) EnsureWriter(ctx context.Context, address string) error {
	writer, err := parse(address)
	if err != nil {
		return fmt.Errorf("the secret soma-audit: %w", err)
	}
	known, err := knows(ctx, writer)
	if err != nil {
		return err
	}
	if err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return ensureRole(ctx, tx, writer, known) }); err != nil {
		return err
	}
	if known {
		return nil
	}
	if known, err = knows(ctx, writer); err == nil && !known {
		err = fmt.Errorf("the role %s is not let into the database with its password: see what pg_hba.conf says of it", writer.User)
	}
	return err
}

// knows reports whether the database lets a role in.
func knows(ctx context.Context, as *pgx.ConnConfig) (bool, error) {
	connection, err := pgx.ConnectConfig(ctx, as)
	var answer *pgconn.PgError
	switch {
	case err == nil:
		return true, connection.Close(ctx)
	case errors.As(err, &answer) && (answer.Code == "28P01" || answer.Code == "28000" || answer.Code == "42501"):
		return false, nil
	}
	return false, fmt.Errorf("connect to the audit log as %s: %w", as.User, err)
}

// ensureRole makes a role, or gives it its password, unless it is known with that already, and the privileges that it lacks.
func ensureRole(ctx context.Context, tx pgx.Tx, writer *pgx.ConnConfig, known bool) error {
	role := pgx.Identifier{writer.User}.Sanitize()
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", writer.User).Scan(&exists); err != nil {
		return fmt.Errorf("look for the role %s: %w", writer.User, err)
	}
	if !exists {
		if err := setPassword(ctx, tx, "CREATE ROLE "+role+" LOGIN", writer.Password); err != nil {
			return err
		}
	}
	has, err := privilegesOf(ctx, tx, writer.User)
	switch {
	case err != nil:
		return err
	case has.owns:
		return fmt.Errorf("the role %s owns the audit log or its database, or is its administrator, and could change what is there: give the address of another "+
			"role in the secret soma-audit, or remove the key url there, and one is made", writer.User)
	}
	if exists && !known {
		if err := setPassword(ctx, tx, "ALTER ROLE "+role+" LOGIN", writer.Password); err != nil {
			return err
		}
	}
	if has.adds && !has.more {
		return nil
	}
	for _, statement := range []string{
		"GRANT CONNECT ON DATABASE " + pgx.Identifier{databaseOf(tx.Conn().Config())}.Sanitize() + " TO " + role,
		"REVOKE ALL ON SCHEMA audit FROM " + role,
		"REVOKE ALL ON ALL TABLES IN SCHEMA audit FROM " + role,
		"GRANT USAGE ON SCHEMA audit TO " + role,
		"GRANT INSERT ON audit.records TO " + role,
		"GRANT EXECUTE ON FUNCTION audit.ensure_month(timestamptz) TO " + role,
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return fmt.Errorf("give the role %s what it needs: %w", writer.User, err)
		}
	}
	if has, err = privilegesOf(ctx, tx, writer.User); err != nil {
		return err
	}
	if !has.adds || has.more {
		return fmt.Errorf("the role %s may not only add to the audit log, by what it is a member of or what everybody may: take that away from it (\\dp audit.*)", writer.User)
	}
	return nil
}

// setPassword ends a statement with a password, as PostgreSQL keeps it: the server's own log may have the statement.
func setPassword(ctx context.Context, tx pgx.Tx, statement, password string) error {
	verifier, err := scram(password)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, statement+" PASSWORD '"+verifier+"'")
	if answer := (*pgconn.PgError)(nil); errors.As(err, &answer) && answer.Code == "42501" {
		return errRoles
	}
	if err != nil {
		return fmt.Errorf("make the role that gateways write as: %w", err)
	}
	return nil
}

// privileges are what a role may at the audit log.
type privileges struct {
	// owns: it could give itself everything; adds: it may add records; more: it may something else as well.
	owns, adds, more bool
}

func privilegesOf(ctx context.Context, tx pgx.Tx, role string) (privileges, error) {
	var has privileges
	err := tx.QueryRow(ctx, `SELECT
			r.rolsuper OR pg_has_role(r.oid, t.relowner, 'MEMBER') OR pg_has_role(r.oid, d.datdba, 'MEMBER'),
			has_schema_privilege(r.oid, t.relnamespace, 'USAGE') AND has_table_privilege(r.oid, t.oid, 'INSERT')
				AND has_function_privilege(r.oid, 'audit.ensure_month(timestamptz)', 'EXECUTE') AND has_database_privilege(r.oid, d.oid, 'CONNECT'),
			has_schema_privilege(r.oid, t.relnamespace, 'CREATE') OR EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = t.relnamespace AND c.relkind IN ('r', 'p')
				AND has_table_privilege(r.oid, c.oid, 'SELECT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))
		FROM pg_roles r, pg_class t, pg_database d
		WHERE r.rolname = $1 AND t.oid = 'audit.records'::regclass AND d.datname = current_database()`, role).Scan(&has.owns, &has.adds, &has.more)
	if err != nil {
		return has, fmt.Errorf("find what the role %s may at the audit log: %w", role, err)
	}
	return has, nil
}
