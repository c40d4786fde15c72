package project

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/patch"
)

// delete brings a project that is being deleted a step further: first its jobs end and are recorded, then its namespace
// goes with all that is in it, then the project lets go of it. A namespace that is not the project's is left alone.
func (r *Reconciler) delete(ctx context.Context, project *v1alpha1.Project) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(project, v1alpha1.FinalizerNamespace) {
		return ctrl.Result{}, nil
	}
	found, err := r.observeDeletion(ctx, project)
	if err != nil {
		return ctrl.Result{}, err
	}
	state := owns(project, found.namespace)
	if state == own || state == ending {
		found.failure = r.dismantle(ctx, project, found)
	}
	wrote, err := r.write(ctx, project, deriveDeletion(project, found))
	if err != nil {
		return patch.Result(err)
	}
	if found.failure != nil || state == own || state == ending {
		return patch.Result(found.failure)
	}
	if wrote {
		// The write changed the object; the next look lets go of it.
		return ctrl.Result{}, nil
	}
	_, err = patch.Finalizers(ctx, r.Client, project, nil, []string{v1alpha1.FinalizerNamespace})
	return patch.Result(err)
}

// observeDeletion reads what is left.
func (r *Reconciler) observeDeletion(ctx context.Context, project *v1alpha1.Project) (*facts, error) {
	found, err := r.observe(ctx, project)
	if err != nil {
		return nil, err
	}
	if state := owns(project, found.namespace); state != own && state != ending {
		return found, nil
	}
	var jobs v1alpha1.JobList
	if err := r.Client.List(ctx, &jobs, client.InNamespace(project.Name), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the jobs of project %q: %w", project.Name, err)
	}
	found.jobs = jobs.Items
	return found, nil
}

// dismantle deletes the jobs, and the namespace when no job is left. The controller of jobs ends their pods, and the
// history takes up their ends, while the namespace still exists.
func (r *Reconciler) dismantle(ctx context.Context, project *v1alpha1.Project, found *facts) error {
	for i := range found.jobs {
		if found.jobs[i].DeletionTimestamp != nil {
			continue
		}
		err := r.Client.Delete(ctx, &found.jobs[i], client.PropagationPolicy(metav1.DeletePropagationBackground),
			client.Preconditions{UID: &found.jobs[i].UID})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete job %q of project %q: %w", found.jobs[i].Name, project.Name, err)
		}
	}
	if len(found.jobs) > 0 || found.namespace.DeletionTimestamp != nil {
		return nil
	}
	err := r.Client.Delete(ctx, found.namespace, client.Preconditions{UID: &found.namespace.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete namespace %q: %w", project.Name, err)
	}
	return nil
}
