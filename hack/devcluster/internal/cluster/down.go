package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/prometheus/procfs"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/soma-platform/soma/hack/devcluster/internal/netns"
	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// stopOrder names who ends before whom: nobody shall miss somebody it needs. The API server ends only after its last
// watch, so before it goes all that may watch: programs that were started beside the cluster, the parts of the cluster,
// callers from the machine (with forward) and the containers.
var stopOrder = [][]string{
	{"forward", "gpu-plugin", "kwok", "kubelet", "kube-proxy", "dns", "kube-controller-manager", "kube-scheduler"},
	{"kube-apiserver"},
	{"etcd", "postgres", "redis"},
	{"outside"},
}

// Down ends the cluster's processes and containers and removes what it made on the machine. Its data stays, for the next
// Up, unless purge is set.
func (c *Cluster) Down(purge bool) error {
	if _, err := os.Stat(c.path("run")); notThere(err) {
		c.progress.Say("There is no cluster in %s.", c.Dir)
		return nil
	}
	release, err := c.lock()
	if err != nil {
		return err
	}
	defer release()
	// What one step leaves behind shall not keep the others from being done.
	failed := []error{c.stopOthers()}
	for i, names := range stopOrder {
		failed = append(failed, c.stopAll(names))
		if i == 0 && os.Geteuid() == 0 {
			failed = append(failed, c.progress.Step("containers", c.endContainers))
		}
	}
	if os.Geteuid() == 0 {
		failed = append(failed, c.removeGround())
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if purge {
		c.progress.Say("  removing %s", c.Dir)
		return os.RemoveAll(c.Dir)
	}
	return nil
}

// stopAll ends processes, all at a time.
func (c *Cluster) stopAll(names []string) error {
	results := make(chan error)
	for _, name := range names {
		go func() {
			if _, err := c.processes.Get(name); notThere(err) {
				results <- nil
				return
			}
			results <- c.progress.Step(name, func() error { return c.processes.Stop(name) })
		}()
	}
	var failed []error
	for range names {
		failed = append(failed, <-results)
	}
	return errors.Join(failed...)
}

// stopOthers ends what was started beside the cluster.
func (c *Cluster) stopOthers() error {
	records, err := c.processes.List()
	if err != nil {
		return err
	}
	var names []string
	for _, record := range records {
		if record.Name != "containerd" && !slices.ContainsFunc(stopOrder, func(group []string) bool { return slices.Contains(group, record.Name) }) {
			names = append(names, record.Name)
		}
	}
	return c.stopAll(names)
}

// endContainers kills all that runs in the cluster's cgroup, then containerd and its shims, and removes the cgroup.
func (c *Cluster) endContainers() error {
	group, err := c.cgroupManager()
	if err != nil {
		return fmt.Errorf("open cgroup %s: %w", c.cgroup(), err)
	}
	if err := endAll(group); err != nil {
		return err
	}
	// While containerd runs it removes the shims of containers that ended; those it missed are ended here.
	if err := c.processes.Stop("containerd"); err != nil {
		return err
	}
	if err := c.endShims(); err != nil {
		return err
	}
	if err := endAll(group); err != nil {
		return err
	}
	if err := group.Destroy(); err != nil {
		return fmt.Errorf("remove cgroup %s: %w", c.cgroup(), err)
	}
	return nil
}

const containersGrace = 30 * time.Second

// endAll kills every process of a cgroup and those below it until none is left.
func endAll(group cgroups.Manager) error {
	if !group.Exists() {
		return nil
	}
	return wait.PollUntilContextTimeout(context.Background(), readyInterval, containersGrace, true, func(context.Context) (bool, error) {
		pids, err := group.GetAllPids()
		if err != nil {
			// A cgroup that went while it was read.
			return !group.Exists(), nil
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return len(pids) == 0, nil
	})
}

// endShims ends the containerd shims that belong to this cluster: the address of its containerd is among their arguments.
func (c *Cluster) endShims() error {
	procs, err := procfs.AllProcs()
	if err != nil {
		return err
	}
	var failed []error
	for _, proc := range procs {
		args, err := proc.CmdLine()
		if err != nil || len(args) == 0 || !strings.HasPrefix(filepath.Base(args[0]), "containerd-shim") {
			continue
		}
		if !slices.Contains(args, c.containerdSocket()) {
			continue
		}
		record, err := process.Observe(proc.PID, "containerd-shim", syscall.SIGKILL)
		if err != nil {
			continue
		}
		failed = append(failed, process.End(record))
	}
	return errors.Join(failed...)
}

// removeGround removes mounts, the network namespace and all in it, the short folder, and what the node's parts left in
// folders of the machine's.
func (c *Cluster) removeGround() error {
	if err := unmountAll(c.short()); err != nil {
		return err
	}
	if err := netns.Delete(c.netns()); err != nil {
		return err
	}
	left, err := c.litter()
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil && !notThere(err) {
			return err
		}
	}
	return os.RemoveAll(c.short())
}

// litter lists what the node's parts left in folders that they share with others of the machine.
func (c *Cluster) litter() ([]string, error) {
	const results = "/var/lib/cni/results"
	// The CNI library notes each pod's network here as NETWORK-SANDBOX-INTERFACE, and its loopback likewise.
	left, err := filepath.Glob(filepath.Join(results, c.netns()+"-*-eth0"))
	if err != nil {
		return nil, err
	}
	for _, path := range slices.Clone(left) {
		sandbox := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), c.netns()+"-"), "-eth0")
		left = append(left, filepath.Join(results, "cni-loopback-"+sandbox+"-lo"))
	}
	// Each shim notes the socket it listens on, which is in a folder of all shims.
	notes, err := filepath.Glob(filepath.Join(c.short(), "containerd", "io.containerd.runtime.v2.task", "*", "*", "address"))
	if err != nil {
		return nil, err
	}
	for _, note := range notes {
		address, err := os.ReadFile(filepath.Clean(note))
		if err != nil {
			return nil, err
		}
		if socket, found := strings.CutPrefix(strings.TrimSpace(string(address)), "unix://"); found {
			left = append(left, socket)
		}
	}
	return left, nil
}
