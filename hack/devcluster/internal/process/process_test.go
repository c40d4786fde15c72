package process

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSame(t *testing.T) {
	record := Record{PID: 7, Start: 100, Boot: "a"}
	tests := map[string]struct {
		now  identity
		want bool
	}{
		"the same":                       {identity{start: 100, boot: "a"}, true},
		"another process with its id":    {identity{start: 101, boot: "a"}, false},
		"another boot, by chance as old": {identity{start: 100, boot: "b"}, false},
		"ended, not reaped":              {identity{start: 100, boot: "a", ended: true}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := record.same(test.now); got != test.want {
				t.Errorf("same = %v, want %v", got, test.want)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	base := Spec{Name: "x", Path: "/bin/sh", Args: []string{"-c"}, Settings: "a"}
	tests := map[string]struct {
		change func(*Spec)
		same   bool
	}{
		"nothing":   {func(*Spec) {}, true},
		"log":       {func(s *Spec) { s.Log = "elsewhere" }, true},
		"argument":  {func(s *Spec) { s.Args = []string{"-e"} }, false},
		"settings":  {func(s *Spec) { s.Settings = "b" }, false},
		"program":   {func(s *Spec) { s.Path = "/bin/cat" }, false},
		"network":   {func(s *Spec) { s.NetNS = "/run/netns/x" }, false},
		"user":      {func(s *Spec) { s.User = &syscall.Credential{Uid: 1} }, false},
		"a setting": {func(s *Spec) { s.Env = []string{"A=B"} }, false},
	}
	want, err := base.digest()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spec := base
			test.change(&spec)
			got, err := spec.digest()
			if err != nil {
				t.Fatal(err)
			}
			if (got == want) != test.same {
				t.Errorf("digest is the same: %v, want %v", got == want, test.same)
			}
		})
	}
}

// sleeper is a process that runs until it is ended.
func sleeper(t *testing.T, script string) (Table, Spec) {
	t.Helper()
	dir := t.TempDir()
	table := Table{Dir: dir}
	spec := Spec{Name: "sleeper", Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ(), Log: filepath.Join(dir, "sleeper.log")}
	t.Cleanup(func() {
		if err := table.Stop(spec.Name); err != nil {
			t.Error(err)
		}
	})
	return table, spec
}

func TestEnsureStartsOnce(t *testing.T) {
	table, spec := sleeper(t, "exec tail -f /dev/null")
	for _, want := range []bool{true, false} {
		started, err := table.Ensure(spec)
		if err != nil || started != want {
			t.Fatalf("Ensure = %v, %v; want %v", started, err, want)
		}
	}
	before, err := table.Get(spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	spec.Settings = "changed"
	if started, err := table.Ensure(spec); err != nil || !started {
		t.Fatalf("Ensure with other settings = %v, %v; want it started anew", started, err)
	}
	if before.Alive() {
		t.Error("the process of before still runs")
	}
}

func TestStop(t *testing.T) {
	table, spec := sleeper(t, "exec tail -f /dev/null")
	if _, err := table.Ensure(spec); err != nil {
		t.Fatal(err)
	}
	record, err := table.Get(spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	since, err := record.Since()
	if err != nil || time.Since(since).Abs() > time.Minute {
		t.Errorf("Since = %v, %v; want about now", since, err)
	}
	if err := table.Stop(spec.Name); err != nil {
		t.Fatal(err)
	}
	if record.Alive() {
		t.Error("the process still runs")
	}
	if _, err := table.Get(spec.Name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the record is still there: %v", err)
	}
}

// A record whose process ended, and whose id another process has by now, must not end that one.
func TestEndSparesOthers(t *testing.T) {
	other := exec.Command("tail", "-f", "/dev/null")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	record, err := Observe(other.Process.Pid, "other", syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	stale := record
	stale.Start--
	if err := End(stale); err != nil {
		t.Fatal(err)
	}
	if !record.Alive() {
		t.Error("a process that was not ours was ended")
	}
}

func TestDamagedRecord(t *testing.T) {
	table := Table{Dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(table.Dir, "x.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := table.List(); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("List = %v, want it to say that the record is damaged", err)
	}
}
