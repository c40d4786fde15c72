package cluster

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/soma-platform/soma/hack/devcluster/internal/netns"
	"github.com/soma-platform/soma/hack/devcluster/internal/pki"
	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// databaseURL is how PostgreSQL's database soma is reached at an address, by whom trusts the authority in a file.
func (c *Cluster) databaseURL(address, caFile string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword("soma", c.SomaPassword),
		Host: net.JoinHostPort(address, strconv.Itoa(c.Ports.Postgres)), Path: "/soma", RawQuery: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {caFile}}.Encode(),
	}).String()
}

// startPostgres brings PostgreSQL up, with the database and the user soma, which may make the role of the audit log. It takes
// connections by TLS alone, and has no Unix socket: with a port of its own it needs none, and the path of one may be too long.
func (c *Cluster) startPostgres(ctx context.Context, creds credentials) error {
	server, err := postgresServer.Find()
	if err != nil {
		return err
	}
	owner, err := postgresUser()
	if err != nil {
		return err
	}
	dir := c.data(c.Rooted, "postgres")
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); notThere(err) {
		if err := c.progress.Step("PostgreSQL's data folder", func() error {
			return c.initPostgres(ctx, filepath.Join(filepath.Dir(server), "initdb"), dir, owner)
		}); err != nil {
			return err
		}
	}
	addresses := "127.0.0.1"
	if c.Rooted {
		addresses += "," + nodeAddress
	}
	if err := writeFile(filepath.Join(dir, "pg_hba.conf"), postgresAccess, 0o644); err != nil { //nolint:gosec // read by PostgreSQL's user
		return err
	}
	certificate, err := servePostgres(dir, creds.postgres, owner)
	if err != nil {
		return err
	}
	settings := []string{
		"listen_addresses=" + addresses, "port=" + strconv.Itoa(c.Ports.Postgres), "unix_socket_directories=",
		"max_connections=200", "shared_buffers=128MB", "ssl=on",
	}
	args := []string{"-D", dir}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	if err := c.start(ctx, process.Spec{
		Name: "postgres", Path: server, Args: args, User: owner, Settings: postgresAccess + certificate,
		// SIGINT is PostgreSQL's fast shutdown: sessions are ended, data is flushed.
		StopSignal: syscall.SIGINT,
	}, func(ctx context.Context) error { return c.sql(ctx, "select 1") }); err != nil {
		return err
	}
	// Either statement is made only when it is needed; \gexec runs what the query returns.
	return c.sql(ctx, fmt.Sprintf(`
select 'create role soma login createdb' where not exists (select from pg_roles where rolname = 'soma') \gexec
alter role soma createrole password '%s';
select 'create database soma owner soma' where not exists (select from pg_database where datname = 'soma') \gexec
`, c.SomaPassword))
}

// postgresAccess admits by TLS and a password, from this machine and from the cluster's own network.
const postgresAccess = `hostssl all all 127.0.0.1/32 scram-sha-256
hostssl all all ` + podCIDR + ` scram-sha-256
`

// servePostgres puts the certificate and its key where PostgreSQL finds them, which takes no key that others than its user may read.
func servePostgres(dir string, files pki.Pair, owner *syscall.Credential) (certificate string, err error) {
	for _, file := range []struct{ from, name string }{{files.Key, "server.key"}, {files.Cert, "server.crt"}} {
		text, err := os.ReadFile(file.from)
		if err != nil {
			return "", err
		}
		certificate = string(text)
		path := filepath.Join(dir, file.name)
		if err := writeFile(path, certificate, 0o600); err != nil {
			return "", err
		}
		if owner != nil {
			if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
				return "", err
			}
		}
	}
	return certificate, nil
}

// postgresUser is whom PostgreSQL runs as, which must not be root: nil means the caller.
func postgresUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root and its own user is missing: %w; reinstall the package postgresql", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (c *Cluster) initPostgres(ctx context.Context, initdb, dir string, owner *syscall.Credential) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// Read through a descriptor: the file's folder need not be open to PostgreSQL's user.
	password, err := os.CreateTemp("", "soma")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(password.Name()); _ = password.Close() }()
	if _, err := password.WriteString(c.PostgresPassword + "\n"); err != nil {
		return err
	}
	if owner != nil {
		for _, path := range []string{dir, password.Name()} {
			if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	cmd := exec.CommandContext(ctx, initdb, "--pgdata", dir, "--username=postgres", "--pwfile="+password.Name(), //nolint:gosec // found by us
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// sql runs statements as PostgreSQL's superuser.
func (c *Cluster) sql(ctx context.Context, statements string) error {
	client, err := psql.Find()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, client, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-", //nolint:gosec // found by us
		"--host=127.0.0.1", "--port="+strconv.Itoa(c.Ports.Postgres), "--username=postgres", "--dbname=postgres")
	cmd.Env = []string{"PGPASSWORD=" + c.PostgresPassword, "PGCONNECT_TIMEOUT=5", "PGSSLMODE=verify-full", "PGSSLROOTCERT=" + c.authority()}
	cmd.Stdin = strings.NewReader(statements)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := netns.Do(c.namespace(), cmd.Start); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("psql: %w: %s", err, strings.TrimSpace(out.String()))
	}
	return nil
}
