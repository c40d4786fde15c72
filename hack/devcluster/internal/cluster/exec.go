package cluster

import (
	"os"
	"os/exec"
	"syscall"

	"github.com/soma-platform/soma/hack/devcluster/internal/netns"
)

// Exec becomes a command that runs in the cluster's own network.
func (c *Cluster) Exec(args []string) error {
	program, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	path := ""
	if netns.Exists(c.netns()) {
		path = netns.Path(c.netns())
	}
	return netns.Do(path, func() error { return syscall.Exec(program, args, os.Environ()) }) //nolint:gosec // that is what it is for
}
