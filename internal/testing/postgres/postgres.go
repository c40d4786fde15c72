// Package postgres starts a throw-away PostgreSQL of the machine's own for tests: on a free loopback port, with its data in a
// temporary folder, without durability.
package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/soma-platform/soma/internal/testing/freeport"
)

// Server is a PostgreSQL that runs for a test.
type Server struct {
	bin, data string
	port      int
	owner     *syscall.Credential
	command   *exec.Cmd
	exited    chan error
}

// access lets the administrator in as they come, and others by their password.
const access = "host all soma 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"

// Start makes and starts a server. Stop it, and remove its data, with Close.
func Start(ctx context.Context) (*Server, error) {
	bin, err := findPrograms()
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "soma-postgres-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the data: %w", err)
	}
	s := &Server{bin: bin, data: data}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) prepare(ctx context.Context) error {
	if os.Geteuid() == 0 {
		if err := s.chooseOwner(); err != nil {
			return err
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"),
		"--pgdata="+s.data, "--username=soma", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	s.adopt(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(s.data, "pg_hba.conf"), []byte(access), 0o644); err != nil { //nolint:gosec // read by the server's user
		return fmt.Errorf("say whom the server lets in: %w", err)
	}
	port, err := freeport.Find()
	if err != nil {
		return err
	}
	s.port = port
	return s.Up(ctx)
}

// Up starts the server, again if it was stopped with Down, and waits until it answers. A server that is up stays as it is.
func (s *Server) Up(ctx context.Context) error {
	if s.command != nil {
		return nil
	}
	var output bytes.Buffer
	s.command = exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "shared_buffers=64MB", "-c", "max_wal_size=512MB")
	s.adopt(s.command)
	s.command.Stderr = &output
	if err := s.command.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.exited = make(chan error, 1)
	go func(c *exec.Cmd, exited chan<- error) { exited <- c.Wait() }(s.command, s.exited)
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-s.exited:
			s.command = nil
			return false, fmt.Errorf("postgres ended at once: %w: %s", err, output.String())
		default:
		}
		connection, err := pgx.Connect(ctx, s.URL("postgres"))
		if err != nil {
			return false, nil
		}
		return true, connection.Close(ctx)
	})
	if err != nil {
		return fmt.Errorf("wait for postgres: %w", err)
	}
	return nil
}

// Down stops the server at once, as a machine that fails would, and keeps its data.
func (s *Server) Down() error {
	if s.command == nil {
		return nil
	}
	// SIGQUIT is PostgreSQL's immediate shutdown: no connection is waited for, the next start recovers from the log.
	if err := s.command.Process.Signal(syscall.SIGQUIT); err != nil {
		return fmt.Errorf("stop postgres: %w", err)
	}
	err := <-s.exited // a server that was told to stop ends without success
	s.command = nil
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("wait for postgres: %w", err)
	}
	return nil
}

// Close stops the server and removes its data.
func (s *Server) Close() error { return errors.Join(s.Down(), os.RemoveAll(s.data)) }

// URL is the address of one of the server's databases.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://soma@127.0.0.1:%d/%s?sslmode=disable&connect_timeout=2", s.port, database)
}

// Database makes an empty database and returns its address.
func (s *Server) Database(ctx context.Context, name string) (string, error) {
	connection, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = connection.Close(ctx) }()
	if _, err := connection.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", fmt.Errorf("make the database %s: %w", name, err)
	}
	return s.URL(name), nil
}

// chooseOwner picks the user to run as in root's place: PostgreSQL refuses root.
func (s *Server) chooseOwner() error {
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return fmt.Errorf("read the IDs of %s: %w", name, err)
		}
		s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(s.data, int(uid), int(gid)); err != nil {
			return fmt.Errorf("give the data to %s: %w", name, err)
		}
		return nil
	}
	return errors.New("PostgreSQL does not run as root and there is neither a user postgres nor nobody")
}

func (s *Server) adopt(command *exec.Cmd) {
	command.Dir = s.data
	// The server ends with the test, also where the test is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Pdeathsig: syscall.SIGQUIT}
}

// findPrograms finds the folder of initdb and postgres: Debian keeps them out of PATH.
func findPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(resolved), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL is not installed (looked in PATH=%s and /usr/lib/postgresql); on Debian: apt-get install postgresql",
			strings.TrimSpace(os.Getenv("PATH")))
	}
	return filepath.Dir(found[len(found)-1]), nil
}
