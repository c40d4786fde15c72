package cluster

import (
	"context"
	"fmt"
	"net"

	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// clusterDomain is what names of services and pods end with.
const clusterDomain = "cluster.local"

// dnsConfig renders the configuration of the DNS for pods: the cluster's names by its API, all others by the outside.
func dnsConfig(kubeconfig string) string {
	return fmt.Sprintf(`.:53 {
    bind %s
    errors
    ready 127.0.0.1:8181
    kubernetes %s in-addr.arpa {
        kubeconfig %q
        pods insecure
        ttl 5
    }
    forward . %s
    cache 5
}
`, nodeAddress, clusterDomain, kubeconfig, outsideResolver)
}

// startDNS brings the DNS for pods up, on the node's address.
func (c *Cluster) startDNS(ctx context.Context, creds credentials) error {
	file := c.conf("Corefile")
	text := dnsConfig(creds.kubeconfigs["dns"])
	if err := writeFile(file, text, 0o600); err != nil {
		return err
	}
	return c.start(ctx, process.Spec{Name: "dns", Path: c.bin("dns"), Args: []string{"-conf", file}, Settings: text}, func(ctx context.Context) error {
		if err := c.healthy(ctx, creds.ca.Cert, "http://127.0.0.1:8181/ready"); err != nil {
			return err
		}
		return c.reachable(ctx, net.JoinHostPort(nodeAddress, "53"))
	})
}
