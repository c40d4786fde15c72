package cluster

import (
	"os"
	"path/filepath"
	"testing"
)

// Who brought a thousand simulated nodes up keeps them until they say another number.
func TestStateKeepsNodes(t *testing.T) {
	layout, err := NewLayout(t.TempDir(), ".soma")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(layout.Dir, "run"), 0o750); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		running     bool
		nodes, want int
	}{
		{false, AsBefore, defaultNodes},
		{true, 1000, 1000},
		{true, AsBefore, 1000},
		{false, AsBefore, 1000},
		{false, 0, 0},
		{true, AsBefore, 0},
	} {
		s, err := loadState(layout, true, step.running, step.nodes)
		if err != nil {
			t.Fatal(err)
		}
		if s.Nodes != step.want {
			t.Errorf("step %d: %d nodes, want %d", i, s.Nodes, step.want)
		}
	}
}
