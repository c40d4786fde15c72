package accounting

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Sum is an amount of every resource. Its zero value is nothing, ready for use.
type Sum struct {
	CPU    resource.Quantity
	Memory resource.Quantity
	GPUs   int64
	// Models are the GPUs of which the model is known. They are part of GPUs.
	Models map[string]int64
	Jobs   int64
}

// AddGPUs adds GPUs of a model, which is "" where it is not known.
func (s *Sum) AddGPUs(model string, count int64) {
	s.GPUs += count
	if model == "" || count == 0 {
		return
	}
	if s.Models == nil {
		s.Models = map[string]int64{}
	}
	s.Models[model] += count
}

// Add adds another sum.
func (s *Sum) Add(other Sum) {
	s.CPU.Add(other.CPU)
	s.Memory.Add(other.Memory)
	s.Jobs += other.Jobs
	known := int64(0)
	for model, count := range other.Models {
		s.AddGPUs(model, count)
		known += count
	}
	s.AddGPUs("", other.GPUs-known)
}

// Max raises every amount of s to that of other where that is more.
func (s *Sum) Max(other Sum) {
	if other.CPU.Cmp(s.CPU) > 0 {
		s.CPU = other.CPU.DeepCopy()
	}
	if other.Memory.Cmp(s.Memory) > 0 {
		s.Memory = other.Memory.DeepCopy()
	}
	s.GPUs = max(s.GPUs, other.GPUs)
	s.Jobs = max(s.Jobs, other.Jobs)
	for model, count := range other.Models {
		if s.Models == nil {
			s.Models = map[string]int64{}
		}
		s.Models[model] = max(s.Models[model], count)
	}
}

// Resources is the sum as amounts of cpu, memory and GPUs. Of very many GPU models those with the most GPUs are told.
func (s Sum) Resources() *v1alpha1.ResourceAmounts {
	cpu := resource.NewMilliQuantity(s.CPU.MilliValue(), resource.DecimalSI)
	memory := resource.NewQuantity(s.Memory.Value(), resource.BinarySI)
	gpus := int32(s.GPUs) //nolint:gosec // GPUs of a cluster are far below the bound.
	amounts := &v1alpha1.ResourceAmounts{CPU: cpu, Memory: memory, GPUs: &gpus}
	for model, count := range s.Models {
		amounts.GPUModels = append(amounts.GPUModels, v1alpha1.GPUModelAmount{Model: model, Count: int32(count)}) //nolint:gosec // As above.
	}
	amounts.GPUModels = v1alpha1.ForemostModels(amounts.GPUModels)
	return amounts
}

// Amounts is the sum as amounts of everything, the number of jobs among it.
func (s Sum) Amounts() *v1alpha1.ResourceAmounts {
	amounts := s.Resources()
	jobs := int32(s.Jobs) //nolint:gosec // Jobs of an API server are far below the bound.
	amounts.RunningJobs = &jobs
	return amounts
}

// Held is what a job with the reservation holds.
func Held(reservation *v1alpha1.Reservation) Sum {
	var sum Sum
	if reservation == nil {
		return sum
	}
	replicas := int64(0)
	for _, share := range reservation.Nodes {
		replicas += int64(share.Replicas)
	}
	sum.CPU = *resource.NewMilliQuantity(reservation.Replica.CPU.MilliValue()*replicas, resource.DecimalSI)
	sum.Memory = *resource.NewQuantity(reservation.Replica.Memory.Value()*replicas, resource.BinarySI)
	sum.AddGPUs(reservation.Replica.GPUModel, int64(reservation.Replica.GPUs)*replicas)
	sum.Jobs = 1
	return sum
}

// Over tells, for a person, in what the sum is more than the limits; nothing where it is not. Where closed, cpu, memory
// and GPUs that the limits do not name are limited to none; otherwise they are not limited.
func (s Sum) Over(limits v1alpha1.ResourceAmounts, closed bool) []string {
	var over []string
	quantity := func(what string, used resource.Quantity, limit *resource.Quantity) {
		switch {
		case limit == nil && (!closed || used.Sign() <= 0):
		case limit == nil:
			over = append(over, fmt.Sprintf("%s of %s, where none is granted", used.String(), what))
		case used.Cmp(*limit) > 0:
			over = append(over, fmt.Sprintf("%s of %s, where %s is granted", used.String(), what, limit.String()))
		}
	}
	number := func(what string, used int64, limit int64) {
		if used > limit {
			over = append(over, fmt.Sprintf("%d %s, where %d are granted", used, what, limit))
		}
	}
	quantity("cpu", s.CPU, limits.CPU)
	quantity("memory", s.Memory, limits.Memory)

	listed := int64(0)
	for _, limit := range limits.GPUModels {
		used := s.Models[limit.Model]
		listed += used
		number("GPUs of "+limit.Model, used, int64(limit.Count))
	}
	switch {
	case limits.GPUs != nil:
		number("GPUs", s.GPUs, int64(*limits.GPUs))
	case len(limits.GPUModels) > 0:
		number("GPUs of models that are not listed", s.GPUs-listed, 0)
	case closed:
		number("GPUs", s.GPUs, 0)
	}
	if limits.RunningJobs != nil {
		number("jobs", s.Jobs, int64(*limits.RunningJobs))
	}
	return over
}
