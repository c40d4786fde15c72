package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// pause is the image of a pod's sandbox.
func pause() image {
	return image{
		identity: identity{"pause", "1"},
		about:    "holds a pod's namespaces",
		config:   v1.Config{Entrypoint: []string{"/pause"}, User: "65535:65535", WorkingDir: "/"},
		sources:  []string{"small.go", "pause/main.go"},
		inputs:   []input{text("go", runtime.Version())},
		tree: func(ctx context.Context, work string, _ reporter) ([]entry, error) {
			code, err := source("pause/main.go")
			if err != nil {
				return nil, err
			}
			main := filepath.Join(work, "main.go")
			if err := os.WriteFile(main, code, 0o600); err != nil {
				return nil, err
			}
			binary, err := compile(ctx, work, work, main)
			if err != nil {
				return nil, err
			}
			return []entry{binary.as("pause")}, nil
		},
	}
}

// binary is a program that was compiled.
type binary struct {
	path string
	size int64
}

// as is the program as a file of an image.
func (b binary) as(name string) entry {
	return entry{name: name, mode: 0o755, size: b.size, open: func() (io.ReadCloser, error) { return os.Open(b.path) }}
}

// compile compiles a static program, in the module of a directory, into work.
func compile(ctx context.Context, work, dir, pkg string) (binary, error) {
	target := filepath.Join(work, "program")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", target, pkg) //nolint:gosec // named in the catalogue
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return binary{}, fmt.Errorf("compile %s: %w\n%s", pkg, err, out)
	}
	info, err := os.Stat(target)
	if err != nil {
		return binary{}, err
	}
	return binary{path: target, size: info.Size()}, nil
}

// busybox is a shell and the usual small tools, for tests and for looking around.
func busybox() image {
	const pkg = "busybox-static"
	return image{
		identity: identity{"busybox", "1"},
		about:    "a shell and small tools",
		config: v1.Config{
			Cmd: []string{"sh"}, WorkingDir: "/", Env: []string{searchPath, "HOME=/tmp"},
		},
		sources: []string{"small.go", "debian.go"},
		inputs:  []input{text("package", pkg)},
		check:   needs("apt-get", "dpkg-deb"),
		tree: func(ctx context.Context, work string, say reporter) ([]entry, error) {
			root, err := unpackDebian(ctx, work, pkg, say)
			if err != nil {
				return nil, err
			}
			path := filepath.Join(root, "bin", "busybox")
			binary, err := os.ReadFile(path) //nolint:gosec // our own scratch file
			if err != nil {
				return nil, err
			}
			applets, err := exec.CommandContext(ctx, path, "--list").Output() //nolint:gosec // as above
			if err != nil {
				return nil, fmt.Errorf("asking busybox for its applets: %w", err)
			}
			return busyboxTree(binary, strings.Fields(string(applets))), nil
		},
	}
}

// busyboxTree is the file system of the busybox image: one binary under the names of all its applets.
func busyboxTree(binary []byte, applets []string) []entry {
	tree := []entry{
		file("bin/busybox", 0o755, binary),
		symlink("sbin", "bin"), symlink("usr/bin", "../bin"), symlink("usr/sbin", "../bin"),
		dir("tmp", fs.ModeSticky|0o777), dir("var/tmp", fs.ModeSticky|0o777), dir("root", 0o700),
		file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\n"+
			"user:x:1000:1000:user:/tmp:/bin/sh\n"+
			"nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n")),
		file("etc/group", 0o644, []byte("root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n")),
	}
	for _, name := range applets {
		if name != "busybox" {
			tree = append(tree, symlink("bin/"+name, "busybox"))
		}
	}
	return tree
}

// Who programs of ours run as.
var (
	nonrootPasswd = file("etc/passwd", 0o644, []byte("nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"))
	nonrootGroup  = file("etc/group", 0o644, []byte("nonroot:x:65532:\n"))
)

// program is the image of one of Soma's own programs: its static binary and nothing else.
func program(name string, s settings) image {
	path := filepath.Join(s.bin, name)
	open := func() (io.ReadCloser, error) { return os.Open(path) } //nolint:gosec // chosen on the command line
	return image{
		identity: identity{name, s.tag},
		about:    "Soma's " + name,
		config:   v1.Config{Entrypoint: []string{"/" + name}, User: "65532:65532", WorkingDir: "/"},
		sources:  []string{"small.go"},
		inputs:   []input{{name: "binary", open: open}},
		check: func() error {
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("%w: %s is not built yet (make build)", errUnavailable, path)
			}
			return nil
		},
		tree: func(context.Context, string, reporter) ([]entry, error) {
			info, err := os.Stat(path)
			if err != nil {
				return nil, err
			}
			return []entry{
				{name: name, mode: 0o755, size: info.Size(), open: open},
				nonrootPasswd, nonrootGroup,
			}, nil
		},
	}
}
