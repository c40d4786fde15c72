package job

import (
	"context"
	"fmt"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/refusal"
	"github.com/soma-platform/soma/internal/workload"
)

// freshReservation is how old a reservation may be whose pods are made without reading it again, if it was given since this manager
// leads. In so short a time no other can have taken over, and this one sees its own writes.
const freshReservation = 2 * time.Second

// act does what the plan asks for besides the status.
func (r *Reconciler) act(ctx context.Context, job *platformv1.Job, plan plan) error {
	for _, pod := range plan.kill {
		if pod.DeletionTimestamp != nil {
			continue
		}
		// As it was seen: one that has ended since is kept for its log.
		err := r.Client.Delete(ctx, pod.DeepCopy(), client.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("end pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
	}
	if ingress := plan.unroute; ingress != nil {
		if err := client.IgnoreNotFound(r.Client.Delete(ctx, ingress.DeepCopy(), client.Preconditions{UID: &ingress.UID})); err != nil {
			return fmt.Errorf("remove Ingress %s/%s: %w", ingress.Namespace, ingress.Name, err)
		}
	}
	if plan.create {
		return r.createPods(ctx, job)
	}
	if plan.remove {
		err := r.Client.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground),
			client.Preconditions{UID: &job.UID, ResourceVersion: ptr.To(job.ResourceVersion)})
		return client.IgnoreNotFound(err)
	}
	return nil
}

// fresh reports whether a cache that shows a reservation is no older than it: it was given a moment ago, and by this manager. That of a
// predecessor may have been released before this one began, though it is as new.
func (r *Reconciler) fresh(reservation *platformv1.Reservation) bool {
	age := r.Clock.Since(reservation.Time.Time)
	return age >= 0 && age <= freshReservation && reservation.Time.After(r.began())
}

// createPods makes the pods of the reservation. Unless it is fresh, it is read from the API server itself just before: a
// cache may show one that was released.
func (r *Reconciler) createPods(ctx context.Context, job *platformv1.Job) error {
	if !r.fresh(job.Status.Reservation) {
		cached := job
		job = &platformv1.Job{}
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(cached), job); err != nil {
			return client.IgnoreNotFound(err)
		}
		if !sameReservation(job, cached) {
			return nil
		}
	}
	cluster := &platformv1.Cluster{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: job.Status.Reservation.Cluster}, cluster); err != nil {
		// Without its kind: a cluster that is not there is to be looked for again, and the job does not go with it.
		return r.refuse(ctx, job, fmt.Errorf("read cluster %q: %v", job.Status.Reservation.Cluster, err))
	}
	if workload.NeedsService(&job.Spec) {
		if err := r.create(ctx, job, workload.Service(job)); err != nil {
			return r.refuse(ctx, job, err)
		}
	}
	if workload.NeedsIngress(job, cluster.Spec.JobPages) {
		if err := r.create(ctx, job, workload.Ingress(job, cluster.Spec.JobPages)); err != nil {
			return r.refuse(ctx, job, err)
		}
	}
	// Before the pods, which name it.
	group, err := r.createGroup(ctx, job)
	if err != nil {
		return r.refuse(ctx, job, err)
	}
	for _, pod := range workload.Pods(job, cluster.Spec.Tolerations, group) {
		if err := r.create(ctx, job, pod); err != nil {
			return r.refuse(ctx, job, err)
		}
	}
	return nil
}

func sameReservation(a, b *platformv1.Job) bool {
	return a.UID == b.UID && a.Status.Reservation != nil && b.Status.Reservation != nil &&
		a.Status.Reservation.Attempt == b.Status.Reservation.Attempt && a.Status.Reservation.Ending == ""
}

// foreignError says that a name which the job needs is taken.
type foreignError struct{ kind, name string }

func (e foreignError) Error() string {
	return fmt.Sprintf("a %s named %q exists and does not belong to this job; remove it or submit the job under another name", e.kind, e.name)
}

// remainsError says that a name which the job needs is taken by what a job of its own name left, which is on its way out.
type remainsError struct{ kind, name string }

func (e remainsError) Error() string {
	return fmt.Sprintf("the %s %q of an earlier job of this name is not gone yet", e.kind, e.name)
}

// taken is who has a name that the job needs: somebody else, or a job of its own name that is gone and whose objects Kubernetes has
// not yet removed.
func taken(by metav1.Object, kind string, job *platformv1.Job) error {
	owner := metav1.GetControllerOf(by)
	gone := owner != nil && owner.Kind == "Job" && owner.APIVersion == platformv1.GroupVersion.String() && owner.Name == job.Name
	if gone || by.GetDeletionTimestamp() != nil {
		return remainsError{kind, by.GetName()}
	}
	return foreignError{kind, by.GetName()}
}

// create makes an object of the job. One that exists already is success if it is the job's own.
func (r *Reconciler) create(ctx context.Context, job *platformv1.Job, object client.Object, options ...client.CreateOption) error {
	err := r.Client.Create(ctx, object, options...)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	kind := reflect.TypeOf(object).Elem().Name()
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	if !metav1.IsControlledBy(object, job) {
		return taken(object, kind, job)
	}
	return nil
}

// refuse ends the attempt where the cluster will not have its pods, now or ever; any other error is told and tried again.
func (r *Reconciler) refuse(ctx context.Context, job *platformv1.Job, err error) error {
	status := job.Status.DeepCopy()
	if final(err) {
		status.Reservation.Ending = platformv1.JobReasonPolicyDenied
		status.Reservation.EndingMessage = truncate(err.Error(), 1024)
		_, err = r.writeStatus(ctx, job, *status)
		return err
	}
	now := r.Clock.Now()
	if status.Reason == platformv1.JobReasonCreating && now.Sub(status.Reservation.Time.Time) >= quietStart {
		status.Message = bounded("the pods cannot be made, and it is tried again: " + err.Error())
		workload.SetConditions(status, job.Generation, now)
		if _, err := r.writeStatus(ctx, job, *status); err != nil {
			return err
		}
	}
	return fmt.Errorf("make the pods of job %s/%s: %w", job.Namespace, job.Name, err)
}

// final reports whether the cluster will not have the pods, now or ever. A namespace that is being deleted refuses them
// too; what follows then is decided by the deletion.
func final(err error) bool {
	_, foreign := err.(foreignError) //nolint:errorlint // it is never wrapped: create makes it
	denied := apierrors.IsForbidden(err) && !apierrors.HasStatusCause(err, "NamespaceTerminating")
	return foreign || denied || refusal.Final(err)
}
