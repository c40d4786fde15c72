package scheduling

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

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
	}
	if p := spec.Preemption; p != nil {
		quota.Preemption = Preemption{
			LowerPriority: victims[p.LowerPriority], Reclaim: victims[p.Reclaim], Quantum: seconds(p.QuantumSeconds), MinRun: seconds(p.MinimumRunSeconds),
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
