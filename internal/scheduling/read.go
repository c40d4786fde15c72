package scheduling

import (
	"time"

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
