package cli

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/watch"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// watch shows every object that the selectors match, and each change, to visit until that returns true or an error. An
// object that is gone is shown once more with gone set. Broken connections are made anew; a first list that fails, and a
// refusal at any time, end the watch. Where empty is given it is returned when there is nothing to watch at the beginning.
func (a *app) watch(ctx context.Context, gvr schema.GroupVersionResource, namespace string, selectors metav1.ListOptions, empty error, visit func(u *unstructured.Unstructured, gone bool) (bool, error)) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	// The library tries again whatever went wrong; what trying again does not mend ends the watch through its context.
	watching, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	var answered atomic.Bool
	judge := func(err error) error {
		switch {
		case err == nil:
			answered.Store(true)
		case refused(err) && answered.Load():
			giveUp(fmt.Errorf("what was shown ends here: %w", a.explainError(ctx, err, gvr, namespace, "")))
		case refused(err), !answered.Load() && !apierrors.IsResourceExpired(err):
			giveUp(a.explainError(ctx, err, gvr, namespace, ""))
		}
		return err
	}
	resource := c.dynamic.Resource(gvr).Namespace(namespace)
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector, options.FieldSelector = selectors.LabelSelector, selectors.FieldSelector
			list, err := a.listPage(ctx, resource, options)
			return list, judge(err)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
			options.LabelSelector, options.FieldSelector = selectors.LabelSelector, selectors.FieldSelector
			events, err := resource.Watch(ctx, options)
			return events, judge(err)
		},
	}
	nothing := func(store cache.Store) (bool, error) {
		if empty != nil && len(store.List()) == 0 {
			return false, empty
		}
		return false, nil
	}
	_, err = watch.UntilWithSync(watching, lw, &unstructured.Unstructured{}, nothing, func(event apiwatch.Event) (bool, error) {
		u, ok := event.Object.(*unstructured.Unstructured)
		if !ok {
			return false, nil
		}
		return visit(u, event.Type == apiwatch.Deleted)
	})
	// The library tells a cancelled context by an error of its own.
	if wait.Interrupted(err) && watching.Err() != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return context.Cause(watching)
	}
	return err
}

// refused reports an error that trying again does not mend.
func refused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}

// errGone ends the following of a job whose object is not there any more for who looks.
var errGone = errors.New("the job was deleted")

// gone is why a job is not there any more: it was deleted, which is the error that is given, or the user may not see it now.
func (a *app) gone(ctx context.Context, job *v1alpha1.Job, deleted error) error {
	answer, err := a.mayStill(ctx, job, v1alpha1.ActionRead)
	if err != nil || answer.Status.Allowed {
		return deleted
	}
	return fmt.Errorf("you may not see job %q any more: what let you was taken back, or is over", job.Name)
}

// followJob shows the job, and each change of it, to visit until that returns true. It ends with errGone when the object
// that was followed is deleted, also when another takes its name.
func (a *app) followJob(ctx context.Context, job *v1alpha1.Job, visit func(*v1alpha1.Job) (bool, error)) error {
	if done, err := visit(job); done || err != nil {
		return err
	}
	byName := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", job.Name).String()}
	err := a.watch(ctx, jobs, job.Namespace, byName, errGone, func(u *unstructured.Unstructured, gone bool) (bool, error) {
		now, err := decode[v1alpha1.Job](u)
		if err != nil {
			return false, err
		}
		if now.UID != job.UID {
			return false, errGone
		}
		if done, err := visit(now); done || err != nil {
			return done, err
		}
		if gone {
			return false, errGone
		}
		return false, nil
	})
	if err != nil && refused(err) {
		return a.brokeOff(ctx, job, v1alpha1.ActionRead, fmt.Sprintf("what is shown of job %q", job.Name), err)
	}
	return err
}
