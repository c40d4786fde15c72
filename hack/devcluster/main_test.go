package main

import (
	"testing"

	"github.com/soma-platform/soma/hack/devcluster/internal/cluster"
)

func TestNodes(t *testing.T) {
	tests := map[string]struct {
		want int
		err  bool
	}{
		"":      {want: cluster.AsBefore},
		"0":     {want: 0},
		"1000":  {want: 1000},
		"-1":    {err: true},
		"many":  {err: true},
		"99999": {err: true},
	}
	for text, test := range tests {
		got, err := nodes(text)
		if got != test.want || (err != nil) != test.err {
			t.Errorf("nodes(%q) = %d, %v; want %d, error %v", text, got, err, test.want, test.err)
		}
	}
}
