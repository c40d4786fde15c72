package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

const (
	// workers is how many jobs are worked on at the same time.
	workers = 16
	// catchUp is how soon a job is looked at again that is newer than the cache, should it not come by itself.
	catchUp = time.Second
)

// Reconciler makes jobs true.
type Reconciler struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// Live reads from the API server: what must not be stale before pods are made.
	Live client.Reader
	// Kinds tells which kinds the API server serves.
	Kinds discovery.ServerResourcesInterfaceWithContext
	// Clock tells the time.
	Clock clock.PassiveClock

	events *podEvents
	groups *podGroups
	// began is when this manager first looked at a job: it leads since before.
	began func() time.Time
}

// +kubebuilder:rbac:groups=platform.soma.dev,resources=jobs,verbs=get;list;watch;update;patch;delete
// +kubebuilder:rbac:groups=platform.soma.dev,resources=jobs/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=jobs/finalizers,verbs=update
// +kubebuilder:rbac:groups=platform.soma.dev,resources=projects;clusters;quotas,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create
// +kubebuilder:rbac:groups="",resources=events,verbs=list
// +kubebuilder:rbac:groups=scheduling.k8s.io,resources=podgroups,verbs=get;list;create;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=get;list;watch;create;delete

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Client == nil || r.Live == nil || r.Kinds == nil || r.Clock == nil {
		return errors.New("the job controller needs a client, a live reader, the kinds that are served, and a clock")
	}
	r.events = newPodEvents(r.Live, r.Clock)
	r.groups = &podGroups{kinds: r.Kinds, clock: r.Clock}
	r.began = sync.OnceValue(r.Clock.Now)
	return ctrl.NewControllerManagedBy(mgr).
		Named("job").
		For(&platformv1.Job{}).
		Owns(&corev1.Pod{}, builder.WithPredicates(podChanges())).
		Watches(&platformv1.Project{}, handler.EnqueueRequestsFromMapFunc(r.jobsOfEndingProject)).
		Watches(&platformv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(r.jobsWithPages), builder.WithPredicates(pagesChange())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// podChanges passes on what changes a job: not every write to its pods does.
func podChanges() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, okBefore := e.ObjectOld.(*corev1.Pod)
		after, okAfter := e.ObjectNew.(*corev1.Pod)
		return !okBefore || !okAfter || before.Spec.NodeName != after.Spec.NodeName ||
			before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
			!equality.Semantic.DeepEqual(before.Status, after.Status)
	}}
}

func (r *Reconciler) jobsOfEndingProject(ctx context.Context, o client.Object) []reconcile.Request {
	if o.GetDeletionTimestamp() == nil {
		return nil
	}
	jobs := &platformv1.JobList{}
	if err := r.Client.List(ctx, jobs, client.InNamespace(o.GetName()), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list the jobs of a project that is being deleted", "project", o.GetName())
		return nil
	}
	requests := make([]reconcile.Request, len(jobs.Items))
	for i := range jobs.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&jobs.Items[i])
	}
	return requests
}

// Reconcile makes one job true: facts, decision, status, then the acts that follow from it.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	r.began()
	job := &platformv1.Job{}
	if err := r.Client.Get(ctx, request.NamespacedName, job); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	facts, err := r.collect(ctx, job)
	if errors.Is(err, errBehind) {
		return ctrl.Result{RequeueAfter: catchUp}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	plan := decide(facts)
	if changed, err := r.writeStatus(ctx, job, plan.status); err != nil || changed != nil {
		if err != nil {
			return ctrl.Result{}, ignoreConflict(err)
		}
		job = changed
	}
	if err := r.act(ctx, job, plan); err != nil {
		if apierrors.IsConflict(err) { // with a pod that is newer than was seen, of which no event may tell
			return ctrl.Result{RequeueAfter: catchUp}, nil
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return ctrl.Result{RequeueAfter: plan.again}, nil
}

func (r *Reconciler) collect(ctx context.Context, job *platformv1.Job) (facts, error) {
	f := facts{job: job, leads: r.began(), now: r.Clock.Now()}
	pods := &corev1.PodList{}
	// Not to wait for what other workers write is worth more than to see each pod at once: names make a second one impossible.
	err := r.Client.List(ctx, pods, client.InNamespace(job.Namespace), client.MatchingFields{workload.PodsByJob: string(job.UID)},
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	if err != nil {
		return f, fmt.Errorf("list the pods of job %s/%s: %w", job.Namespace, job.Name, err)
	}
	if f.pods, err = r.settleDoubts(ctx, job, pointers(pods)); err != nil {
		return f, err
	}
	if f.goneNode, err = r.goneNode(ctx, job, f.pods); err != nil {
		return f, err
	}
	project := &platformv1.Project{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: job.Namespace}, project, client.UnsafeDisableDeepCopy); err == nil {
		f.projectEnding = project.DeletionTimestamp != nil
	} else if !apierrors.IsNotFound(err) {
		return f, fmt.Errorf("read the project of job %s/%s: %w", job.Namespace, job.Name, err)
	}
	if err := r.collectPages(ctx, &f); err != nil {
		return f, err
	}
	f.events = r.slowStarts(ctx, &f)
	return f, nil
}

func pointers(list *corev1.PodList) []*corev1.Pod {
	pods := make([]*corev1.Pod, len(list.Items))
	for i := range list.Items {
		pods[i] = &list.Items[i]
	}
	return pods
}

// slowStarts are the events of the pods that are slow to start. Without them less can be told, and what fails counts from when its pod
// was bound.
func (r *Reconciler) slowStarts(ctx context.Context, f *facts) map[types.UID][]corev1.Event {
	reservation := f.job.Status.Reservation
	if reservation == nil || reservation.Ending != "" || f.now.Sub(reservation.Time.Time) < quietStart {
		return nil
	}
	if !slices.ContainsFunc(ranks(f.job, f.pods, reservation.Attempt), func(p *corev1.Pod) bool { return p != nil && workload.Uncertain(p) }) {
		return nil
	}
	events, err := r.events.in(ctx, f.job.Namespace)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot tell what pods are at that are slow to start")
	}
	return events
}

// writeStatus writes what changed, if anything did, and only onto the object that the decision was made from. It returns
// the written object.
func (r *Reconciler) writeStatus(ctx context.Context, job *platformv1.Job, status platformv1.JobStatus) (*platformv1.Job, error) {
	if job.Status.ObservedGeneration == -1 && status.Phase == job.Status.Phase {
		return nil, nil // the scheduler has the first word
	}
	if equality.Semantic.DeepEqual(job.Status, status) {
		return nil, nil
	}
	changed := job.DeepCopy()
	changed.Status = status
	patch := client.MergeFromWithOptions(job, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, changed, patch); err != nil {
		return nil, fmt.Errorf("write the status of job %s/%s: %w", job.Namespace, job.Name, err)
	}
	return changed, nil
}

// ignoreConflict drops the error of a write that came too late: the newer object is on its way through the watch.
func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
