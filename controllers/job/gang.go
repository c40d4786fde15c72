package job

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

// lookAgain is how long the API server is taken to serve the kinds that it served: others come when it is started with other flags.
const lookAgain = time.Minute

// podGroups knows whether the API server serves PodGroups, by which kube-scheduler binds a gang whole or not at all. Nothing is
// watched: who watches a kind has to be told when it comes and when it goes.
type podGroups struct {
	kinds discovery.ServerResourcesInterfaceWithContext
	clock clock.PassiveClock

	// mutex is held while the API server is asked: who else wants to know waits for the same.
	mutex sync.Mutex
	due   time.Time
	known bool
}

// served reports whether there are PodGroups.
func (g *podGroups) served(ctx context.Context) (bool, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	now := g.clock.Now()
	if now.Before(g.due) {
		return g.known, nil
	}
	list, err := g.kinds.ServerResourcesForGroupVersionWithContext(ctx, schedulingv1beta1.SchemeGroupVersion.String())
	switch {
	case apierrors.IsNotFound(err):
		g.known = false
	case err != nil:
		return false, fmt.Errorf("find out whether the API server serves PodGroups: %w", err)
	default:
		g.known = slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == "podgroups" })
	}
	g.due = now.Add(lookAgain)
	return g.known, nil
}

// forget has the API server asked again.
func (g *podGroups) forget() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.due = time.Time{}
}

// createGroup makes the PodGroup of a gang's reservation, where the API server serves that kind, and returns it for the pods to
// name; nil where they are bound one by one.
func (r *Reconciler) createGroup(ctx context.Context, job *platformv1.Job) (*schedulingv1beta1.PodGroup, error) {
	if !workload.IsGang(&job.Spec) {
		return nil, nil
	}
	if served, err := r.groups.served(ctx); err != nil || !served {
		return nil, err
	}
	if job.Status.Reservation.Attempt > 1 {
		if err := r.removeEarlierGroups(ctx, job); err != nil {
			return nil, r.unlessServed(fmt.Errorf("remove the PodGroups of earlier attempts: %w", err))
		}
	}
	group := workload.PodGroup(job)
	if err := r.create(ctx, job, group, unwatched); err != nil {
		return nil, r.unlessServed(err)
	}
	return group, nil
}

// unwatched is for writes of what nobody here reads: to see them the client would watch the whole kind.
const unwatched = client.DisableReadYourWritesConsistency

// removeEarlierGroups removes the PodGroups of earlier attempts, whose pods have all ended. The last one goes with the job.
func (r *Reconciler) removeEarlierGroups(ctx context.Context, job *platformv1.Job) error {
	groups := &schedulingv1beta1.PodGroupList{}
	err := r.Live.List(ctx, groups, client.InNamespace(job.Namespace), client.MatchingLabels{platformv1.LabelJobUID: string(job.UID)})
	if err != nil {
		return err
	}
	for i := range groups.Items {
		group := &groups.Items[i]
		attempt, known := attemptOf(group)
		if !known || attempt >= job.Status.Reservation.Attempt || group.DeletionTimestamp != nil || !metav1.IsControlledBy(group, job) {
			continue
		}
		if err := r.Client.Delete(ctx, group, client.Preconditions{UID: &group.UID}, unwatched); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// unlessServed has the API server asked again where an error may say that it does not have PodGroups any more.
func (r *Reconciler) unlessServed(err error) error {
	if !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return err
	}
	r.groups.forget()
	// Without its kind: the job does not go with the PodGroup, and is to be looked at again.
	return fmt.Errorf("%v", err)
}
