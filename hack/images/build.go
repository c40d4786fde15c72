package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"
)

// build makes the images whose inputs changed since they were last made. An image that cannot be made on this machine
// is left out with a word why, unless it was asked for by name.
func build(ctx context.Context, w io.Writer, s settings, names []string) error {
	images, err := choose(catalog(s), names)
	if err != nil {
		return err
	}
	if s.out, err = filepath.Abs(s.out); err != nil { // the tools that are run work elsewhere
		return err
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil { //nolint:gosec // nothing secret in it
		return err
	}
	unlock, err := lock(s.out)
	if err != nil {
		return err
	}
	defer unlock()
	for _, img := range images {
		err := buildOne(ctx, w, s.out, img)
		if errors.Is(err, errUnavailable) && len(names) == 0 {
			fmt.Fprintf(w, "%-8s left out, %v\n", img.name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("image %s: %w", img.name, err)
		}
	}
	return nil
}

// lock waits until no other build writes to the directory. The kernel lets go of it when this process ends.
func lock(out string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(out, ".lock"), os.O_CREATE|os.O_RDWR, 0o644) //nolint:gosec // empty
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", f.Name(), err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// buildOne makes one image, or says that it is current.
func buildOne(ctx context.Context, w io.Writer, out string, img image) error {
	archive := img.archive(out)
	if img.check != nil {
		if err := img.check(); err != nil {
			if s := readStamp(archive); s.Reference == img.reference() {
				fmt.Fprintf(w, "%-8s kept as it is, %v\n", img.name, err)
				return nil
			}
			return err
		}
	}
	inputs, err := img.digest()
	if err != nil {
		return err
	}
	if s := readStamp(archive); s.Inputs == inputs {
		fmt.Fprintf(w, "%-8s current  %s@%s\n", img.name, s.Reference, s.Digest)
		return nil
	}
	start := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(w, "%-8s %3ds     %s\n", img.name, int(time.Since(start).Seconds()), fmt.Sprintf(format, args...))
	}
	made, err := img.make(ctx, out, inputs, say)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%-8s built    %s@%s, %.1f MB in %.1f s\n", img.name, made.Reference, made.Digest,
		float64(made.Size)/1e6, time.Since(start).Seconds())
	return nil
}

// make writes the image's archive and then its stamp.
func (img image) make(ctx context.Context, out, inputs string, say reporter) (s stamp, err error) {
	archive := img.archive(out)
	if err := removeStamp(archive); err != nil {
		return stamp{}, err
	}
	scratch := filepath.Join(out, ".work-"+img.name)
	if err := errors.Join(os.RemoveAll(scratch), os.Mkdir(scratch, 0o755)); err != nil { //nolint:gosec // apt's own user reads it
		return stamp{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	contents, packed := filepath.Join(scratch, "tree"), filepath.Join(scratch, "archive")
	for _, d := range []string{contents, packed} {
		if err := os.Mkdir(d, 0o755); err != nil { //nolint:gosec // apt's own user reads it
			return stamp{}, err
		}
	}
	tree, err := img.tree(ctx, contents, say)
	if err != nil {
		return stamp{}, err
	}
	digest, err := writeArchive(archive, packed, img.identity, tree, img.config)
	if err != nil {
		return stamp{}, err
	}
	info, err := os.Stat(archive)
	if err != nil {
		return stamp{}, err
	}
	s = stamp{Reference: img.reference(), Inputs: inputs, Digest: digest.String(), Size: info.Size()}
	return s, writeStamp(archive, s)
}

// list prints every image with its state.
func list(w io.Writer, s settings) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "IMAGE\tSTATE\tMB\tDIGEST\tFOR")
	for _, img := range catalog(s) {
		made := readStamp(img.archive(s.out))
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%s\t%s\n", img.reference(), img.state(made), float64(made.Size)/1e6, made.Digest, img.about)
	}
	return t.Flush()
}

// state says whether what was made is what would be made now.
func (img image) state(made stamp) string {
	inputs, err := img.digest()
	switch {
	case made == stamp{}:
		return "not built"
	case err != nil || made.Inputs != inputs:
		return "outdated"
	default:
		return "current"
	}
}
