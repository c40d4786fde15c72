package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// kubernetesVersion is what the parts of Kubernetes say of themselves; go.mod says which they are.
const kubernetesVersion = "v1.37.2"

// kubernetesNames are the programs that the one file kube is.
var kubernetesNames = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl",
}

// buildReport is how often a long build says that it goes on.
const buildReport = 20 * time.Second

// Build builds the programs that the cluster runs into the folder bin; this program itself is built there by the Makefile.
// What is built already is not built again.
func (c *Cluster) Build(ctx context.Context) error {
	if err := c.makeFolders(); err != nil {
		return err
	}
	return c.progress.Step("programs", func() error {
		if err := errors.Join(c.compile(ctx), c.compileOther(ctx, "dex", "."), c.compileTraefik(ctx)); err != nil {
			return err
		}
		for _, name := range kubernetesNames {
			if target, err := os.Readlink(c.bin(name)); err == nil && target == "kube" {
				continue
			}
			_ = os.Remove(c.bin(name))
			if err := os.Symlink("kube", c.bin(name)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *Cluster) compile(ctx context.Context) error {
	version := strings.SplitN(strings.TrimPrefix(kubernetesVersion, "v"), ".", 3)
	ldflags := fmt.Sprintf("-s -w -X k8s.io/component-base/version.gitVersion=%s -X k8s.io/component-base/version.gitMajor=%s -X k8s.io/component-base/version.gitMinor=%s",
		kubernetesVersion, version[0], version[1])
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-trimpath", "-ldflags", ldflags, "-o", c.path("bin")+"/", //nolint:gosec // our own packages
		"./cmd/kube", "./cmd/dns", "sigs.k8s.io/kwok/cmd/kwok")
	cmd.Dir = filepath.Join(c.Root, "hack", "devcluster")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false")
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run go: %w; Go must be installed and in PATH", err)
	}
	said := c.followBuild(output)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, said)
	}
	return nil
}

// compileTraefik builds the proxy where its pins are newer. Nothing of it is ours to change, and Go takes seconds to see that nothing has.
func (c *Cluster) compileTraefik(ctx context.Context) error {
	if newer(c.bin("traefik"), filepath.Join(c.Root, "hack", "traefik", "go.mod")) {
		return nil
	}
	return c.compileOther(ctx, "traefik", "github.com/traefik/traefik/v3/cmd/traefik")
}

// newer tells whether a file is there and was changed after another.
func newer(file, other string) bool {
	one, err := os.Stat(file)
	if err != nil {
		return false
	}
	two, err := os.Stat(other)
	return err == nil && one.ModTime().After(two.ModTime())
}

// compileOther builds a program of another folder of hack: the identity provider, or the proxy before the pages of jobs. They have
// modules of their own, as each of them and Kubernetes need different versions of much.
func (c *Cluster) compileOther(ctx context.Context, name, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", c.path("bin")+"/", pkg) //nolint:gosec // named by us
	cmd.Dir = filepath.Join(c.Root, "hack", name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build of %s: %w\n%s", name, err, said)
	}
	return nil
}

// followBuild reads what the build says until it ends, reports on a long one, and returns the last of it.
func (c *Cluster) followBuild(output io.Reader) string {
	const keep = 20
	var last []string
	packages, reported := 0, time.Now()
	for lines := bufio.NewScanner(output); lines.Scan(); {
		packages++
		if last = append(last, lines.Text()); len(last) > keep {
			last = last[1:]
		}
		if time.Since(reported) > buildReport {
			c.progress.Say("  %-28s … %d packages compiled (about 3,000 the first time, several minutes)", "programs", packages)
			reported = time.Now()
		}
	}
	return strings.Join(last, "\n")
}
