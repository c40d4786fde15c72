package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/soma-platform/soma/hack/devcluster/internal/debian"
	"github.com/soma-platform/soma/hack/devcluster/internal/pki"
	"github.com/soma-platform/soma/hack/devcluster/internal/ports"
)

// stores is a cluster of which PostgreSQL and Redis run, and no more.
type stores struct {
	*Cluster
	creds credentials
	// other has another authority of the same name.
	other string
}

func startStores(t *testing.T) *stores {
	t.Helper()
	// PostgreSQL's own user passes through.
	dir, err := os.MkdirTemp("", "soma-stores-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // secrets below have modes of their own
		t.Fatal(err)
	}
	c := testCluster(t, filepath.Join(dir, ".soma"), false)
	c.progress = &Progress{Out: io.Discard}
	c.PostgresPassword, c.SomaPassword, c.RedisPassword = "p", "s", "r"
	wanted, err := ports.Choose([]int{0, 0}, uint32(os.Getpid()), ports.Free) //nolint:gosec // any number will do
	if err != nil {
		t.Fatal(err)
	}
	c.Ports.Postgres, c.Ports.Redis = wanted[0], wanted[1]
	if err := c.makeFolders(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(c.processes.Dir, 0o750); err != nil {
		t.Fatal(err)
	}
	s := &stores{Cluster: c, other: filepath.Join(dir, "other")}
	if s.creds, err = c.makeCredentials(); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.OpenAuthority(s.other, "ca"); err != nil {
		t.Fatal(err)
	}
	return s
}

// run starts a store and ends it with the test.
func (s *stores) run(t *testing.T, name string, start func(context.Context, credentials) error) {
	t.Helper()
	if err := start(t.Context(), s.creds); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(name); err != nil {
			t.Error(err)
		}
	})
}

// try runs a client, and returns what it says.
func try(t *testing.T, client debian.Program, args ...string) (string, error) {
	t.Helper()
	path, err := client.Find()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...) //nolint:gosec // found by us
	cmd.Env = []string{"REDISCLI_AUTH=r"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestPostgresSpeaksTLSAlone(t *testing.T) {
	s := startStores(t)
	s.run(t, "postgres", s.startPostgres)
	for name, test := range map[string]struct{ address, want string }{
		"the authority":     {s.databaseURL("127.0.0.1", s.authority()), "soma"},
		"by name":           {s.databaseURL("localhost", s.authority()), "soma"},
		"another authority": {s.databaseURL("127.0.0.1", filepath.Join(s.other, "ca.crt")), "certificate verify failed"},
		"plain":             {strings.Replace(s.databaseURL("127.0.0.1", ""), "verify-full", "disable", 1), "no encryption"},
	} {
		out, err := try(t, psql, "--no-psqlrc", "--tuples-only", "--command=select current_user", test.address)
		if (err == nil) != (test.want == "soma") || !strings.Contains(out, test.want) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// What an older version of the cluster left goes on: a data folder whose PostgreSQL spoke plain, to a role that could make none.
func TestPostgresOfBefore(t *testing.T) {
	s := startStores(t)
	s.run(t, "postgres", s.startPostgres)
	if err := s.sql(t.Context(), "create table kept (); alter role soma nocreaterole;"); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop("postgres"); err != nil {
		t.Fatal(err)
	}
	dir := s.data(s.Rooted, "postgres")
	for _, name := range []string{"server.crt", "server.key"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "pg_hba.conf"), []byte("host all all 127.0.0.1/32 scram-sha-256\n"), 0o644); err != nil { //nolint:gosec // read by PostgreSQL's user
		t.Fatal(err)
	}
	if err := s.startPostgres(t.Context(), s.creds); err != nil {
		t.Fatal(err)
	}
	if err := s.sql(t.Context(), "select from kept; set role soma; create role soma_audit;"); err != nil {
		t.Error(err)
	}
}

func TestRedisSpeaksTLSAlone(t *testing.T) {
	s := startStores(t)
	s.run(t, "redis", s.startRedis)
	if want := fmt.Sprintf("rediss://default:r@127.0.0.1:%d/0", s.Ports.Redis); s.redisURL("127.0.0.1") != want {
		t.Errorf("Redis is at %s, want %s", s.redisURL("127.0.0.1"), want)
	}
	client := debian.Program{Glob: "/usr/bin/redis-cli", Package: "redis-tools"}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"the authority":     {[]string{"--tls", "--cacert", s.authority()}, "PONG"},
		"another authority": {[]string{"--tls", "--cacert", filepath.Join(s.other, "ca.crt")}, "certificate verify failed"},
		"plain":             {nil, ""},
	} {
		out, err := try(t, client, append(test.args, "-h", "127.0.0.1", "-p", strconv.Itoa(s.Ports.Redis), "ping")...)
		if (err == nil && strings.Contains(out, "PONG")) != (test.want == "PONG") || !strings.Contains(out, test.want) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}
