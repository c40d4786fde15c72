package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Isolate becomes a program that sees other folders in the place of some of the machine's. It is for the kubelet, which
// keeps the sockets of device plugins in /var/lib/kubelet and links to logs in /var/log/containers whatever its settings
// say: the kubelets of two clusters would remove each other's. Each bind is FOLDER:PLACE. It must be called on the
// process's first thread, locked.
func Isolate(binds, args []string) error {
	if len(binds) > 0 {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("make a mount namespace: %w", err)
		}
	}
	for _, bind := range binds {
		folder, place, found := strings.Cut(bind, ":")
		if !found {
			return fmt.Errorf("--bind=%s: must be FOLDER:PLACE", bind)
		}
		if err := replace(folder, place); err != nil {
			return err
		}
	}
	return syscall.Exec(args[0], args, os.Environ()) //nolint:gosec // that is what it is for
}

// replace mounts a folder at a place for this process alone. All other mounts go on to be shared with the machine, as
// containers must see the volumes that the kubelet mounts.
func replace(folder, place string) error {
	for _, dir := range []string{folder, place} {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // as the kubelet makes them
			return err
		}
	}
	place, err := filepath.EvalSymlinks(place)
	if err != nil {
		return err
	}
	around, err := mountinfo.GetMounts(mountinfo.ParentsFilter(place))
	if err != nil {
		return err
	}
	if len(around) == 0 {
		return fmt.Errorf("no mount holds %s", place)
	}
	// The innermost one: were it shared, so would be what is mounted on it.
	holder := around[0].Mountpoint
	for _, mount := range around {
		if len(mount.Mountpoint) > len(holder) {
			holder = mount.Mountpoint
		}
	}
	if err := unix.Mount("", holder, "", unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts on %s to this process: %w", holder, err)
	}
	if err := unix.Mount(folder, place, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s at %s: %w", folder, place, err)
	}
	return nil
}
