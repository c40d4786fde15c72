// Package netns gives a cluster a network of its own: a named network namespace that holds its node's interfaces,
// its firewall rules and its fixed addresses. Two clusters of one machine then never meet, and what a cluster did to
// its network is gone with the namespace.
package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const dir = "/run/netns"

// Path is the file that stands for the namespace of this name.
func Path(name string) string { return filepath.Join(dir, name) }

// Exists tells whether the file stands for a namespace; a file that a reboot left behind does not.
func Exists(name string) bool {
	handle, err := netns.GetFromPath(Path(name))
	if err != nil {
		return false
	}
	defer func() { _ = handle.Close() }()
	return Do(Path(name), func() error { return nil }) == nil
}

// Create makes the namespace with its loopback up and an interface that carries the node's address.
func Create(name, link string, address *net.IPNet) error {
	if err := os.Remove(Path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove what is left of network namespace %s: %w", name, err)
	}
	// The thread that makes the namespace is in it afterwards: it ends with this goroutine, as it is never unlocked.
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		handle, err := netns.NewNamed(name)
		if err != nil {
			failed <- fmt.Errorf("make network namespace %s: %w", name, err)
			return
		}
		defer func() { _ = handle.Close() }()
		failed <- addInterfaces(link, address)
	}()
	return <-failed
}

func addInterfaces(name string, address *net.IPNet) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback interface: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("bring the loopback interface up: %w", err)
	}
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add bridge %s: %w", name, err)
	}
	if err := netlink.AddrAdd(bridge, &netlink.Addr{IPNet: address}); err != nil {
		return fmt.Errorf("give bridge %s the address %s: %w", name, address, err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return fmt.Errorf("bring bridge %s up: %w", name, err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600)
}

// Refuse has a network namespace lead nowhere what goes to a network.
func Refuse(name string, network *net.IPNet) error {
	return Do(Path(name), func() error {
		if err := netlink.RouteReplace(&netlink.Route{Dst: network, Type: unix.RTN_UNREACHABLE}); err != nil {
			return fmt.Errorf("refuse what goes to %s: %w", network, err)
		}
		return nil
	})
}

// Delete removes the name; the kernel removes the namespace and all in it with the last process that is in it.
func Delete(name string) error {
	if _, err := os.Stat(Path(name)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := netns.DeleteNamed(name); err != nil {
		return fmt.Errorf("remove network namespace %s: %w", name, err)
	}
	return nil
}

// Do calls a function on a thread that is in the namespace; an empty path means to stay. What the function starts
// or opens at once belongs to the namespace; goroutines that it starts do not.
func Do(path string, call func() error) error {
	if path == "" {
		return call()
	}
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("find this thread's network namespace: %w", err)
	}
	defer func() { _ = home.Close() }()
	target, err := netns.GetFromPath(path)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("open network namespace %s: %w", path, err)
	}
	defer func() { _ = target.Close() }()
	if err := netns.Set(target); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace %s: %w", path, err)
	}
	failed := call()
	// A thread that cannot go home stays locked, so that the runtime ends it with its goroutine.
	if err := netns.Set(home); err != nil {
		return errors.Join(failed, fmt.Errorf("leave network namespace %s: %w", path, err))
	}
	runtime.UnlockOSThread()
	return failed
}

// Dial connects to an address, which must be a literal IP, from within the namespace.
func Dial(ctx context.Context, path, address string) (net.Conn, error) {
	var conn net.Conn
	err := Do(path, func() (err error) {
		var dialer net.Dialer
		conn, err = dialer.DialContext(ctx, "tcp", address)
		return err
	})
	return conn, err
}
