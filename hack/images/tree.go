package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/moby/patternmatcher"
)

// epoch is the time of every file in every image, so that the same content makes the same digest.
var epoch = time.Unix(0, 0).UTC()

// entry is one file, directory or link of an image's file system.
type entry struct {
	// name is the path below the root, without a leading slash.
	name string
	mode fs.FileMode
	// link is the target of a symbolic link.
	link     string
	uid, gid int
	size     int64
	// open reads the content; nil for everything but a regular file.
	open func() (io.ReadCloser, error)
}

// file is a regular file owned by root with the given content.
func file(name string, mode fs.FileMode, content []byte) entry {
	return entry{name: name, mode: mode, size: int64(len(content)), open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

// dir is a directory owned by root.
func dir(name string, mode fs.FileMode) entry { return entry{name: name, mode: mode | fs.ModeDir} }

// symlink is a symbolic link owned by root.
func symlink(name, target string) entry {
	return entry{name: name, mode: fs.ModeSymlink | 0o777, link: target}
}

// scan lists the files below root, in no order to rely on, leaving out what the patterns match. A pattern is one of a
// .dockerignore file: relative to root, "**" for any depth, "!" for an exception. Devices, pipes and sockets are left
// out too: a container gets its own.
func scan(root string, patterns []string) ([]entry, error) {
	exclude, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, fmt.Errorf("pattern of files to leave out: %w", err)
	}
	var tree []entry
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, p)
		if err != nil || name == "." {
			return err
		}
		skip, err := exclude.MatchesOrParentMatches(name)
		if err != nil {
			return err
		}
		if skip {
			if d.IsDir() && !exclude.Exclusions() {
				return filepath.SkipDir
			}
			return nil
		}
		e, ok, err := stat(p, filepath.ToSlash(name))
		if ok {
			tree = append(tree, e)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", root, err)
	}
	return tree, nil
}

// stat describes the file at p; ok is false for what no image holds.
func stat(p, name string) (e entry, ok bool, err error) {
	info, err := os.Lstat(p)
	if err != nil {
		return entry{}, false, err
	}
	e = entry{name: name, mode: info.Mode()}
	if s, isUnix := info.Sys().(*syscall.Stat_t); isUnix {
		e.uid, e.gid = int(s.Uid), int(s.Gid)
	}
	switch info.Mode().Type() {
	case 0:
		e.size = info.Size()
		e.open = func() (io.ReadCloser, error) { return os.Open(p) } //nolint:gosec // p comes from our own walk
	case fs.ModeSymlink:
		e.link, err = os.Readlink(p)
	case fs.ModeDir:
	default:
		return entry{}, false, nil
	}
	return e, true, err
}

// writeTar writes the tree as a tar archive: sorted by name, missing parent directories added, every time the epoch, and
// nothing of the machine that wrote it. The same tree gives the same bytes. A name that is there twice is an error.
func writeTar(w io.Writer, tree []entry) error {
	tree, err := complete(tree)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	for _, e := range tree {
		if err := writeEntry(tw, e); err != nil {
			return fmt.Errorf("writing %s: %w", e.name, err)
		}
	}
	return tw.Close()
}

func writeEntry(tw *tar.Writer, e entry) error {
	h := &tar.Header{
		Name: e.name, Mode: tarMode(e.mode), Uid: e.uid, Gid: e.gid, ModTime: epoch, Format: tar.FormatPAX,
	}
	switch {
	case e.mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, e.name+"/"
	case e.mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
	default:
		h.Typeflag, h.Size = tar.TypeReg, e.size
	}
	if err := tw.WriteHeader(h); err != nil || e.open == nil {
		return err
	}
	r, err := e.open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(tw, r)
	return err
}

// tarMode turns Go's mode bits into those of a tar header.
func tarMode(m fs.FileMode) int64 {
	mode := int64(m.Perm())
	for bit, value := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			mode |= value
		}
	}
	return mode
}

// complete sorts the tree and adds the parent directories that it implies.
func complete(tree []entry) ([]entry, error) {
	seen := make(map[string]bool, len(tree))
	out := make([]entry, 0, len(tree))
	for _, e := range tree {
		if !fs.ValidPath(e.name) || e.name == "." {
			return nil, fmt.Errorf("%q is no path inside an image: want a clean relative one", e.name)
		}
		if seen[e.name] {
			return nil, fmt.Errorf("%s is in the image twice", e.name)
		}
		seen[e.name] = true
		out = append(out, e)
	}
	for _, e := range tree {
		for p := path.Dir(e.name); p != "." && !seen[p]; p = path.Dir(p) {
			seen[p] = true
			out = append(out, dir(p, 0o755))
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return out, nil
}
