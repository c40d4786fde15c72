package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/patternmatcher/ignorefile"
)

const (
	debianRelease = "bookworm"
	trainScript   = "opt/soma/train_digits.py"
	leaveOutList  = "sklearn/leave-out.txt"
)

// sklearn is Python with scikit-learn from Debian's packages and a script that trains a model: a real job.
func sklearn() image {
	packages := []string{"python3-minimal", "python3-sklearn"}
	script := "sklearn/" + filepath.Base(trainScript)
	return image{
		identity: identity{"sklearn", "1"},
		about:    "a real training job",
		config: v1.Config{
			Cmd: []string{"python3", "/" + trainScript}, User: "1000:1000", WorkingDir: "/tmp",
			Env: []string{
				searchPath, "HOME=/tmp", "LANG=C.UTF-8", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1",
			},
		},
		sources: []string{"sklearn.go", "debian.go", script, leaveOutList},
		inputs:  []input{text("packages", strings.Join(packages, " "))},
		check:   checkBootstrap,
		tree: func(ctx context.Context, work string, say reporter) ([]entry, error) {
			root, log := filepath.Join(work, "root"), filepath.Join(work, "..", "..", "sklearn.log")
			if err := bootstrap(ctx, root, filepath.Clean(log), debianRelease, packages, say); err != nil {
				return nil, err
			}
			say("compiling Python files")
			if err := compilePython(ctx, root); err != nil {
				return nil, err
			}
			say("packing")
			return sklearnTree(root, script)
		},
	}
}

// checkBootstrap says whether a Debian root file system can be made here.
func checkBootstrap() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: debootstrap, which makes its file system, has to be root", errUnavailable)
	}
	return needs("apt-get", "dpkg")()
}

// compilePython replaces the compiled Python files: Debian's are valid only as long as their sources keep their times,
// which files of an image do not, and a container that cannot write would compile everything at every start.
func compilePython(ctx context.Context, root string) error {
	err := filepath.WalkDir(filepath.Join(root, "usr"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "__pycache__" {
			return cmp.Or(os.RemoveAll(p), fs.SkipDir)
		}
		return err
	})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-m", "compileall", "-q", "-j", "0",
		"--invalidation-mode", "unchecked-hash", "-x", "/(tests|pythran|lib2to3)/",
		"/usr/lib/python3.11", "/usr/lib/python3/dist-packages")
	cmd.Dir = "/"
	cmd.Env = []string{searchPath, "PYTHONHASHSEED=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	return run(cmd)
}

// sklearnTree is the file system of the image: the bootstrapped one without the list's files, and the script.
func sklearnTree(root, script string) ([]entry, error) {
	list, err := source(leaveOutList)
	if err != nil {
		return nil, err
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(list))
	if err != nil {
		return nil, err
	}
	tree, err := scan(root, patterns)
	if err != nil {
		return nil, err
	}
	code, err := source(script)
	if err != nil {
		return nil, err
	}
	return append(tree, file(trainScript, 0o755, code)), nil
}
