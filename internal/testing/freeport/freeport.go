// Package freeport finds ports for the servers that tests start.
package freeport

import (
	"errors"
	"fmt"
	"net"
)

// Find is a port of this machine's loopback on which nothing listens.
func Find() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil || !ok {
		return 0, errors.Join(fmt.Errorf("no port at %s", listener.Addr()), err)
	}
	return address.Port, nil
}
