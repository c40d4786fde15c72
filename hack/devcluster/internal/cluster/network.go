package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/soma-platform/soma/hack/devcluster/internal/netns"
	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// outside is the interface through which the cluster's network reaches the outside, and who answers names there.
const (
	outsideLink     = "tap0"
	outsideResolver = "10.0.2.3"
)

// makeGround makes what all processes of a rooted cluster stand on: the short folder, through which its data is seen,
// and its network.
func (c *Cluster) makeGround() error {
	if !c.Rooted {
		return nil
	}
	data := c.data(true)
	if err := os.MkdirAll(data, 0o755); err != nil { //nolint:gosec // PostgreSQL's user passes through
		return err
	}
	if err := os.Chmod(c.short(), 0o755); err != nil { //nolint:gosec // PostgreSQL's user passes through
		return err
	}
	mounted, err := sameFolder(c.path("data"), data)
	if err != nil {
		return err
	}
	if !mounted {
		// A cluster whose folder was removed without `down` leaves that folder's mount.
		if err := unmountAll(c.short()); err != nil {
			return err
		}
		if err := unix.Mount(c.path("data"), data, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s at %s: %w", c.path("data"), data, err)
		}
		// Shared, as the kubelet's mounts must reach the containers; but first private, or each of these mounts would
		// appear below the repository too.
		for _, propagation := range []uintptr{unix.MS_PRIVATE, unix.MS_SHARED} {
			if err := unix.Mount("", data, "", propagation, ""); err != nil {
				return fmt.Errorf("set how mounts spread from %s: %w", data, err)
			}
		}
	}
	if netns.Exists(c.netns()) {
		return nil
	}
	// The node's address alone: the way to each pod is a route of its own, which the CNI plugin makes.
	return netns.Create(c.netns(), bridgeName, &net.IPNet{IP: net.ParseIP(nodeAddress).To4(), Mask: net.CIDRMask(32, 32)})
}

// sameFolder tells whether two paths lead to one folder.
func sameFolder(a, b string) (bool, error) {
	first, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	second, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	return os.SameFile(first, second), nil
}

// publish makes the ports that people and programs of this machine use reachable on its loopback.
func (c *Cluster) publish(ctx context.Context) error {
	if !c.Rooted {
		return nil
	}
	published := []int{c.Ports.APIServer, c.Ports.Postgres, c.Ports.Redis, c.Ports.Dex}
	args := []string{"forward", "--netns=" + c.namespace()}
	for _, port := range published {
		args = append(args, "--port="+strconv.Itoa(port))
	}
	// The gateway, and Traefik before the pages of jobs, are pods behind services, which are there later.
	for _, service := range []struct {
		port    int
		address string
	}{
		{c.Ports.Gateway, net.JoinHostPort(gatewayAddress, "443")},
		{c.Ports.Pages, net.JoinHostPort(pagesAddress, "443")},
		{c.Ports.PagesHTTP, net.JoinHostPort(pagesAddress, "80")},
	} {
		args = append(args, fmt.Sprintf("--to=%d=%s", service.port, service.address))
		published = append(published, service.port)
	}
	return c.startOutside(ctx, process.Spec{Name: "forward", Path: c.bin("devcluster"), Args: args}, func(ctx context.Context) error {
		var dialer net.Dialer
		for _, port := range published {
			conn, err := dialer.DialContext(ctx, "tcp", loopback(port))
			if err != nil {
				return err
			}
			_ = conn.Close()
		}
		return nil
	})
}

// openOutside gives the cluster's network a way out, as user code: it needs neither an interface nor a firewall rule of
// the machine's. Nothing outside can open a connection into the cluster by it.
func (c *Cluster) openOutside(ctx context.Context) error {
	if !c.Rooted {
		return nil
	}
	program, err := slirp.Find()
	if err != nil {
		return err
	}
	if err := c.startOutside(ctx, process.Spec{
		Name: "outside", Path: program,
		Args: []string{"--configure", "--mtu=65520", "--disable-host-loopback", "--netns-type=path", c.namespace(), outsideLink},
	}, func(context.Context) error {
		return netns.Do(c.namespace(), func() error {
			_, err := net.InterfaceByName(outsideLink)
			return err
		})
	}); err != nil {
		return err
	}
	// Simulated pods have addresses, and whoever has them outside is not asked in their place.
	_, simulated, err := net.ParseCIDR(simulatedPodCIDR)
	if err != nil {
		return err
	}
	if err := netns.Refuse(c.netns(), simulated); err != nil {
		return err
	}
	// What leaves has the interface's address, not a pod's.
	rule := []string{"POSTROUTING", "-s", podCIDR, "-o", outsideLink, "-j", "MASQUERADE"}
	if c.iptables(ctx, append([]string{"-t", "nat", "-C"}, rule...)) == nil {
		return nil
	}
	return c.iptables(ctx, append([]string{"-t", "nat", "-A"}, rule...))
}

func (c *Cluster) iptables(ctx context.Context, args []string) error {
	program, err := iptables.Find()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"--wait"}, args...)...) //nolint:gosec // found by us
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := netns.Do(c.namespace(), cmd.Start); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("iptables %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}

// unmountAll unmounts all that is mounted at or below a folder, the last mounted first.
func unmountAll(dir string) error {
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	if err != nil {
		return fmt.Errorf("read what is mounted below %s: %w", dir, err)
	}
	var failed []error
	for i := len(mounts) - 1; i >= 0; i-- {
		if err := unix.Unmount(mounts[i].Mountpoint, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			failed = append(failed, fmt.Errorf("unmount %s: %w", mounts[i].Mountpoint, err))
		}
	}
	return errors.Join(failed...)
}
