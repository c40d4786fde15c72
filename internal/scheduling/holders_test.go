package scheduling

import (
	"fmt"
	"testing"
	"time"
)

// Who is held back for another one is held up by what is kept for that one, and not by all that run on nodes like those that it could use.
func TestHoldersOfWhoIsHeldBack(t *testing.T) {
	crowd := []any{gpuQuota("crowd", 100), gpuNode("full", "A100", 64), gpuNode("n", "A100", 64)}
	for i := range 10 {
		crowd = append(crowd, runs(fmt.Sprint("crowd-", i), "full", 6, 0, of("crowd", 0)))
	}
	const until = "2026-01-01 02:00:00 UTC at the latest"
	tests := map[string]struct {
		world         []any
		small         Waiting
		text, holders string
	}{
		"in its own queue": {
			[]any{gpuQuota("a", 8), runs("r", "n", 4, 2*time.Hour, of("a", 0)), job("big", 8, under("a"))}, job("small", 2, under("a"), after(time.Minute)),
			"others before it in the queue would have to wait longer if it started; they start at " + until, "[{a 1 8}]",
		},
		"in another queue of its tree, for several replicas": {
			[]any{gpuQuota("all", 8), child("a", "all", 0), child("b", "all", 0), runs("r", "n", 4, 2*time.Hour, of("a", 0)), job("big", 4, replicas(2), under("a"))},
			job("small", 2, under("b"), after(time.Minute)),
			`a job of quota "a" that goes before it would have to wait longer if it started; that starts at ` + until, "[{a 1 8}]",
		},
		"on nodes, in another tree": {
			[]any{gpuQuota("a", 80), gpuQuota("b", 80), runs("r", "n", 4, 2*time.Hour, of("a", 0)), job("big", 64, under("a"))}, job("small", 8, under("b"), after(time.Minute)),
			`a job of quota "a" that goes before it would have to wait longer if it started; that starts at ` + until, "[{a 1 64}]",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := engineWith(append(crowd, tc.world...)...)
			e.Decide(start)
			e.SetWaiting(tc.small)
			e.Decide(start.Add(time.Minute))
			if got := e.Message("small"); got != tc.text {
				t.Errorf("%q\nwant %q", got, tc.text)
			}
			if got := fmt.Sprint(e.Holders("small", 3)); got != tc.holders {
				t.Errorf("held up by %s, want %s", got, tc.holders)
			}
		})
	}
}
