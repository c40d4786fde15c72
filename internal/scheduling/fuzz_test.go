package scheduling

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// FuzzDecide turns bytes into a world of quotas, nodes and jobs, and into what happens in it: jobs come, end, and are cancelled, nodes
// and quotas come, change and go. After each decision all that the properties promise must hold. `make test-fuzz` looks for
// bytes for which it does not; without that, the corpus alone is played.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(16) {
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the same corpus every time
		world := make([]byte, 16<<10)
		for i := range world {
			world[i] = byte(random.UintN(256))
		}
		f.Add(world)
	}
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
