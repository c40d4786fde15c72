// Package process runs programs that serve by TLS, as the processes that they are elsewhere, for tests and measurements.
package process

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const poll = 5 * time.Millisecond

// Process is a program that runs.
type Process struct {
	command *exec.Cmd
	ended   chan struct{}
}

// Start starts a program with an environment besides this process's own, and waits until it answers well at an address.
func Start(ctx context.Context, patience time.Duration, ready string, environment []string, program string, arguments ...string) (*Process, error) {
	var said bytes.Buffer
	command := exec.Command(program, arguments...)
	command.Env = append(os.Environ(), environment...)
	command.Stdout, command.Stderr = &said, &said
	// It ends with the test, also where the test is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	p := &Process{command: command, ended: make(chan struct{})}
	go func() { _ = command.Wait(); close(p.ended) }()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: Unverified(), DisableKeepAlives: true}}
	err := wait.PollUntilContextTimeout(ctx, poll, patience, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.ended:
			return true, nil
		default:
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, ready, nil)
		if err != nil {
			return false, err
		}
		response, err := client.Do(request)
		if err != nil {
			return false, nil
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK, nil
	})
	select {
	case <-p.ended:
		return nil, fmt.Errorf("%s ended: %s", program, said.String())
	default:
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not ready: %w", program, err), p.Stop())
	}
	return p, nil
}

// Terminate tells the program to end, once: many programs end at once when they are told again.
func (p *Process) Terminate() error { return p.command.Process.Signal(syscall.SIGTERM) }

// Wait waits until the program has ended, and ends one that does not.
func (p *Process) Wait() error {
	select {
	case <-p.ended:
		return nil
	case <-time.After(time.Minute):
		return errors.Join(errors.New("the program did not end within a minute"), p.Kill())
	}
}

// Stop ends the program as one is ended that is to finish.
func (p *Process) Stop() error {
	if err := p.Terminate(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return p.Wait()
}

// Kill ends the program at once.
func (p *Process) Kill() error {
	err := p.command.Process.Kill()
	<-p.ended
	return err
}

// Memory is how many bytes of memory the program has resident.
func (p *Process) Memory() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("no memory in %q", text)
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()), err
}

// Unverified believes any certificate: what answers was started here.
func Unverified() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // see above
}
