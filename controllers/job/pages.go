package job

import (
	"context"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// pagesChange passes on changes of where a cluster has pages of jobs.
func pagesChange() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, okBefore := e.ObjectOld.(*platformv1.Cluster)
			after, okAfter := e.ObjectNew.(*platformv1.Cluster)
			return !okBefore || !okAfter || !equality.Semantic.DeepEqual(before.Spec.JobPages, after.Spec.JobPages)
		},
	}
}

// jobsWithPages are the jobs on a cluster that serve a page.
func (r *Reconciler) jobsWithPages(ctx context.Context, cluster client.Object) []reconcile.Request {
	jobs := &platformv1.JobList{}
	if err := r.Client.List(ctx, jobs, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list the jobs of a cluster whose pages are elsewhere now", "cluster", cluster.GetName())
		return nil
	}
	var requests []reconcile.Request
	for i := range jobs.Items {
		job := &jobs.Items[i]
		if job.Spec.HTTP != nil && job.Status.Reservation != nil && job.Status.Reservation.Cluster == cluster.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(job)})
		}
	}
	return requests
}

// collectPages finds where the cluster of the job's reservation has pages of jobs, and what leads to this job's.
func (r *Reconciler) collectPages(ctx context.Context, f *facts) error {
	job := f.job
	if job.Spec.HTTP == nil {
		return nil
	}
	if reservation := job.Status.Reservation; reservation != nil {
		cluster := &platformv1.Cluster{}
		err := r.Client.Get(ctx, client.ObjectKey{Name: reservation.Cluster}, cluster, client.UnsafeDisableDeepCopy)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("read the cluster of job %s/%s: %w", job.Namespace, job.Name, err)
		}
		f.pages = cluster.Spec.JobPages
	}
	ingress := &metav1.PartialObjectMetadata{}
	ingress.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("Ingress"))
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(job), ingress)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read the Ingress of job %s/%s: %w", job.Namespace, job.Name, err)
	}
	if err == nil && metav1.IsControlledBy(ingress, job) {
		f.ingress = ingress
	}
	return nil
}
