package report

import (
	"math"
	"slices"
)

// Quantile of values, by the nearest rank: a value that was measured.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

// Median of values, one that was measured.
func Median(values []float64) float64 { return Quantile(values, 0.5) }
