package scheduler

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// crowded is a shelf with pods, all of the one job.
type crowded struct {
	*shelf
	pods []corev1.Pod
}

func (c *crowded) List(ctx context.Context, into client.ObjectList, o ...client.ListOption) error {
	if pods, ok := into.(*corev1.PodList); ok {
		pods.Items = c.pods
		return nil
	}
	return c.shelf.List(ctx, into, o...)
}

// TestAJobWaitsForItsOwnPods: one that holds no reservation is not started while pods of an attempt that was given up live.
func TestAJobWaitsForItsOwnPods(t *testing.T) {
	for name, tc := range map[string]struct {
		phases []corev1.PodPhase
		waits  int
	}{
		"it has none":        {nil, 1},
		"all have ended":     {[]corev1.PodPhase{corev1.PodSucceeded, corev1.PodFailed}, 1},
		"one of them lives":  {[]corev1.PodPhase{corev1.PodFailed, corev1.PodRunning}, 0},
		"one is not started": {[]corev1.PodPhase{corev1.PodPending}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			there := &crowded{shelf: &shelf{jobs: toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), nodes: map[string]*corev1.Node{}}}
			for _, phase := range tc.phases {
				there.pods = append(there.pods, corev1.Pod{Status: corev1.PodStatus{Phase: phase}})
			}
			job := &platformv1.Job{}
			job.Namespace, job.Name, job.UID, job.ResourceVersion = "vision", "train", "a", "1"
			if err := there.jobs.Add(job); err != nil {
				t.Fatal(err)
			}
			v := newView(there, func(context.Context) (toolscache.Store, error) { return there.jobs, nil }, scheduling.New(scheduling.Options{}))
			if err := v.look(t.Context(), newBatch(), now); err != nil {
				t.Fatal(err)
			}
			if s := v.state(now); len(s.waiting) != tc.waits || len(s.candidates) != tc.waits {
				t.Errorf("%d wait, want %d", len(s.waiting), tc.waits)
			}
		})
	}
}
