package job

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Jobs and pods come by watches of their own, and when a manager starts from lists that may be of different age. What they
// say together may never have been true: nothing is ended because of it.

// errBehind says that the cache shows a job that has changed since: the newer one is on its way.
var errBehind = errors.New("the job is newer than the cache shows it")

// jobBehind reports whether a job has pods of an attempt that it does not know of. Attempts are counted up only, and before
// their pods are made: the job as it is seen is older than its pods.
func jobBehind(job *platformv1.Job, pods []*corev1.Pod) bool {
	for _, p := range pods {
		if attempt, ok := attemptOf(p); ok && attempt > job.Status.Attempt {
			return true
		}
	}
	return false
}

// podsBehind reports whether pods are missing that the job's attempt has had, and that would be taken for gone.
func podsBehind(job *platformv1.Job, pods []*corev1.Pod) bool {
	r := job.Status.Reservation
	if r == nil || r.Ending == "" && r.StartTime == nil {
		return false
	}
	for _, p := range ranks(job, pods, r.Attempt) {
		if p == nil {
			return true
		}
	}
	return false
}

// settleDoubts asks the API server itself where job and pods do not go together. It returns errBehind where the job has
// changed, and otherwise the pods that there are.
func (r *Reconciler) settleDoubts(ctx context.Context, job *platformv1.Job, pods []*corev1.Pod) ([]*corev1.Pod, error) {
	if jobBehind(job, pods) {
		live := &platformv1.Job{}
		err := r.Live.Get(ctx, client.ObjectKeyFromObject(job), live)
		if apierrors.IsNotFound(err) || err == nil && live.ResourceVersion != job.ResourceVersion {
			return nil, errBehind
		}
		if err != nil {
			return nil, fmt.Errorf("read job %s/%s, which has pods that it does not know of: %w", job.Namespace, job.Name, err)
		}
	}
	if !podsBehind(job, pods) {
		return pods, nil
	}
	list := &corev1.PodList{}
	err := r.Live.List(ctx, list, client.InNamespace(job.Namespace), client.MatchingLabels{platformv1.LabelJobUID: string(job.UID)})
	if err != nil {
		return nil, fmt.Errorf("list the pods of job %s/%s, some of which are missing: %w", job.Namespace, job.Name, err)
	}
	return pointers(list), nil
}

// attemptOf is the attempt that a pod or PodGroup belongs to.
func attemptOf(o metav1.Object) (int32, bool) {
	attempt, err := strconv.ParseInt(o.GetLabels()[platformv1.LabelAttempt], 10, 32)
	return int32(attempt), err == nil
}
