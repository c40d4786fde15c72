package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestWriteTarIsDeterministic(t *testing.T) {
	tree := []entry{
		file("usr/bin/tool", 0o755, []byte("tool")),
		dir("tmp", fs.ModeSticky|0o777),
		symlink("bin", "usr/bin"),
		{name: "etc/owned", mode: 0o640, uid: 3, gid: 4, size: 1, open: file("", 0, []byte("x")).open},
	}
	reversed := slices.Clone(tree)
	slices.Reverse(reversed)
	var a, b bytes.Buffer
	if err := errors.Join(writeTar(&a, tree), writeTar(&b, reversed)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the order of the entries changes the archive")
	}

	want := []struct {
		name     string
		kind     byte
		mode     int64
		uid, gid int
	}{
		{"bin", tar.TypeSymlink, 0o777, 0, 0},
		{"etc/", tar.TypeDir, 0o755, 0, 0},
		{"etc/owned", tar.TypeReg, 0o640, 3, 4},
		{"tmp/", tar.TypeDir, 0o1777, 0, 0},
		{"usr/", tar.TypeDir, 0o755, 0, 0},
		{"usr/bin/", tar.TypeDir, 0o755, 0, 0},
		{"usr/bin/tool", tar.TypeReg, 0o755, 0, 0},
	}
	r := tar.NewReader(&a)
	for _, w := range want {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("want %s: %v", w.name, err)
		}
		if h.Name != w.name || h.Typeflag != w.kind || h.Mode != w.mode || h.Uid != w.uid || h.Gid != w.gid {
			t.Errorf("got %s type %c mode %o owner %d:%d, want %+v", h.Name, h.Typeflag, h.Mode, h.Uid, h.Gid, w)
		}
		if !h.ModTime.Equal(epoch) {
			t.Errorf("%s has time %v, want the epoch", h.Name, h.ModTime)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("more entries than wanted: %v", err)
	}
}

func TestWriteTarRefuses(t *testing.T) {
	for name, tree := range map[string][]entry{
		"absolute path":    {file("/etc/passwd", 0o644, nil)},
		"path that climbs": {file("../passwd", 0o644, nil)},
		"unclean path":     {file("etc//passwd", 0o644, nil)},
		"root":             {dir(".", 0o755)},
		"twice":            {file("a", 0o644, nil), file("a", 0o644, nil)},
		"file that shrank": {{name: "a", mode: 0o644, size: 2, open: file("", 0, []byte("x")).open}},
		"file that grew":   {{name: "a", mode: 0o644, size: 1, open: file("", 0, []byte("xx")).open}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := writeTar(io.Discard, tree); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestScan(t *testing.T) {
	root := t.TempDir()
	put(t, root, "bin/sh", "usr/include/stdio.h", "usr/lib/a.so", "usr/lib/deep/er/a.a", "usr/lib/x/tests/t.py")
	if err := os.Symlink("sh", filepath.Join(root, "bin/ash")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		patterns []string
		want     []string
	}{
		"everything": {nil, []string{
			"bin", "bin/ash", "bin/sh", "usr", "usr/include", "usr/include/stdio.h", "usr/lib", "usr/lib/a.so",
			"usr/lib/deep", "usr/lib/deep/er", "usr/lib/deep/er/a.a", "usr/lib/x", "usr/lib/x/tests", "usr/lib/x/tests/t.py",
		}},
		"without a directory, its files, a suffix at any depth": {[]string{"usr/include", "**/tests", "usr/lib/**/*.a"}, []string{
			"bin", "bin/ash", "bin/sh", "usr", "usr/lib", "usr/lib/a.so", "usr/lib/deep", "usr/lib/deep/er", "usr/lib/x",
		}},
		"with an exception": {[]string{"usr/*", "bin", "!usr/lib/a.so"}, []string{"usr", "usr/lib/a.so"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := scanned(t, root, tc.patterns); !slices.Equal(got, tc.want) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
	if _, err := scan(root, []string{"[a-"}); err == nil {
		t.Error("a broken pattern is accepted")
	}
}

func TestScanForgetsTimes(t *testing.T) {
	root := t.TempDir()
	put(t, root, "a", "b/c")
	archive := func() []byte {
		tree, err := scan(root, nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := writeTar(&b, tree); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	before := archive()
	if err := os.Chtimes(filepath.Join(root, "a"), time.Now(), time.Unix(12345, 678)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, archive()) {
		t.Error("a file's time changes the archive")
	}
}

// put makes files below root that hold their own names.
func put(t *testing.T, root string, names ...string) {
	t.Helper()
	for _, name := range names {
		p := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// scanned returns the sorted names that scan finds below root.
func scanned(t *testing.T, root string, patterns []string) []string {
	t.Helper()
	tree, err := scan(root, patterns)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range tree {
		names = append(names, e.name)
	}
	slices.Sort(names)
	return names
}
