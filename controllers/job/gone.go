package job

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch

// goneNode is a node that does not exist any more, and went with a pod of an attempt that ran; empty where there is none. Kubernetes
// removes the pods of such a node at once, so that nobody may have seen what became of them.
func (r *Reconciler) goneNode(ctx context.Context, job *platformv1.Job, pods []*corev1.Pod) (string, error) {
	held := job.Status.Reservation
	if held == nil || held.Ending != "" || held.StartTime == nil {
		return "", nil
	}
	for rank, p := range ranks(job, pods, held.Attempt) {
		if p != nil {
			continue
		}
		name := workload.NodeOf(held, int32(rank))
		err := r.Client.Get(ctx, client.ObjectKey{Name: name}, &corev1.Node{}, client.UnsafeDisableDeepCopy)
		if apierrors.IsNotFound(err) {
			return name, nil
		}
		if err != nil {
			return "", fmt.Errorf("read node %s, where a pod of job %s/%s vanished: %w", name, job.Namespace, job.Name, err)
		}
	}
	return "", nil
}
