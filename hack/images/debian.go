package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// needs returns a check that the commands are installed.
func needs(commands ...string) func() error {
	return func() error {
		for _, c := range commands {
			if _, err := exec.LookPath(c); err != nil {
				return fmt.Errorf("%w: it is made of Debian packages and needs %s, which this machine does not have",
					errUnavailable, c)
			}
		}
		return nil
	}
}

// aptGet runs apt-get in the directory dir. When that fails for root it reads the package lists and tries once more: the
// usual cause is a machine that has none yet.
func aptGet(ctx context.Context, dir string, say reporter, args ...string) error {
	try := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"--quiet", "--yes"}, args...)...) //nolint:gosec // constants
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		return run(cmd)
	}
	err := try(args...)
	if err == nil || os.Geteuid() != 0 || ctx.Err() != nil {
		return err
	}
	say("reading Debian's package lists, as apt-get %s failed with those at hand", args[0])
	if err := try("update"); err != nil {
		return err
	}
	return try(args...)
}

// unpackDebian fetches a package with apt-get, without installing it, and unpacks it into a directory below work.
func unpackDebian(ctx context.Context, work, pkg string, say reporter) (string, error) {
	say("fetching Debian's %s", pkg)
	if err := aptGet(ctx, work, say, "download", pkg); err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(work, pkg+"_*.deb"))
	if err != nil || len(debs) != 1 {
		return "", errors.Join(err, fmt.Errorf("apt-get download %s left %d packages instead of one", pkg, len(debs)))
	}
	root := filepath.Join(work, "root")
	return root, run(exec.CommandContext(ctx, "dpkg-deb", "--extract", debs[0], root)) //nolint:gosec // our own paths
}

// mirror returns the address of the archive from which this machine's apt takes a Debian release, or nothing where apt has
// none: debootstrap knows where Debian is.
func mirror(ctx context.Context, release string) string {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format",
		"$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		return ""
	}
	return pickMirror(string(out), release)
}

// pickMirror finds the archive of a release's main component among lines of "release component address".
func pickMirror(targets, release string) string {
	for line := range strings.Lines(targets) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == release && f[1] == "main" {
			return strings.TrimSuffix(f[2], "/")
		}
	}
	return ""
}

// proxyEnv returns apt's own proxy setting as environment for programs that fetch packages without apt.
func proxyEnv(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "apt-config", "dump", "--format", "%v%n", "Acquire::http::Proxy").Output()
	proxy := strings.TrimSpace(string(out))
	if err != nil || proxy == "" || proxy == "DIRECT" {
		return nil
	}
	return []string{"http_proxy=" + proxy}
}

// bootstrap makes a Debian root file system at root with the given packages, and logs to the file at log.
func bootstrap(ctx context.Context, root, log, release string, packages []string, say reporter) error {
	if _, err := exec.LookPath("debootstrap"); err != nil {
		say("installing Debian's debootstrap: it makes the Debian file system of this image")
		if err := aptGet(ctx, "/", say, "install", "--no-install-recommends", "debootstrap"); err != nil {
			return err
		}
	}
	args := []string{"--variant=minbase", "--include=" + strings.Join(packages, ","), release, root}
	if from := mirror(ctx, release); from != "" {
		args = append(args, from)
	}
	say("bootstrapping Debian %s with %s: takes a minute or two, log in %s", release, strings.Join(packages, ", "), log)
	cmd := exec.CommandContext(ctx, "debootstrap", args...)
	cmd.Env = append(os.Environ(), proxyEnv(ctx)...)
	// In mount and process namespaces of its own nothing stays mounted or running, however it ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS,
	}
	return runLogged(cmd, log, stages(say))
}

// stages tells of each stage of debootstrap when it begins, from its log lines.
func stages(say reporter) func(line string) {
	last := ""
	return func(line string) {
		verb, isInfo := strings.CutPrefix(line, "I: ")
		verb, _, _ = strings.Cut(verb, " ")
		switch verb {
		case "Validating": // alternates with Retrieving
			return
		case "Retrieving", "Extracting", "Unpacking", "Configuring":
			if isInfo && verb != last {
				last = verb
				say("%s packages", strings.ToLower(verb))
			}
		}
	}
}

// runLogged runs cmd with its output in the file at log, showing each line to watch.
func runLogged(cmd *exec.Cmd, log string, watch func(line string)) (err error) {
	f, err := os.Create(log) //nolint:gosec // below the output directory
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	cmd.Stderr = f
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintln(f, lines.Text())
		watch(lines.Text())
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil {
		return fmt.Errorf("%s failed: %w: see %s", filepath.Base(cmd.Path), err, log)
	}
	return nil
}

// run runs cmd and puts what it said into the error when it fails.
func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
