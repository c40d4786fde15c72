package scheduling

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Nodes become whole: a job goes where it is the least longer until the node is empty, and only then where the least is left.
func TestNodesBecomeWhole(t *testing.T) {
	unknownEnd := time.Duration(0)
	for name, tc := range map[string]struct {
		world []any
		want  string
	}{
		"to a node that is in use for as long anyway, though another is fuller": {
			world: []any{runs("r", "a", 3, time.Hour), runs("s", "b", 1, 9*time.Hour), job("new", 1, lasts(5*time.Hour))},
			want:  "b",
		},
		"of those that are, to the one that it fills best": {
			world: []any{runs("r", "a", 1, 9*time.Hour), runs("s", "b", 3, 6*time.Hour), job("new", 1, lasts(5*time.Hour))},
			want:  "b",
		},
		"where none is, to the one that is in use longest": {
			world: []any{runs("r", "a", 3, time.Hour), runs("s", "b", 1, 2*time.Hour), job("new", 1, lasts(5*time.Hour))},
			want:  "b",
		},
		"an empty node stays empty": {
			world: []any{runs("r", "b", 1, time.Minute), job("new", 1, lasts(5*time.Hour))},
			want:  "b",
		},
		"a job whose end is not known goes to others such": {
			world: []any{runs("r", "a", 3, 9*time.Hour), runs("s", "b", 1, unknownEnd), job("new", 1)},
			want:  "b",
		},
		"a node is in use for as long as the last of its jobs": {
			world: []any{runs("r", "a", 2, 2*time.Hour), runs("s", "b", 1, 9*time.Hour), runs("t", "b", 1, time.Hour), job("new", 1, lasts(5*time.Hour))},
			want:  "b",
		},
		"a life span that was made shorter counts": {
			world: []any{runs("r", "a", 1, 9*time.Hour), runs("r", "a", 1, time.Hour), runs("s", "b", 1, 2*time.Hour), job("new", 1, lasts(5*time.Hour))},
			want:  "b",
		},
		"a node that comes back is in use as before": {
			world: []any{runs("r", "a", 3, time.Hour), runs("s", "b", 1, 9*time.Hour), gpuNode("b", "A100", 6), job("new", 1, lasts(5*time.Hour))},
			want:  "b",
		},
		"other kinds of nodes with the same GPUs": {
			world: []any{otherPool("c"), runs("r", "a", 3, time.Hour), runs("s", "c", 1, 9*time.Hour), job("new", 1, lasts(5*time.Hour))},
			want:  "c",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := engineWith(append([]any{wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4)}, tc.world...)...)
			if diff := cmp.Diff(map[string]string{"new": tc.want}, outcome(e, e.Decide(start))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What has ended keeps no node in use.
func TestAnEndMakesANodeWhole(t *testing.T) {
	e := engineWith(wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4), runs("r", "a", 1, 9*time.Hour), runs("q", "a", 2, time.Hour), runs("s", "b", 1, 2*time.Hour))
	e.RemoveRunning("r")
	e.SetWaiting(job("new", 1, lasts(5*time.Hour)))
	if diff := cmp.Diff(map[string]string{"new": "b"}, outcome(e, e.Decide(start))); diff != "" {
		t.Error(diff)
	}
}

func otherPool(name string) Node {
	n := gpuNode(name, "A100", 4)
	n.Pool = "other"
	return n
}

// A gang keeps off the node to avoid, though it would be on one node there.
func TestGangsAvoidANode(t *testing.T) {
	for name, tc := range map[string]struct {
		world []any
		want  string
	}{
		"where others have room":    {[]any{gpuNode("b", "A100", 4), gpuNode("c", "A100", 4)}, "b c"},
		"where they have not":       {[]any{gpuNode("b", "A100", 4)}, "a*2"},
		"on a single one of others": {[]any{gpuNode("b", "A100", 4), gpuNode("c", "A100", 8)}, "c*2"},
	} {
		t.Run(name, func(t *testing.T) {
			e := engineWith(append([]any{wide(), gpuNode("a", "A100", 8), job("gang", 4, replicas(2), avoids("a"))}, tc.world...)...)
			if diff := cmp.Diff(map[string]string{"gang": tc.want}, outcome(e, e.Decide(start))); diff != "" {
				t.Error(diff)
			}
		})
	}
}
