// Package heap tells benchmarks what memory is in use.
package heap

import "runtime"

// Live is how many bytes are in use, without garbage.
func Live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // it is no more than fits
}
