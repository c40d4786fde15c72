package scheduling

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// defaultQuantum is how long a turn is under a quota that lets jobs give way and does not say.
const defaultQuantum = time.Hour

// ReadQuota is what a quota says, in the engine's terms.
func ReadQuota(q *platformv1.Quota) Quota {
	spec := &q.Spec
	quota := Quota{
		Name: q.Name, Parent: spec.Parent, Nominal: NominalLimits(spec.Nominal), PerUser: ReadLimits(spec.PerUser),
		Borrowing: ReadLimits(spec.Borrowing), Lending: ReadLimits(spec.Lending),
	}
	if share := spec.FairShare; share != nil {
		quota.Weight = 1
		if share.Weight != nil {
			quota.Weight = int64(*share.Weight)
		}
		quota.HalfLife = seconds(share.HalfLifeSeconds)
		if share.MaxAgeSeconds != nil {
			quota.MaxAge = new(seconds(share.MaxAgeSeconds))
		}
	}
	if p := spec.Preemption; p != nil {
		quota.Preemption = Preemption{
			LowerPriority: victims[p.LowerPriority], Reclaim: victims[p.Reclaim], Quantum: seconds(p.QuantumSeconds), MinRun: seconds(p.MinimumRunSeconds),
		}
		if given := quota.Preemption; p.QuantumSeconds == nil && (given.LowerPriority != NoVictims || given.Reclaim != NoVictims) {
			quota.Preemption.Quantum = defaultQuantum
		}
	}
	return quota
}

// countable is as much of anything as one replica may ask for: more than there is anywhere, and little enough that all replicas of a job
// are still counted. A quantity may be more than an integer holds, and must not become little by that.
const countable = unlimited >> 9

// AmountsOf are amounts in the engine's units.
func AmountsOf(cpu, memory resource.Quantity, gpus int64) Amounts {
	return Amounts{MilliCPU: min(milli(&cpu), countable), Memory: min(whole(&memory), countable), GPUs: min(gpus, countable)}
}

func milli(q *resource.Quantity) int64 {
	if q.CmpInt64(unlimited/1000) > 0 {
		return unlimited
	}
	return q.MilliValue()
}

func whole(q *resource.Quantity) int64 {
	if q.CmpInt64(unlimited) > 0 {
		return unlimited
	}
	return q.Value()
}

// victims are the engine's words for the API's.
var victims = map[platformv1.Victims]Victims{
	platformv1.VictimsPreemptible: PreemptibleVictims,
	platformv1.VictimsAny:         AnyVictims,
}

func seconds(n *int64) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}

// know gives a dimension to every model of the amounts.
func (m *modelIndex) know(amounts *platformv1.ResourceAmounts) {
	if amounts != nil {
		for _, model := range amounts.GPUModels {
			m.of(model.Model)
		}
	}
}

// read is an amount of everything as a vector.
func (m *modelIndex) read(amounts *platformv1.ResourceAmounts) vector {
	v := make(vector, int(firstModel)+len(m.names))
	limits := ReadLimits(amounts)
	for d, n := range map[dimension]*int64{dimCPU: limits.MilliCPU, dimMemory: limits.Memory, dimGPUs: limits.GPUs, dimJobs: limits.Jobs} {
		if n != nil {
			v[d] = *n
		}
	}
	for model, n := range limits.Models {
		v.add(m.of(model), n)
	}
	return v
}

// tell is a vector as the API says it. What is unlimited is left out.
func (m *modelIndex) tell(of func(d dimension) int64) platformv1.ResourceAmounts {
	var a platformv1.ResourceAmounts
	if n := of(dimCPU); n < unlimited {
		a.CPU = resource.NewMilliQuantity(n, resource.DecimalSI)
	}
	if n := of(dimMemory); n < unlimited {
		a.Memory = resource.NewQuantity(n, resource.BinarySI)
	}
	if n := of(dimGPUs); n < unlimited {
		a.GPUs = new(small(n))
	}
	if n := of(dimJobs); n < unlimited {
		a.RunningJobs = new(small(n))
	}
	for i, name := range m.names {
		if n := of(firstModel + dimension(i)); n < unlimited {
			a.GPUModels = append(a.GPUModels, platformv1.GPUModelAmount{Model: name, Count: small(n)})
		}
	}
	return a
}

func small(n int64) int32 { return int32(min(n, math.MaxInt32)) } //nolint:gosec // it is no more than fits

// uses are the amounts that are more than none.
func (v vector) uses() []use {
	var all []use
	for d, n := range v {
		if n > 0 {
			all = append(all, use{dimension(d), n})
		}
	}
	return all
}
