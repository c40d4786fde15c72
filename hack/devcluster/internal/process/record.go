// Package process starts programs that outlive the one that starts them, remembers which they are, and later ends
// exactly those: a process is known by its id, the moment it started and the boot it started in, so an id that the
// kernel has given to another process since is never mistaken for ours.
package process

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// Spec says how a process is started.
type Spec struct {
	// Name is unique within a table; the record and the log are named by it.
	Name string
	// Path is the program; Args are its arguments without the name.
	Path string
	Args []string
	// Env is the whole environment, as NAME=value.
	Env []string
	// Log is the file that standard output and error are appended to.
	Log string
	// NetNS is the path of the network namespace to start in; empty means the caller's.
	NetNS string
	// User is whom the process runs as; nil means the caller.
	User *syscall.Credential
	// Settings is what the process's configuration files say.
	Settings string
	// StopSignal asks the process to end; 0 means SIGTERM.
	StopSignal syscall.Signal
}

// Record is what is remembered of a started process.
type Record struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// Start is the moment it started, in clock ticks since boot; Boot is the kernel's id of that boot.
	Start      uint64         `json:"start"`
	Boot       string         `json:"boot"`
	StopSignal syscall.Signal `json:"stopSignal"`
	Digest     string         `json:"digest"`
	Log        string         `json:"log"`
}

// identity is what the kernel says about a process now.
type identity struct {
	start uint64
	boot  string
	// ended is true for a process that has exited and waits to be reaped.
	ended bool
}

// Same tells whether the process that has the record's id now is the one that was recorded, and still runs.
func (r Record) same(now identity) bool {
	return !now.ended && now.start == r.Start && now.boot == r.Boot
}

// identify reads the identity of a process; it fails with os.ErrNotExist if there is none with this id.
func identify(pid int) (identity, error) {
	boot, err := bootID()
	if err != nil {
		return identity{}, err
	}
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return identity{}, fmt.Errorf("process %d: %w", pid, os.ErrNotExist)
	}
	stat, err := proc.Stat()
	if err != nil {
		return identity{}, fmt.Errorf("process %d: %w", pid, os.ErrNotExist)
	}
	return identity{start: stat.Starttime, boot: boot, ended: stat.State == "Z" || stat.State == "X"}, nil
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the kernel's boot id: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// Alive tells whether the recorded process still runs.
func (r Record) Alive() bool {
	now, err := identify(r.PID)
	return err == nil && r.same(now)
}

// Observe records a process that runs now and was started by something else.
func Observe(pid int, name string, stop syscall.Signal) (Record, error) {
	now, err := identify(pid)
	if err != nil {
		return Record{}, err
	}
	return Record{Name: name, PID: pid, Start: now.start, Boot: now.boot, StopSignal: stop}, nil
}

// Since tells when a recorded process that still runs started.
func (r Record) Since() (time.Time, error) {
	proc, err := procfs.NewProc(r.PID)
	if err != nil {
		return time.Time{}, fmt.Errorf("process %d: %w", r.PID, os.ErrNotExist)
	}
	stat, err := proc.Stat()
	if err != nil {
		return time.Time{}, fmt.Errorf("process %d: %w", r.PID, os.ErrNotExist)
	}
	seconds, err := stat.StartTime()
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(seconds * 1000)), nil
}
