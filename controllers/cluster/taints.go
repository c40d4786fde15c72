package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/patch"
)

// namedJobs is how many jobs an event names.
const namedJobs = 8

var quarantinedNodes = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "soma_quarantined_nodes", Help: "Nodes that are kept from jobs because jobs failed on them, or by hand.",
}, []string{"cluster"})

func init() { metrics.Registry.MustRegister(quarantinedNodes) }

// enforce brings the taints of nodes to what was judged. The status follows: a manager that dies in between finds the taints.
func (r *Reconciler) enforce(ctx context.Context, j judgement) error {
	log := ctrl.LoggerFrom(ctx)
	for _, name := range slices.Sorted(maps.Keys(j.confined)) {
		taint := corev1.Taint{
			Key: v1alpha1.TaintQuarantine, Value: v1alpha1.TaintFailures, Effect: corev1.TaintEffectNoSchedule,
			TimeAdded: &metav1.Time{Time: r.Clock.Now()},
		}
		node, err := r.setTaint(ctx, name, &taint)
		if err != nil {
			return fmt.Errorf("keep jobs from node %q: %w", name, err)
		}
		charge := j.confined[name]
		jobs := charge.names()
		log.Info("Jobs are kept from a node on which several failed", "node", name, "jobs", jobs)
		r.events.Eventf(node, nil, corev1.EventTypeWarning, "Quarantined", "Taint", "Kept from jobs: %s. The jobs: %s. To take it off: kubectl taint node %s %s-",
			charge.words(), strings.Join(jobs[:min(len(jobs), namedJobs)], ", "), name, v1alpha1.TaintQuarantine)
	}
	for _, name := range j.released {
		node, err := r.setTaint(ctx, name, nil)
		if err != nil {
			return fmt.Errorf("let jobs onto node %q again: %w", name, err)
		}
		log.Info("A node takes jobs again", "node", name)
		r.events.Eventf(node, nil, corev1.EventTypeNormal, "Released", "Taint", "Takes jobs again")
	}
	return nil
}

// setTaint gives a node the taint of quarantine, or takes it off where that is nil. A node that is gone needs neither.
func (r *Reconciler) setTaint(ctx context.Context, name string, taint *corev1.Taint) (*corev1.Node, error) {
	node := &corev1.Node{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, node); err != nil {
		return node, client.IgnoreNotFound(err)
	}
	after := node.DeepCopy()
	after.Spec.Taints = slices.DeleteFunc(after.Spec.Taints, func(t corev1.Taint) bool { return t.Key == v1alpha1.TaintQuarantine })
	if taint != nil {
		after.Spec.Taints = append(after.Spec.Taints, *taint)
	}
	_, err := patch.Object(ctx, r.Client, node, after)
	return node, client.IgnoreNotFound(err)
}

// releaseAll takes Soma's own taints off all nodes: the cluster is not Soma's any more.
func (r *Reconciler) releaseAll(ctx context.Context) error {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	var ours judgement
	for i := range nodes.Items {
		if taint := quarantineTaint(&nodes.Items[i]); taint != nil && taint.Value == v1alpha1.TaintFailures {
			ours.released = append(ours.released, nodes.Items[i].Name)
		}
	}
	return r.enforce(ctx, ours)
}

// sooner is the time until the next look: after the probe, or when something about the quarantine ends before it.
func (j *judgement) sooner(next, now time.Time) time.Duration {
	if !j.next.IsZero() && j.next.Before(next) {
		next = j.next
	}
	return max(next.Sub(now), time.Second)
}
