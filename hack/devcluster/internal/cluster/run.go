package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

const (
	readyInterval = 50 * time.Millisecond
	readyTimeout  = 2 * time.Minute
	// logTail is how much of a log is shown when its process failed, in bytes.
	logTail = 2000
	// maxLog is from what size on a log is put aside when its process starts, in bytes; one older log is kept.
	maxLog = 64 << 20
)

// environment is what processes of the cluster find in theirs: always the same, whoever starts them.
var environment = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LANG=C.UTF-8"}

// start makes sure that a process runs as the spec says, in the cluster's network, and waits until it is ready.
func (c *Cluster) start(ctx context.Context, spec process.Spec, ready func(context.Context) error) error {
	spec.NetNS = c.namespace()
	return c.startOutside(ctx, spec, ready)
}

// startOutside does the same in the machine's own network.
func (c *Cluster) startOutside(ctx context.Context, spec process.Spec, ready func(context.Context) error) error {
	spec.Log = c.log(spec.Name)
	if spec.Env == nil {
		spec.Env = environment
	}
	return c.progress.Step(spec.Name, func() error {
		if err := rotate(spec.Log); err != nil {
			return err
		}
		if _, err := c.processes.Ensure(spec); err != nil {
			return err
		}
		return c.waitReady(ctx, spec.Name, ready)
	})
}

// waitReady waits until a process says that it is ready; it does not wait for one that has ended.
func (c *Cluster) waitReady(ctx context.Context, name string, ready func(context.Context) error) error {
	record, err := c.processes.Get(name)
	if err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, readyInterval, readyTimeout, true, func(ctx context.Context) (bool, error) {
		if !record.Alive() {
			return false, fmt.Errorf("it ended; the end of %s:\n%s", record.Log, tail(record.Log))
		}
		last = ready(ctx)
		return last == nil, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("not ready after %s: %w; the end of %s:\n%s", readyTimeout, last, record.Log, tail(record.Log))
	}
	return err
}

// rotate puts a log that has grown large aside.
func rotate(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() < maxLog {
		return nil
	}
	return os.Rename(path, path+".old")
}

// tail reads the last lines of a file.
func tail(path string) string {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > logTail {
		if _, err := file.Seek(-logTail, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, logTail))
	if err != nil {
		return err.Error()
	}
	return "    " + strings.ReplaceAll(string(bytes.TrimSpace(text)), "\n", "\n    ")
}

// flags renders command line flags in a fixed order: each pair is a name and a value.
func flags(pairs ...string) []string {
	args := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		args = append(args, "--"+pairs[i]+"="+pairs[i+1])
	}
	return args
}
