package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/soma-platform/soma/hack/devcluster/internal/netns"
)

const recordSuffix = ".json"

// Table is a folder with one record for each process that was started and not yet ended.
type Table struct {
	Dir string
}

// Ensure starts a process, unless it runs already just as the spec says. One that runs otherwise is ended first.
// It tells whether it started one.
func (t Table) Ensure(spec Spec) (bool, error) {
	digest, err := spec.digest()
	if err != nil {
		return false, err
	}
	record, err := t.Get(spec.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, err
	case record.Alive() && record.Digest == digest:
		return false, nil
	default:
		if err := t.Stop(spec.Name); err != nil {
			return false, err
		}
	}
	return true, t.start(spec, digest)
}

func (t Table) start(spec Spec, digest string) error {
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", spec.Name, err)
	}
	defer func() { _ = log.Close() }()

	cmd := exec.Command(spec.Path, spec.Args...) //nolint:gosec // the cluster's own programs
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.Dir = spec.Env, log, log, "/"
	// A session of its own: it neither ends with this program nor hears the terminal's Ctrl-C.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: spec.User}
	if err := netns.Do(spec.NetNS, cmd.Start); err != nil {
		return fmt.Errorf("start %s: %w", spec.Name, err)
	}
	now, err := identify(cmd.Process.Pid)
	if err != nil {
		return fmt.Errorf("start %s: it ended at once; see %s", spec.Name, spec.Log)
	}
	record := Record{
		Name: spec.Name, PID: cmd.Process.Pid, Start: now.start, Boot: now.boot,
		StopSignal: spec.StopSignal, Digest: digest, Log: spec.Log,
	}
	if record.StopSignal == 0 {
		record.StopSignal = syscall.SIGTERM
	}
	// Reaped here as long as this program lives; afterwards by init.
	go func() { _ = cmd.Wait() }()
	if err := t.write(record); err != nil {
		_ = cmd.Process.Kill()
		return err
	}
	return nil
}

// write replaces a record in one step, so that a crash leaves the old or the new one.
func (t Table) write(record Record) error {
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	path := t.path(record.Name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("record process %s: %w", record.Name, err)
	}
	return os.Rename(path+".new", path)
}

func (t Table) path(name string) string { return filepath.Join(t.Dir, name+recordSuffix) }

// Get reads the record of a process; it fails with fs.ErrNotExist when none of this name was started.
func (t Table) Get(name string) (Record, error) {
	var record Record
	data, err := os.ReadFile(t.path(name))
	if err != nil {
		return record, err
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return record, fmt.Errorf("%s is damaged: %w; end %s by hand and remove the file", t.path(name), err, name)
	}
	return record, nil
}

// List reads all records, by name.
func (t Table) List() ([]Record, error) {
	entries, err := os.ReadDir(t.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var records []Record
	for _, entry := range entries {
		name, found := strings.CutSuffix(entry.Name(), recordSuffix)
		if !found {
			continue
		}
		record, err := t.Get(name)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}
