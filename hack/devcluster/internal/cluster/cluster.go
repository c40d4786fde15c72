package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/soma-platform/soma/hack/devcluster/internal/netns"
	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// Options say which cluster is meant and how it shall be.
type Options struct {
	Layout Layout
	// Nodes is how many nodes are simulated; AsBefore keeps the number that there was.
	Nodes int
	// Platform tells whether Soma itself is installed once the cluster runs.
	Platform bool
	Progress *Progress
}

// AsBefore is the number of simulated nodes that there was, or defaultNodes in a new cluster.
const AsBefore = -1

// Cluster is a cluster on this machine, running or not.
type Cluster struct {
	Layout
	state

	options   Options
	progress  *Progress
	processes process.Table
}

// Open finds the cluster of the options. It changes nothing.
func Open(options Options) *Cluster {
	return &Cluster{
		Layout: options.Layout, options: options, progress: options.Progress,
		processes: process.Table{Dir: options.Layout.path("run", "processes")},
	}
}

// lock keeps two commands from changing one cluster at a time, until the returned function is called.
func (c *Cluster) lock() (func(), error) {
	file, err := os.OpenFile(c.path("run", "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another command works on the cluster in %s: wait until it ends", c.Dir)
		}
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return func() { _ = file.Close() }, nil
}

// running tells whether any process of the cluster runs.
func (c *Cluster) running() (bool, error) {
	records, err := c.processes.List()
	if err != nil {
		return false, err
	}
	for _, record := range records {
		if record.Alive() {
			return true, nil
		}
	}
	return false, nil
}

// namespace is the path of the network namespace that the cluster's processes are in; empty without root.
func (c *Cluster) namespace() string {
	if !c.Rooted {
		return ""
	}
	return netns.Path(c.netns())
}

// reachable tells whether something accepts connections at an address of the cluster's network.
func (c *Cluster) reachable(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := netns.Dial(ctx, c.namespace(), address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
