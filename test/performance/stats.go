package main

import (
	"math"
	"slices"
)

// quantile of values, by the nearest rank: a value that was measured.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func median(values []float64) float64 { return quantile(values, 0.5) }
