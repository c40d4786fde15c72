package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestBuildMakesWhatChanged(t *testing.T) {
	s := settings{out: filepath.Join(t.TempDir(), "images"), bin: t.TempDir(), tag: "dev"}
	manager := identity{"manager", "dev"}
	build := func(s settings) string {
		t.Helper()
		var out bytes.Buffer
		if err := build(t.Context(), &out, s, []string{"manager"}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(s.bin, "manager"), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	read := func() stamp { return readStamp(filepath.Join(s.out, "manager.tar")) }

	write("one")
	if got := build(s); !strings.Contains(got, "built") {
		t.Errorf("first: got %q", got)
	}
	one := read()
	if one.Reference != manager.reference() || one.Digest == "" {
		t.Errorf("the stamp is %+v", one)
	}
	if got := build(s); !strings.Contains(got, "current") || !strings.Contains(got, one.Digest) {
		t.Errorf("unchanged: got %q", got)
	}
	write("two")
	if got := build(s); !strings.Contains(got, "built") || read().Digest == one.Digest {
		t.Errorf("changed binary: got %q", got)
	}
	write("one")
	if build(s); read() != one {
		t.Errorf("changed back: got %+v, want %+v", read(), one)
	}
	tagged := s
	tagged.tag = "v2"
	if got := build(tagged); !strings.Contains(got, "soma.dev/manager:v2@"+one.Digest) {
		t.Errorf("other tag: got %q, want the same image under the new name", got)
	}
	left, err := filepath.Glob(filepath.Join(s.out, ".work*"))
	if err != nil || len(left) > 0 {
		t.Errorf("scratch directories are left: %q", left)
	}
}

func TestBuildOfWhatCannotBeMade(t *testing.T) {
	out := t.TempDir()
	missing := program(identity{"manager", "dev"}, filepath.Join(t.TempDir(), "manager"), "make build")
	var said bytes.Buffer
	if err := buildOne(t.Context(), &said, out, missing); !errors.Is(err, errUnavailable) {
		t.Errorf("got %v, want errUnavailable", err)
	}
	if err := build(t.Context(), &said, settings{out: out, bin: t.TempDir(), tag: "dev"}, []string{"manager"}); !errors.Is(err, errUnavailable) {
		t.Errorf("asked for by name: got %v, want errUnavailable", err)
	}
	archive := missing.archive(out)
	err := errors.Join(os.WriteFile(archive, []byte("abc"), 0o600), writeStamp(archive, stamp{Reference: missing.reference(), Size: 3}))
	if err != nil {
		t.Fatal(err)
	}
	if err := buildOne(t.Context(), &said, out, missing); err != nil || !strings.Contains(said.String(), "kept") {
		t.Errorf("with an archive at hand: got %v, said %q", err, said.String())
	}
}

// TestPause runs the program of the pause image with a child that is not its own, and checks that it reaps it and ends
// when told.
func TestPause(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "pause")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./pause").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	childLives, endChild, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "cat <&3 & exec "+binary)
	cmd.ExtraFiles = []*os.File{childLives}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
	await(t, "the shell becomes pause", func() bool {
		exe, err := os.Readlink(proc + "/exe")
		return err == nil && exe == binary
	})
	if err := errors.Join(childLives.Close(), endChild.Close()); err != nil {
		t.Fatal(err)
	}
	await(t, "pause reaps its child", func() bool {
		children, err := os.ReadFile(fmt.Sprintf("%s/task/%d/children", proc, cmd.Process.Pid))
		return err == nil && len(children) == 0
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("pause ended with %v, want success", err)
	}
}

// await waits until the condition holds, at most ten seconds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
