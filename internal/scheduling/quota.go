package scheduling

import (
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Quota is a node of the quota tree.
type Quota struct {
	Name string
	// Parent is the name of the quota from which this one borrows and to which it lends; empty for a root.
	Parent string
	// Nominal is what the quota has of its own.
	Nominal Limits
	// Borrowing bounds what may be used beyond the quota's own; Lending bounds what others may use of the quota's own.
	Borrowing, Lending Limits
	// PerUser bounds what the jobs of one user hold, in the quota and all below it.
	PerUser Limits
	// Weight is the share of what is borrowed, against the other quotas of the same parent; 1 where it is 0.
	Weight int64
	// HalfLife is after how long half of what was used is forgotten. It counts at a root, for its whole tree; past use does
	// not count where it is 0.
	HalfLife time.Duration
	// MaxAge is for how long the next job of a queue goes after those that have less of what is due to them. It counts at a root, for its
	// whole tree; that of the engine's options where it is nil.
	MaxAge *time.Duration
	// Preemption says whom the jobs under the quota may displace, and for how long its own are safe.
	Preemption Preemption
}

// Preemption says whom the jobs under a quota may displace.
type Preemption struct {
	// LowerPriority is which jobs of lower priority, under the same quota, may be displaced.
	LowerPriority Victims
	// Reclaim is which jobs may be displaced whose quota has borrowed what is this quota's own.
	Reclaim Victims
	// Quantum is how long a job that may be displaced runs before one of the same priority may take its turn; 0 for never.
	Quantum time.Duration
	// MinRun is for how long a job under the quota is safe once it started.
	MinRun time.Duration
}

// Victims is a set of jobs.
type Victims int

// The sets of jobs that may be displaced: none, those that say so of themselves, or any.
const (
	NoVictims Victims = iota
	PreemptibleVictims
	AnyVictims
)

func (v Victims) include(r *running) bool {
	return v == AnyVictims || v == PreemptibleVictims && r.Preemptible
}

// Limits are upper bounds. A bound that is nil does not exist.
type Limits struct {
	MilliCPU, Memory, GPUs, Jobs *int64
	// Models bounds the GPUs of single models.
	Models map[string]int64
	// OnlyModels reports that GPUs of models that are not listed may not be used.
	OnlyModels bool
}

// NominalLimits reads what a quota grants: of cpu, memory and GPUs, what it does not name it does not have.
func NominalLimits(amounts platformv1.ResourceAmounts) Limits {
	limits := ReadLimits(&amounts)
	none := int64(0)
	if limits.MilliCPU == nil {
		limits.MilliCPU = &none
	}
	if limits.Memory == nil {
		limits.Memory = &none
	}
	if limits.GPUs == nil && len(limits.Models) == 0 {
		limits.GPUs = &none
	}
	limits.OnlyModels = amounts.GPUs == nil && len(limits.Models) > 0
	return limits
}

// ReadLimits reads bounds of which those that are not named do not exist.
func ReadLimits(amounts *platformv1.ResourceAmounts) Limits {
	limits := Limits{}
	if amounts == nil {
		return limits
	}
	if amounts.CPU != nil {
		limits.MilliCPU = new(milli(amounts.CPU))
	}
	if amounts.Memory != nil {
		limits.Memory = new(whole(amounts.Memory))
	}
	if amounts.GPUs != nil {
		limits.GPUs = new(int64(*amounts.GPUs))
	}
	if amounts.RunningJobs != nil {
		limits.Jobs = new(int64(*amounts.RunningJobs))
	}
	for _, model := range amounts.GPUModels {
		if limits.Models == nil {
			limits.Models = map[string]int64{}
		}
		limits.Models[model.Model] = int64(model.Count)
	}
	return limits
}

// bound is the limit of a dimension; unlimited where there is none.
func (l *Limits) bound(d dimension, models *modelIndex) int64 {
	limit := (*int64)(nil)
	switch d {
	case dimCPU:
		limit = l.MilliCPU
	case dimMemory:
		limit = l.Memory
	case dimJobs:
		limit = l.Jobs
	case dimGPUs:
		limit = l.GPUs
		if limit == nil && l.OnlyModels {
			limit = new(l.allModels())
		}
	default:
		if n, listed := l.Models[models.name(d)]; listed {
			limit = &n
			break
		}
		if l.OnlyModels {
			return 0
		}
	}
	if limit == nil {
		return unlimited
	}
	return min(*limit, unlimited) // what is more cannot be summed up
}

// names reports whether there is a limit of the model of the dimension itself.
func (l *Limits) names(d dimension, models *modelIndex) bool {
	_, listed := l.Models[models.name(d)]
	return listed || l.OnlyModels
}

func (l *Limits) allModels() int64 {
	sum := int64(0)
	for _, n := range l.Models {
		sum = min(sum+min(n, unlimited), unlimited)
	}
	return sum
}

func (l *Limits) none() bool {
	return l.MilliCPU == nil && l.Memory == nil && l.GPUs == nil && l.Jobs == nil && len(l.Models) == 0
}

// modelIndex gives every GPU model a dimension.
type modelIndex struct {
	names      []string
	dimensions map[string]dimension
}

// of is the dimension of a model, 0 for none.
func (m *modelIndex) of(model string) dimension {
	if model == "" {
		return 0
	}
	d, known := m.dimensions[model]
	if !known {
		if m.dimensions == nil {
			m.dimensions = map[string]dimension{}
		}
		d = firstModel + dimension(len(m.names))
		m.names = append(m.names, model)
		m.dimensions[model] = d
	}
	return d
}

func (m *modelIndex) name(d dimension) string { return m.names[d-firstModel] }
