package cluster

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/energy"
	"github.com/soma-platform/soma/internal/lifecycle"
	"github.com/soma-platform/soma/internal/platform/conditions"
)

// facts are what the status of a cluster is derived from.
type facts struct {
	probe      probeResult
	inventory  inventory
	quarantine judgement
	presets    []v1alpha1.PresetRoom
}

// derive writes what was found into the status of the cluster. A cluster that answered keeps its word until it failed
// several times in a row, and what was found in it stays in the status while it does not answer.
func derive(cluster *v1alpha1.Cluster, found facts, now time.Time) {
	status := &cluster.Status
	probe := found.probe
	answered := status.KubernetesVersion != ""
	patient := answered && !probe.stuck && probe.failures < failureThreshold && conditions.IsTrue(status.Conditions, v1alpha1.ConditionReachable)
	status.ObservedGeneration = cluster.Generation

	var outcome lifecycle.Outcome
	if probe.failures == 0 || patient {
		status.Phase = v1alpha1.ClusterConnected
		if probe.facts.Version != "" {
			status.KubernetesVersion = probe.facts.Version
		}
		status.Pools = found.inventory.pools
		status.Capacity = found.inventory.capacity.Resources()
		status.Used = found.inventory.used.Resources()
		status.Presets = found.presets
		message := "The cluster answers."
		if omitted := found.inventory.omitted; omitted > 0 {
			message += fmt.Sprintf(" It has %d more pools than are shown; they count in its capacity.", omitted)
		}
		outcome = lifecycle.Outcome{Verdict: lifecycle.Ready, Reason: v1alpha1.ReasonAvailable, Message: message}
	} else {
		status.Phase = v1alpha1.ClusterPending
		if answered {
			status.Phase = v1alpha1.ClusterUnreachable
		}
		outcome = lifecycle.Outcome{Verdict: lifecycle.Working, Reason: probe.reason, Message: probe.message}
		if probe.stuck {
			outcome.Verdict = lifecycle.Stuck
		}
	}
	outcome.Phase = string(status.Phase)
	lifecycle.Apply(cluster, now, outcome)

	reachable := metav1.Condition{
		Type: v1alpha1.ConditionReachable, Status: metav1.ConditionTrue, ObservedGeneration: cluster.Generation,
		Reason: outcome.Reason, Message: outcome.Message,
	}
	if outcome.Verdict != lifecycle.Ready {
		reachable.Status = metav1.ConditionFalse
	}
	conditions.Set(&status.Conditions, now, reachable)

	if _, err := energy.Location(cluster.Spec.Energy); err == nil {
		conditions.Delete(&status.Conditions, v1alpha1.ConditionEnergyUnknown)
	} else {
		conditions.Set(&status.Conditions, now, metav1.Condition{
			Type: v1alpha1.ConditionEnergyUnknown, Status: metav1.ConditionTrue, ObservedGeneration: cluster.Generation,
			Reason: v1alpha1.ReasonTimeZoneUnknown, Message: fmt.Sprintf("Jobs that are bound to energy schedules do not start: %v.", err),
		})
	}
	status.Quarantine = found.quarantine.entries
	if words := found.quarantine.words(); words == "" {
		conditions.Delete(&status.Conditions, v1alpha1.ConditionNodesQuarantined)
	} else {
		conditions.Set(&status.Conditions, now, metav1.Condition{
			Type: v1alpha1.ConditionNodesQuarantined, Status: metav1.ConditionTrue, ObservedGeneration: cluster.Generation,
			Reason: v1alpha1.ReasonJobsFail, Message: words,
		})
	}
}

// deriveDeletion writes into the status of a cluster that is being deleted how many jobs it waits for, and names none: everybody may
// read it.
func deriveDeletion(cluster *v1alpha1.Cluster, jobs int, now time.Time) {
	cluster.Status.ObservedGeneration = cluster.Generation
	cluster.Status.Phase = v1alpha1.ClusterTerminating
	message := "Nothing of the cluster is left but its last entry in the history."
	if jobs > 0 {
		message = fmt.Sprintf("Waiting for jobs that run in the cluster: %d. \"soma ps -A\" lists those that you may see.", jobs)
	}
	lifecycle.Apply(cluster, now, lifecycle.Outcome{
		Verdict: lifecycle.Working, Phase: string(v1alpha1.ClusterTerminating), Reason: v1alpha1.ReasonTerminating, Message: message,
	})
}
