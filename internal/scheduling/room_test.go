package scheduling

import (
	"fmt"
	"testing"
)

func TestRooms(t *testing.T) {
	spot := func(n Node) Node { n.Spot = true; return n }
	holding := func(n Node, gpus int64) Node { n.Foreign = Amounts{GPUs: gpus}; return n }
	asks := func(gpus int64, models ...string) Request {
		return Request{Replica: Amounts{MilliCPU: 1000, Memory: gib, GPUs: gpus}, Replicas: 1, Models: models}
	}
	tests := map[string]struct {
		nodes []Node
		asks  Request
		want  string
	}{
		"beside each other":           {[]Node{gpuNode("a", "A100", 8), holding(gpuNode("b", "A100", 8), 5)}, asks(2), "5 [{A100 5}] "},
		"of the model alone":          {[]Node{gpuNode("a", "A100", 8), gpuNode("b", "H100", 8)}, asks(4, "H100"), "2 [{H100 2}] "},
		"of any of the models":        {[]Node{gpuNode("a", "A100", 8), gpuNode("b", "H100", 8)}, asks(4, "H100", "A100"), "4 [{H100 2} {A100 2}] "},
		"not on spot nodes":           {[]Node{spot(gpuNode("a", "A100", 8))}, asks(1), "0 [] NoSuchNode"},
		"on no node":                  {nil, asks(0), "0 [] NoSuchNode"},
		"on no node that is so large": {[]Node{gpuNode("a", "A100", 4)}, asks(8), "0 [{A100 0}] NoSuchNode"},
		"in parts":                    {[]Node{holding(gpuNode("a", "A100", 8), 4), holding(gpuNode("b", "A100", 8), 4)}, asks(8), "0 [{A100 0}] Fragmented"},
		"not now":                     {[]Node{holding(gpuNode("a", "A100", 8), 4)}, asks(8), "0 [{A100 0}] InUse"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			rooms := OpenRooms(tc.nodes)
			rooms.For(asks(3)) // what was asked before leaves no trace
			n, models, limit := rooms.For(tc.asks)
			if got := fmt.Sprintf("%d %v %s", n, models, limit); got != tc.want {
				t.Errorf("room for %q, want %q", got, tc.want)
			}
		})
	}
}
