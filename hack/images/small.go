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
			target := filepath.Join(work, "pause")
			build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
				"-ldflags=-s -w -buildid=", "-o", target, main)
			build.Dir = work
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOWORK=off", "GOFLAGS=")
			if out, err := build.CombinedOutput(); err != nil {
				return nil, fmt.Errorf("building pause: %w\n%s", err, out)
			}
			binary, err := os.ReadFile(target) //nolint:gosec // our own scratch file
			if err != nil {
				return nil, err
			}
			return []entry{file("pause", 0o755, binary)}, nil
		},
	}
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

// program is the image of a static binary and nothing else; built says how the binary is made.
func program(id identity, path, built string) image {
	open := func() (io.ReadCloser, error) { return os.Open(path) } //nolint:gosec // chosen on the command line
	return image{
		identity: id,
		about:    "the program " + id.name,
		config:   v1.Config{Entrypoint: []string{"/" + id.name}, User: "65532:65532", WorkingDir: "/"},
		sources:  []string{"small.go"},
		inputs:   []input{{name: "binary", open: open}},
		check: func() error {
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("%w: %s is not built yet (%s)", errUnavailable, path, built)
			}
			return nil
		},
		tree: func(context.Context, string, reporter) ([]entry, error) {
			info, err := os.Stat(path)
			if err != nil {
				return nil, err
			}
			return []entry{
				{name: id.name, mode: 0o755, size: info.Size(), open: open},
				file("etc/passwd", 0o644, []byte("nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")),
				file("etc/group", 0o644, []byte("nonroot:x:65532:\n")),
			}, nil
		},
	}
}
