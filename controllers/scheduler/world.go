package scheduler

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// world is everything that one round of the scheduler looks at. Its objects are the cache's own and are never changed.
type world struct {
	jobs     []*platformv1.Job
	projects map[string]*platformv1.Project
	quotas   map[string]*platformv1.Quota
	clusters []*platformv1.Cluster
	nodes    []*corev1.Node
	pods     []*corev1.Pod
	// secrets are the secrets that jobs may use, by namespace and name. Only their names are read, never their contents.
	secrets map[client.ObjectKey]bool
}

func (r *Reconciler) look(ctx context.Context) (*world, error) {
	w := &world{
		projects: map[string]*platformv1.Project{},
		quotas:   map[string]*platformv1.Quota{},
		secrets:  map[client.ObjectKey]bool{},
	}
	var jobs platformv1.JobList
	var projects platformv1.ProjectList
	var quotas platformv1.QuotaList
	var clusters platformv1.ClusterList
	var nodes corev1.NodeList
	var pods corev1.PodList
	for _, list := range []client.ObjectList{&jobs, &projects, &quotas, &clusters, &nodes} {
		if err := r.Client.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list %T: %w", list, err)
		}
	}
	// Pods that are on their way to the cache count by the reservation that they were made under.
	if err := r.Client.List(ctx, &pods, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	labelled := client.MatchingLabels{platformv1.LabelSecret: platformv1.SecretLabelValue}
	if err := r.Client.List(ctx, secrets, client.UnsafeDisableDeepCopy, labelled); err != nil {
		return nil, fmt.Errorf("list the names of secrets: %w", err)
	}
	for i := range jobs.Items {
		w.jobs = append(w.jobs, &jobs.Items[i])
	}
	for i := range projects.Items {
		w.projects[projects.Items[i].Name] = &projects.Items[i]
	}
	for i := range quotas.Items {
		w.quotas[quotas.Items[i].Name] = &quotas.Items[i]
	}
	for i := range clusters.Items {
		w.clusters = append(w.clusters, &clusters.Items[i])
	}
	for i := range nodes.Items {
		w.nodes = append(w.nodes, &nodes.Items[i])
	}
	for i := range pods.Items {
		w.pods = append(w.pods, &pods.Items[i])
	}
	for i := range secrets.Items {
		w.secrets[client.ObjectKeyFromObject(&secrets.Items[i])] = true
	}
	return w, nil
}

// holder is the job with the UID, where it holds a reservation and is not being ended.
func (w *world) holder(uid string) *platformv1.Job {
	for _, job := range w.jobs {
		if string(job.UID) == uid && job.Status.Reservation != nil && job.Status.Reservation.Ending == "" {
			return job
		}
	}
	return nil
}
