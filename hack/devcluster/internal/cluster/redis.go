package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// redisURL is how Redis is reached at an address, by TLS.
func (c *Cluster) redisURL(address string) string {
	return fmt.Sprintf("rediss://default:%s@%s/0", c.RedisPassword, net.JoinHostPort(address, strconv.Itoa(c.Ports.Redis)))
}

// startRedis brings Redis up, which takes connections by TLS alone. Nothing is ever lost with it, so it writes nothing to disk.
func (c *Cluster) startRedis(ctx context.Context, creds credentials) error {
	server, err := redisServer.Find()
	if err != nil {
		return err
	}
	dir := c.data(c.Rooted, "redis")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// The password is in a file, as everybody can read a process's arguments.
	file := c.conf("redis.conf")
	addresses := "127.0.0.1"
	if c.Rooted {
		// For pods.
		addresses += " " + nodeAddress
	}
	certificate, err := os.ReadFile(creds.redis.Cert)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("bind %s\nport 0\ntls-port %d\ntls-cert-file %q\ntls-key-file %q\ntls-ca-cert-file %q\ntls-auth-clients no\ndir %q\nrequirepass %s\nsave \"\"\nappendonly no\nmaxmemory 256mb\n", addresses, c.Ports.Redis, creds.redis.Cert, creds.redis.Key, creds.ca.Cert, dir, c.RedisPassword)
	if err := writeFile(file, text, 0o600); err != nil {
		return err
	}
	return c.start(ctx, process.Spec{Name: "redis", Path: server, Args: []string{file}, Settings: text + string(certificate)},
		func(ctx context.Context) error { return c.reachable(ctx, loopback(c.Ports.Redis)) })
}
