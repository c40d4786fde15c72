// Package cluster keeps watch over the clusters in which jobs run: whether they answer, what they have, what is taken.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/fleet"
	"github.com/soma-platform/soma/internal/platform/debounce"
	"github.com/soma-platform/soma/internal/platform/patch"
)

// +kubebuilder:rbac:groups=platform.soma.dev,resources=clusters,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=clusters/status,verbs=patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=jobs,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get,namespace=soma-system

const (
	// DefaultInterval is the time between two looks at the nodes and pods where the reconciler is not told another.
	DefaultInterval = 5 * time.Second
)

var finalizers = []string{v1alpha1.FinalizerJobs, v1alpha1.FinalizerHistory}

// Prober asks clusters who they are. An error that is fleet.ErrKubeconfig needs another kubeconfig; any other means that
// the cluster did not answer.
type Prober interface {
	// Local asks the cluster that the manager runs in.
	Local(ctx context.Context) (fleet.Facts, error)
	// Remote asks the cluster that a kubeconfig leads to.
	Remote(ctx context.Context, kubeconfig []byte) (fleet.Facts, error)
}

// Reconciler keeps the status of clusters. Client, Clock and Namespace are required.
type Reconciler struct {
	Client client.Client
	Clock  clock.PassiveClock
	// Prober is a fleet.Fleet with the manager's own configuration where it is not given.
	Prober Prober
	// Namespace is Soma's own, in which the secrets with kubeconfigs are.
	Namespace string
	// Interval is the shortest time between two writes of the same cluster's capacity and use; DefaultInterval where it is
	// zero.
	Interval time.Duration

	secrets client.Reader
	events  events.EventRecorder
	probes  probes
	// witnesses are the jobs that may speak against a node.
	witnesses witnesses
}

// SetupWithManager adds the controller to the manager. It returns an error where a dependency is missing.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Client == nil || r.Clock == nil || r.Namespace == "" {
		return errors.New("controller of clusters: Client, Clock and Namespace are required")
	}
	if r.Prober == nil {
		local, err := fleet.New(mgr.GetConfig())
		if err != nil {
			return err
		}
		r.Prober = local
	}
	if r.Interval <= 0 {
		r.Interval = DefaultInterval
	}
	// Secrets are read when they are needed, and not kept.
	r.secrets = mgr.GetAPIReader()
	r.events = mgr.GetEventRecorder("soma")
	all := debounce.Events(r.Interval, r.all)
	return ctrl.NewControllerManagedBy(mgr).
		Named("cluster").
		// Its own writes of the status are no news to it.
		For(&v1alpha1.Cluster{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: recorded}))).
		Watches(&corev1.Node{}, all, builder.WithPredicates(predicate.Funcs{UpdateFunc: nodeChanged})).
		Watches(&corev1.Pod{}, all, builder.WithPredicates(predicate.Funcs{UpdateFunc: podChanged})).
		Watches(&v1alpha1.Job{}, debounce.Events(time.Second, r.terminating), builder.WithPredicates(predicate.Funcs{UpdateFunc: released})).
		Watches(&v1alpha1.Job{}, all, builder.WithPredicates(r.witnesses.changes())).
		Complete(r)
}

// Reconcile derives the status of one cluster.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	cluster := &v1alpha1.Cluster{}
	if err := r.Client.Get(ctx, request.NamespacedName, cluster); err != nil {
		r.probes.forget(request.Name)
		quarantinedNodes.DeleteLabelValues(request.Name)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if cluster.DeletionTimestamp != nil {
		return r.delete(ctx, cluster)
	}
	if _, err := patch.Finalizers(ctx, r.Client, cluster, finalizers, nil); err != nil {
		return patch.Result(err)
	}
	found, err := r.observe(ctx, cluster)
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := r.enforce(ctx, found.quarantine); err != nil {
		return patch.Result(err)
	}
	quarantinedNodes.WithLabelValues(cluster.Name).Set(float64(len(found.quarantine.away())))
	after := cluster.DeepCopy()
	derive(after, found, r.Clock.Now())
	if _, err := patch.Status(ctx, r.Client, cluster, after); err != nil {
		return patch.Result(err)
	}
	return ctrl.Result{RequeueAfter: found.quarantine.sooner(found.probe.next, r.Clock.Now())}, nil
}

