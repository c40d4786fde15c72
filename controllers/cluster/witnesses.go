package cluster

import (
	"context"
	"fmt"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// witnesses are the jobs that may speak against a node: few of many. All jobs are gone through only when what one of these says
// has changed. The zero value is ready for use.
type witnesses struct {
	// known reports that none has changed since jobs were gone through.
	known atomic.Bool
	jobs  []v1alpha1.Job
}

// changes lets through what changes what jobs say, and notes it.
func (w *witnesses) changes() predicate.Predicate {
	note := func(said bool) bool {
		if said {
			w.known.Store(false)
		}
		return said
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return note(speaks(e.Object)) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return note(released(e) && (speaks(e.ObjectOld) || speaks(e.ObjectNew)))
		},
		DeleteFunc: func(e event.DeleteEvent) bool { return note(speaks(e.Object)) },
	}
}

// look returns the witnesses. One reconciliation calls it at a time.
func (w *witnesses) look(ctx context.Context, from client.Client) ([]v1alpha1.Job, error) {
	if w.known.Swap(true) {
		return w.jobs, nil
	}
	var all v1alpha1.JobList
	// What this process just wrote of jobs is no more urgent than what others did.
	if err := from.List(ctx, &all, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		w.known.Store(false)
		return nil, fmt.Errorf("list the jobs that failed: %w", err)
	}
	w.jobs = nil
	for i := range all.Items {
		if speaks(&all.Items[i]) {
			w.jobs = append(w.jobs, all.Items[i])
		}
	}
	return w.jobs, nil
}

// speaks reports whether an attempt of a job may speak against its node.
func speaks(o client.Object) bool {
	job, ok := o.(*v1alpha1.Job)
	if !ok {
		return false
	}
	for i := range job.Status.Attempts {
		if a := &job.Status.Attempts[i]; liesWithNode(a) || succeededElsewhere(job, a) {
			return true
		}
	}
	return false
}
