// Package forward makes ports of a cluster's network namespace reachable on the machine's loopback.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/soma-platform/soma/hack/devcluster/internal/netns"
)

const (
	// maxConnections bounds what one port serves at a time; more callers wait.
	maxConnections = 2048
	dialTimeout    = 5 * time.Second
)

// Run serves each port on 127.0.0.1 and connects callers to the same port of 127.0.0.1 inside the namespace at path, and ports
// with an address of their own to that, until the context ends.
func Run(ctx context.Context, path string, ports []int, to map[string]string) error {
	leads := map[string]string{}
	for _, port := range ports {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		leads[address] = address
	}
	for port, address := range to {
		leads[net.JoinHostPort("127.0.0.1", port)] = address
	}
	group, ctx := errgroup.WithContext(ctx)
	for outside, inside := range leads {
		listener, err := net.Listen("tcp", outside)
		if err != nil {
			return fmt.Errorf("publish %s: %w", outside, err)
		}
		context.AfterFunc(ctx, func() { _ = listener.Close() })
		group.Go(func() error { return serve(ctx, listener, path, inside) })
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func serve(ctx context.Context, listener net.Listener, path, address string) error {
	slots := make(chan struct{}, maxConnections)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept on %s: %w", address, err)
		}
		go func() {
			defer func() { <-slots }()
			if err := join(ctx, conn.(*net.TCPConn), path, address); err != nil {
				slog.Warn("a connection was not forwarded", "to", address, "error", err)
			}
		}()
	}
}

// join copies both ways until both sides have said all they had to say.
func join(ctx context.Context, outer *net.TCPConn, path, address string) error {
	defer func() { _ = outer.Close() }()
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := netns.Dial(dialCtx, path, address)
	if err != nil {
		return err
	}
	inner := conn.(*net.TCPConn)
	defer func() { _ = inner.Close() }()

	var both sync.WaitGroup
	for _, pair := range [][2]*net.TCPConn{{inner, outer}, {outer, inner}} {
		both.Go(func() {
			// A side that breaks off ends both: the error says no more than that.
			if _, err := io.Copy(pair[0], pair[1]); err != nil {
				_ = pair[0].Close()
				_ = pair[1].Close()
				return
			}
			_ = pair[0].CloseWrite()
		})
	}
	both.Wait()
	return nil
}
