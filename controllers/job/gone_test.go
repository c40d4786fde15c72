package job

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// A pod that vanished with its node was lost with it: that is not the job's doing.
func TestAPodVanishesWithItsNode(t *testing.T) {
	tests := map[string]struct {
		job  *platformv1.Job
		pods []*corev1.Pod
		gone string
		want string
		node string
	}{
		"its node is there":             {running(retries(platformv1.RestartOnFailure, 0)), nil, "", "Failed/NotFound", "n1"},
		"its node is gone":              {running(retries(platformv1.RestartOnFailure, 0)), nil, "n1", "Pending/BackOff", "n1"},
		"of a job that is not tried":    {running(), nil, "n1", "Failed/NodeLost", "n1"},
		"one of a gang: the others end": {running(gang(2)), []*corev1.Pod{runs(0)}, "n2", "Running/Terminating held kill=1", "n2"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := decide(facts{job: tc.job, pods: tc.pods, goneNode: tc.gone, now: at(12).Time})
			if describe(got) != tc.want {
				t.Errorf("got %s, want %s", describe(got), tc.want)
			}
			node := ""
			if held := got.status.Reservation; held != nil {
				node = held.EndingNode
			} else {
				node = got.status.Attempts[0].Node
			}
			if node != tc.node || tc.gone != "" && !strings.Contains(got.status.Message, "node "+tc.gone) {
				t.Errorf("it failed on %s, %q; want %s", node, got.status.Message, tc.node)
			}
		})
	}
}

// nodes is a client that knows some nodes; where there is none it fails.
type nodes struct {
	client.Client
	known []string
}

func (n nodes) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	if len(n.known) == 0 {
		return errors.New("nobody should ask")
	}
	for _, name := range n.known {
		if name == key.Name {
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "nodes"}, key.Name)
}

func TestWhetherTheNodeOfAVanishedPodIsGone(t *testing.T) {
	shares := func(j *platformv1.Job) {
		gang(3)(j)
		j.Status.Reservation.Nodes = []platformv1.NodeShare{{Node: "n1", Replicas: 2}, {Node: "n2", Replicas: 1}}
	}
	tests := map[string]struct {
		job   *platformv1.Job
		pods  []*corev1.Pod
		known []string
		want  string
	}{
		"nothing vanished":              {running(), []*corev1.Pod{runs(0)}, nil, ""},
		"it waits":                      {waiting(), nil, nil, ""},
		"its pods are not made":         {reserved(), nil, nil, ""},
		"it is being ended":             {running(ending(platformv1.JobReasonUserRequested)), nil, nil, ""},
		"its node is there":             {running(), nil, []string{"n1"}, ""},
		"its node is gone":              {running(), nil, []string{"n2"}, "n1"},
		"the last of a gang":            {running(shares), []*corev1.Pod{runs(0), runs(1)}, []string{"n1"}, "n2"},
		"one of a gang, of a node left": {running(shares), []*corev1.Pod{runs(0), runs(2)}, []string{"n1"}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := &Reconciler{Client: nodes{known: tc.known}}
			if got, err := r.goneNode(t.Context(), tc.job, tc.pods); got != tc.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}
