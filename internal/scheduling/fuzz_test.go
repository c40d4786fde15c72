package scheduling

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/soma-platform/soma/internal/testing/corpus"
)

// FuzzDecide turns bytes into a world of quotas, nodes and jobs, and into what happens in it: jobs come, end, and are cancelled, nodes
// and quotas come, change and go. After each decision all that the properties promise must hold. `make test-fuzz` looks for
// bytes for which it does not; without that, the corpus alone is played.
func FuzzDecide(f *testing.F) {
	corpus.Add(f, 16, 16<<10)
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		o := drawOptions(t)
		o.Reservations = rapid.IntRange(-1, 2).Draw(t, "reservations")
		life(t, o, func(e *Engine, m *model, d Decisions, now time.Time) {
			m.check(t, d.Starts, now)
			expectReasons(t, e, m)
			expectLedger(t, e, m)
			if len(e.heads) > 0 {
				return
			}
			if again := m.engine(o).Decide(now); len(again.Starts) > 0 {
				t.Fatalf("%s waits for nobody, and a new engine starts it", again.Starts[0].Key)
			}
		})
	}))
}
