// Package ports finds free TCP ports on the loopback.
package ports

import (
	"errors"
	"net"
	"strconv"
)

// Ports are taken from below what Linux hands out for outgoing connections (32768 and above), so that a remembered
// port is still free after the cluster was down for a while.
const (
	first = 20000
	last  = 32000
)

// ErrNone means that so many ports of the range are in use that not enough are left.
var ErrNone = errors.New("not enough free ports between 20000 and 32000 on 127.0.0.1; end what listens there")

// Free tells whether nothing listens on a port of 127.0.0.1 now.
func Free(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// Choose fills the zeroes among the wanted ports with different ports that are free. Where it starts to look depends on
// the seed, so that clusters of different folders rarely try the same.
func Choose(wanted []int, seed uint32, free func(port int) bool) ([]int, error) {
	chosen := make([]int, 0, len(wanted))
	taken := make(map[int]bool, len(wanted))
	for _, port := range wanted {
		taken[port] = true
	}
	offset, left := int(seed%(last-first)), last-first
	for _, port := range wanted {
		for ; port == 0 && left > 0; left-- {
			candidate := first + offset
			offset = (offset + 1) % (last - first)
			if !taken[candidate] && free(candidate) {
				port = candidate
			}
		}
		if port == 0 {
			return nil, ErrNone
		}
		taken[port] = true
		chosen = append(chosen, port)
	}
	return chosen, nil
}