// observe reads what the status is derived from.
func (r *Reconciler) observe(ctx context.Context, cluster *v1alpha1.Cluster) (facts, error) {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return facts{}, fmt.Errorf("list the nodes of cluster %q: %w", cluster.Name, err)
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.UnsafeDisableDeepCopy); err != nil {
		return facts{}, fmt.Errorf("list the pods of cluster %q: %w", cluster.Name, err)
	}
	jobs, err := r.witnesses.look(ctx, r.Client)
	if err != nil {
		return facts{}, err
	}
	return facts{
		probe:      r.probe(ctx, cluster),
		inventory:  pools(nodes.Items, pods.Items, cluster.Spec.Tolerations),
		quarantine: judge(cluster, nodes.Items, jobs, r.Clock.Now()),
		presets:    presets(&cluster.Spec, nodes.Items, pods.Items),
	}, nil
}

// delete lets go of a cluster when no job has a reservation on it any more. It ends none of them: that is for whoever
// deletes the cluster to decide.
func (r *Reconciler) delete(ctx context.Context, cluster *v1alpha1.Cluster) (ctrl.Result, error) {
	var list v1alpha1.JobList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the jobs on cluster %q: %w", cluster.Name, err)
	}
	held := 0
	for i := range list.Items {
		if reservation := list.Items[i].Status.Reservation; reservation != nil && reservation.Cluster == cluster.Name {
			held++
		}
	}
	after := cluster.DeepCopy()
	deriveDeletion(after, held, r.Clock.Now())
	if _, err := patch.Status(ctx, r.Client, cluster, after); err != nil || held > 0 {
		return patch.Result(err)
	}
	if err := r.releaseAll(ctx); err != nil {
		return patch.Result(err)
	}
	_, err := patch.Finalizers(ctx, r.Client, after, nil, []string{v1alpha1.FinalizerJobs})
	return patch.Result(err)
}

// all names every cluster: as yet there is one, and nodes and pods are its own.
func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.requests(ctx, func(*v1alpha1.Cluster) bool { return true })
}

// terminating names the clusters that are being deleted and so wait for jobs.
func (r *Reconciler) terminating(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.requests(ctx, func(cluster *v1alpha1.Cluster) bool { return cluster.DeletionTimestamp != nil })
}

func (r *Reconciler) requests(ctx context.Context, concerned func(*v1alpha1.Cluster) bool) []reconcile.Request {
	var clusters v1alpha1.ClusterList
	if err := r.Client.List(ctx, &clusters, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "List the clusters")
		return nil
	}
	var requests []reconcile.Request
	for i := range clusters.Items {
		if concerned(&clusters.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&clusters.Items[i])})
		}
	}
	return requests
}

// nodeChanged lets through the updates of nodes that change pools or capacity; a heart-beat does not.
func nodeChanged(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*corev1.Node)
	after, okToo := e.ObjectNew.(*corev1.Node)
	return ok && okToo && (isReady(before) != isReady(after) ||
		!equality.Semantic.DeepEqual(before.Spec, after.Spec) ||
		!equality.Semantic.DeepEqual(before.Labels, after.Labels) ||
		!equality.Semantic.DeepEqual(before.Status.Allocatable, after.Status.Allocatable) ||
		(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil))
}

func isReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// podChanged lets through the updates of pods by which they begin or end to take up room.
func podChanged(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*corev1.Pod)
	after, okToo := e.ObjectNew.(*corev1.Pod)
	return ok && okToo && (before.Spec.NodeName != after.Spec.NodeName || before.Status.Phase != after.Status.Phase)
}

// released lets through the updates by which a job gives up its reservation.
func released(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*v1alpha1.Job)
	after, okToo := e.ObjectNew.(*v1alpha1.Job)
	return ok && okToo && before.Status.Reservation != nil && after.Status.Reservation == nil
}

// recorded lets through an update by which the journal got room again.
func recorded(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*v1alpha1.Cluster)
	after, okToo := e.ObjectNew.(*v1alpha1.Cluster)
	return ok && okToo && before.Status.Journal.Recorded != after.Status.Journal.Recorded
}
