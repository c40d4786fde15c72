package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// grace is how long a process may take to end when asked; then it is killed.
	grace = 20 * time.Second
	// killGrace is how long the kernel may take to end a killed process.
	killGrace = 10 * time.Second
)

// Stop ends a recorded process, waits until it is gone, and forgets it. A process that is gone already, or was never
// started, is no error.
func (t Table) Stop(name string) error {
	record, err := t.Get(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := End(record); err != nil {
		return err
	}
	if err := os.Remove(t.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// End asks the recorded process to end, kills it when it does not, and waits until it is gone.
func End(record Record) error {
	// A pidfd stays with one process; what is compared after opening it cannot change under our hands.
	fd, err := unix.PidfdOpen(record.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d (%s): %w", record.PID, record.Name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if !record.Alive() {
		return nil
	}
	for _, try := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{record.StopSignal, grace}, {syscall.SIGKILL, killGrace}} {
		if err := unix.PidfdSendSignal(fd, try.signal, nil, 0); err != nil {
			if errors.Is(err, unix.ESRCH) {
				return nil
			}
			return fmt.Errorf("signal process %d (%s): %w", record.PID, record.Name, err)
		}
		gone, err := waitGone(fd, try.wait)
		if err != nil {
			return fmt.Errorf("wait for process %d (%s): %w", record.PID, record.Name, err)
		}
		if gone {
			return nil
		}
	}
	return fmt.Errorf("process %d (%s) does not end even when killed; see /proc/%d/stack", record.PID, record.Name, record.PID)
}

// waitGone waits until the process of a pidfd has exited; it tells whether it has.
func waitGone(fd int, limit time.Duration) (bool, error) {
	deadline := time.Now().Add(limit)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return false, err
		}
		return n > 0, nil
	}
}
