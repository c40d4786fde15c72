// Package corpus is what fuzz tests play that draw all that happens from bytes.
package corpus

import (
	"math/rand/v2"
	"testing"
)

// Add adds so many seeds of bytes, the same every time.
func Add(f *testing.F, seeds, size int) {
	f.Helper()
	for seed := range uint64(seeds) { //nolint:gosec // there are not so many
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the same corpus every time
		world := make([]byte, size)
		for i := range world {
			world[i] = byte(random.UintN(256))
		}
		f.Add(world)
	}
}
