package ports

import (
	"errors"
	"net"
	"slices"
	"testing"
)

func TestChoose(t *testing.T) {
	all := func(int) bool { return true }
	tests := map[string]struct {
		wanted []int
		seed   uint32
		free   func(int) bool
		want   []int
		err    error
	}{
		"in a row from the seed":         {[]int{0, 0}, 5, all, []int{20005, 20006}, nil},
		"a remembered port stays":        {[]int{0, 25000}, 0, all, []int{20000, 25000}, nil},
		"a remembered port is not taken": {[]int{0, 20000}, 0, all, []int{20001, 20000}, nil},
		"goes on at the beginning":       {[]int{0, 0}, last - first - 1, all, []int{31999, 20000}, nil},
		"passes those in use":            {[]int{0}, 0, func(p int) bool { return p > 20002 }, []int{20003}, nil},
		"none is free":                   {[]int{0}, 7, func(int) bool { return false }, nil, ErrNone},
		"a seed beyond the range":        {[]int{0}, 4294967295, all, []int{20000 + int(uint32(4294967295)%(last-first))}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Choose(test.wanted, test.seed, test.free)
			if !errors.Is(err, test.err) || !slices.Equal(got, test.want) {
				t.Errorf("Choose = %v, %v; want %v, %v", got, err, test.want, test.err)
			}
		})
	}
}

func TestFree(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if Free(port) {
		t.Errorf("port %d is free although something listens there", port)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if !Free(port) {
		t.Errorf("port %d is not free although nothing listens there", port)
	}
}
