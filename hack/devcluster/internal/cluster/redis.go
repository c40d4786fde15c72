package cluster

import (
	"context"
	"fmt"
	"os"

	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// startRedis brings Redis up. Nothing is ever lost with it, so it writes nothing to disk.
func (c *Cluster) startRedis(ctx context.Context) error {
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
	text := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %q\nrequirepass %s\nsave \"\"\nappendonly no\nmaxmemory 256mb\n", c.Ports.Redis, dir, c.RedisPassword)
	if err := writeFile(file, text, 0o600); err != nil {
		return err
	}
	return c.start(ctx, process.Spec{Name: "redis", Path: server, Args: []string{file}, Settings: text},
		func(ctx context.Context) error { return c.reachable(ctx, loopback(c.Ports.Redis)) })
}
