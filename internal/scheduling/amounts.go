package scheduling

import (
	"math"
	"slices"
)

// unlimited stands for a bound that does not exist. Sums of a few of them stay far from overflowing.
const unlimited = int64(math.MaxInt64 / 16)

// Amounts are integers in the smallest unit that matters, so that sums are exact: thousandths of a core, bytes, GPUs and
// pods. Pods count only on nodes.
type Amounts struct {
	MilliCPU int64
	Memory   int64
	GPUs     int64
	Pods     int64
}

// Plus is the sum of both.
func (a Amounts) Plus(b Amounts) Amounts {
	return Amounts{a.MilliCPU + b.MilliCPU, a.Memory + b.Memory, a.GPUs + b.GPUs, a.Pods + b.Pods}
}

// Minus is the difference of both. It may be negative, as when a node shrank under its pods.
func (a Amounts) Minus(b Amounts) Amounts {
	return Amounts{a.MilliCPU - b.MilliCPU, a.Memory - b.Memory, a.GPUs - b.GPUs, a.Pods - b.Pods}
}

// Times is n times the amounts.
func (a Amounts) Times(n int64) Amounts {
	return Amounts{a.MilliCPU * n, a.Memory * n, a.GPUs * n, a.Pods * n}
}

// Fits reports whether the amounts are within free. What is not asked for does not matter, even where there is less than none
// of it.
func (a Amounts) Fits(free Amounts) bool {
	return (a.MilliCPU == 0 || a.MilliCPU <= free.MilliCPU) && (a.Memory == 0 || a.Memory <= free.Memory) &&
		(a.GPUs == 0 || a.GPUs <= free.GPUs) && (a.Pods == 0 || a.Pods <= free.Pods)
}

// at is the amount of a dimension that a job of so much counts.
func (a Amounts) at(d dimension) int64 {
	switch d {
	case dimCPU:
		return a.MilliCPU
	case dimMemory:
		return a.Memory
	case dimJobs:
		return 1
	}
	return a.GPUs
}

// least is the smaller of both in each amount.
func (a Amounts) least(b Amounts) Amounts {
	return Amounts{min(a.MilliCPU, b.MilliCPU), min(a.Memory, b.Memory), min(a.GPUs, b.GPUs), min(a.Pods, b.Pods)}
}

// most is the larger of both in each amount.
func (a Amounts) most(b Amounts) Amounts {
	return Amounts{max(a.MilliCPU, b.MilliCPU), max(a.Memory, b.Memory), max(a.GPUs, b.GPUs), max(a.Pods, b.Pods)}
}

// count is how many times the amounts fit into free.
func (a Amounts) count(free Amounts) int64 {
	n := unlimited
	if a.MilliCPU > 0 {
		n = min(n, free.MilliCPU/a.MilliCPU)
	}
	if a.Memory > 0 {
		n = min(n, free.Memory/a.Memory)
	}
	if a.GPUs > 0 {
		n = min(n, free.GPUs/a.GPUs)
	}
	if a.Pods > 0 {
		n = min(n, free.Pods/a.Pods)
	}
	return max(n, 0)
}

// dimension is one thing that quotas count: cores, memory, GPUs of all models, running jobs, then the GPUs of each model
// that the engine has met.
type dimension int

const (
	dimCPU dimension = iota
	dimMemory
	dimGPUs
	dimJobs
	firstModel
)

// use is an amount of one dimension.
type use struct {
	of dimension
	n  int64
}

// vector is an amount of every dimension. What lies beyond its end is zero.
type vector []int64

func (v vector) at(d dimension) int64 {
	if int(d) < len(v) {
		return v[d]
	}
	return 0
}

func (v *vector) add(d dimension, n int64) {
	for int(d) >= len(*v) {
		*v = append(*v, 0)
	}
	(*v)[d] += n
}

// uses are what a job counts for in quotas: model is the dimension of its GPUs' model, 0 where it has none.
func uses(total Amounts, model dimension) []use {
	all := []use{{dimJobs, 1}}
	if total.MilliCPU > 0 {
		all = append(all, use{dimCPU, total.MilliCPU})
	}
	if total.Memory > 0 {
		all = append(all, use{dimMemory, total.Memory})
	}
	if total.GPUs > 0 {
		all = append(all, use{dimGPUs, total.GPUs})
		if model >= firstModel {
			all = append(all, use{model, total.GPUs})
		}
	}
	return all
}

// sortedBy is a list in the order of a comparison that never calls two different elements equal.
type sortedBy[T any] struct {
	items   []T
	compare func(a, b T) int
}

func (s *sortedBy[T]) insert(item T) {
	at, _ := slices.BinarySearchFunc(s.items, item, s.compare)
	s.items = slices.Insert(s.items, at, item)
}

// remove takes an element out. Taking out the first costs nothing, however long the list is.
func (s *sortedBy[T]) remove(item T) {
	at, found := slices.BinarySearchFunc(s.items, item, s.compare)
	switch {
	case !found:
	case at == 0:
		var none T
		s.items[0] = none
		s.items = s.items[1:]
	default:
		s.items = slices.Delete(s.items, at, at+1)
	}
}

// rank is how many elements come before the item.
func (s *sortedBy[T]) rank(item T) int {
	at, _ := slices.BinarySearchFunc(s.items, item, s.compare)
	return at
}
