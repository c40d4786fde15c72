// Package cluster brings a whole Kubernetes up on this machine, with PostgreSQL and Redis, and takes it down again.
package cluster

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
)

// The addresses of a cluster's own network. They are the same for every cluster, as each has a network namespace of
// its own.
const (
	nodeAddress    = "10.244.0.1"
	podCIDR        = "10.244.0.0/20"
	serviceCIDR    = "10.96.0.0/16"
	serviceAddress = "10.96.0.1"
	gatewayAddress = "10.96.0.2"
	pagesAddress   = "10.96.0.3"
	bridgeName     = "soma0"
)

// Layout says where everything of a cluster is.
type Layout struct {
	// Root is the repository; Dir holds all state of the cluster.
	Root, Dir string
	// ID tells this cluster from others of the machine; it follows from Dir.
	ID string
}

// NewLayout finds the folders of the cluster whose state is in dir; a relative dir is below root.
func NewLayout(root, dir string) (Layout, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return Layout{}, err
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(dir))
	return Layout{Root: root, Dir: filepath.Clean(dir), ID: fmt.Sprintf("%08x", hash.Sum32())}, nil
}

func (l Layout) path(elements ...string) string {
	return filepath.Join(append([]string{l.Dir}, elements...)...)
}

func (l Layout) bin(name string) string  { return l.path("bin", name) }
func (l Layout) log(name string) string  { return l.path("logs", name+".log") }
func (l Layout) conf(name string) string { return l.path("conf", name) }
func (l Layout) pki() string             { return l.path("pki") }
func (l Layout) authority() string       { return l.path("pki", "ca.crt") }
func (l Layout) images() string          { return l.path("images") }
func (l Layout) kubeconfig() string      { return l.path("kubeconfig") }
func (l Layout) env() string             { return l.path("env") }

// short is a folder outside the repository with a short name that everybody may pass through: the path of a Unix
// socket has at most 107 bytes, and PostgreSQL's own user must reach its data below a home that only its owner may enter.
func (l Layout) short() string { return filepath.Join("/run", "soma-"+l.ID) }

// data is where the parts keep their data: as root it is seen through short.
func (l Layout) data(rooted bool, elements ...string) string {
	base := l.path("data")
	if rooted {
		base = filepath.Join(l.short(), "data")
	}
	return filepath.Join(append([]string{base}, elements...)...)
}

func (l Layout) netns() string            { return "soma-" + l.ID }
func (l Layout) cgroup() string           { return "/soma-" + l.ID }
func (l Layout) containerdSocket() string { return filepath.Join(l.short(), "containerd.sock") }

// makeFolders makes what is written to; all but the images is nobody else's to read.
func (l Layout) makeFolders() error {
	for _, name := range []string{"bin", "data", "logs", "run", "pki", "conf", "images"} {
		if err := os.MkdirAll(l.path(name), 0o755); err != nil { //nolint:gosec // secrets below have modes of their own
			return err
		}
	}
	// Whatever the umask: PostgreSQL's own user passes through the one, and nobody else may read the other.
	if err := os.Chmod(l.path("data"), 0o755); err != nil { //nolint:gosec // secrets below have modes of their own
		return err
	}
	return os.Chmod(l.pki(), 0o700)
}

// writeFile writes a file that a part of the cluster may be watching: one that says the same already is not touched, as
// some parts start anew whenever their file is written.
func writeFile(path, text string, mode os.FileMode) error {
	if old, err := os.ReadFile(filepath.Clean(path)); err == nil && string(old) == text {
		return nil
	}
	return os.WriteFile(path, []byte(text), mode) //nolint:gosec // the folder of the cluster, which who starts it names
}
