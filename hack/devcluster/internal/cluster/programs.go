package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/soma-platform/soma/hack/devcluster/internal/debian"
)

// What the cluster takes from the distribution.
var (
	postgresServer = debian.Program{Glob: "/usr/lib/postgresql/*/bin/postgres", Package: "postgresql", Service: "postgresql", Why: "PostgreSQL keeps the history"}
	psql           = debian.Program{Glob: "/usr/lib/postgresql/*/bin/psql", Package: "postgresql-client", Why: "PostgreSQL's client makes the database"}
	redisServer    = debian.Program{Glob: "/usr/bin/redis-server", Package: "redis-server", Service: "redis-server", Why: "Redis holds what the data plane caches"}
	containerd     = debian.Program{Glob: "/usr/bin/containerd", Package: "containerd", Service: "containerd", Why: "the real node runs containers"}
	ctr            = debian.Program{Glob: "/usr/bin/ctr", Package: "containerd", Service: "containerd", Why: "images are given to the real node"}
	runc           = debian.Program{Glob: "/usr/sbin/runc", Package: "runc", Why: "containerd starts containers by it"}
	cniPTP         = debian.Program{Glob: "/usr/lib/cni/ptp", Package: "containernetworking-plugins", Why: "pods get their network by it"}
	iptables       = debian.Program{Glob: "/usr/sbin/iptables", Package: "iptables", Why: "kube-proxy makes services by it"}
	conntrack      = debian.Program{Glob: "/usr/sbin/conntrack", Package: "conntrack", Why: "kube-proxy forgets connections of ended pods by it"}
	mount          = debian.Program{Glob: "/usr/bin/mount", Package: "mount", Why: "the kubelet mounts volumes by it"}
	slirp          = debian.Program{Glob: "/usr/bin/slirp4netns", Package: "slirp4netns", Why: "the cluster's own network reaches the outside through it"}
)

// What tests take beside it: so a machine on which the cluster is up needs nothing else for them.
var (
	gcc     = debian.Program{Glob: "/usr/bin/gcc", Package: "gcc", Why: "the tests' race detector is linked by a C compiler"}
	headers = debian.Program{Glob: "/usr/include/stdlib.h", Package: "libc6-dev", Why: "the C compiler needs the headers of the C library"}
	caddy   = debian.Program{Glob: "/usr/bin/caddy", Package: "caddy", Service: "caddy", Why: "pages of jobs are tested behind a second proxy"}
)

// programs are the ones needed: without root there is no node with real containers.
func programs(rooted bool) []debian.Program {
	needed := []debian.Program{postgresServer, psql, redisServer}
	if rooted {
		needed = append(needed, containerd, ctr, runc, cniPTP, iptables, conntrack, mount, slirp, gcc, headers, caddy)
	}
	return needed
}

// install makes sure that the distribution's programs are there.
func (c *Cluster) install(ctx context.Context) error {
	missing := debian.Missing(programs(c.Rooted))
	if len(missing) == 0 {
		return nil
	}
	if !c.Rooted {
		return missingError(missing)
	}
	return c.progress.Step("packages", func() error {
		return debian.Install(ctx, missing, c.progress.Out, c.log("packages"))
	})
}

// missingError tells a person without root what to ask for.
func missingError(missing []debian.Program) error {
	var reasons, packages []string
	for _, program := range missing {
		if !slices.Contains(packages, program.Package) {
			reasons = append(reasons, program.Package+" ("+program.Why+")")
			packages = append(packages, program.Package)
		}
	}
	return fmt.Errorf("packages are missing that only root may install: %s; run `sudo apt-get install --no-install-recommends %s`, then this again",
		strings.Join(reasons, ", "), strings.Join(packages, " "))
}

// notThere tells whether an error only says that there is nothing.
func notThere(err error) bool { return errors.Is(err, os.ErrNotExist) }
