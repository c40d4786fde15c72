// Package debian installs the programs that the cluster takes from the distribution.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Program is a file that is needed and the package that brings it.
type Program struct {
	// Glob matches the file; the last match is taken.
	Glob string
	// Package brings it, Why says what for, and Service is what the package would start on its own, if anything.
	Package, Why, Service string
}

// policyFile, when it exits with 101, keeps packages from starting their services while they are installed.
const policyFile = "/usr/sbin/policy-rc.d"

// Find returns the path of a program; it fails with os.ErrNotExist.
func (p Program) Find() (string, error) {
	found, err := filepath.Glob(p.Glob)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s (package %s, for %s): %w", p.Glob, p.Package, p.Why, os.ErrNotExist)
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}

// Missing returns the programs that are not there.
func Missing(programs []Program) []Program {
	return slices.DeleteFunc(slices.Clone(programs), func(p Program) bool {
		_, err := p.Find()
		return err == nil
	})
}

// Install installs the packages of the programs, saying which and why, and leaves none of their services running.
func Install(ctx context.Context, programs []Program, out io.Writer, log string) error {
	if len(programs) == 0 {
		return nil
	}
	names := make([]string, 0, len(programs))
	for _, program := range programs {
		if !slices.Contains(names, program.Package) {
			_, _ = fmt.Fprintf(out, "  installing %s: %s\n", program.Package, program.Why)
			names = append(names, program.Package)
		}
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("this machine has no apt-get: install by its own means what Debian calls %s", strings.Join(names, ", "))
	}
	release, err := forbidServices()
	if err != nil {
		return err
	}
	defer release()
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	install := append([]string{"install", "--yes", "--no-install-recommends"}, names...)
	for _, args := range [][]string{{"update"}, install} {
		if err := run(ctx, file, "apt-get", args...); err != nil {
			return fmt.Errorf("apt-get %s: %w; see %s", args[0], err, log)
		}
	}
	return disable(ctx, file, programs)
}

// forbidServices keeps packages from starting services until the returned function is called.
func forbidServices() (func(), error) {
	file, err := os.OpenFile(policyFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755) //nolint:gosec // a script that others run
	if errors.Is(err, os.ErrExist) {
		// The machine has a policy of its own; services that it lets start are stopped afterwards.
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = file.WriteString("#!/bin/sh\nexit 101\n")
	return func() { _ = os.Remove(policyFile) }, errors.Join(err, file.Close())
}

// disable keeps the services of packages that were just installed from running now and after the next boot.
func disable(ctx context.Context, log io.Writer, programs []Program) error {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil
	}
	for _, program := range programs {
		if program.Service == "" {
			continue
		}
		if err := run(ctx, log, "systemctl", "disable", "--now", program.Service); err != nil {
			return fmt.Errorf("stop the service %s that came with package %s: %w", program.Service, program.Package, err)
		}
	}
	return nil
}

func run(ctx context.Context, log io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = log, log
	return cmd.Run()
}
