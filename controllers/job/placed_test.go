package job

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Pods have their time to get onto their nodes from when they are made: a reservation may be old by then, as its manager died. Some pods
// do not wait without end, on nodes that they hold, for others that cannot be made.
func TestHowLongPodsWaitForTheirNodes(t *testing.T) {
	made := func(p *corev1.Pod, second int) *corev1.Pod {
		p.CreationTimestamp = at(second)
		return p
	}
	unbound := func(rank int32, second int) *corev1.Pod {
		return made(pod(rank, corev1.PodPending, corev1.ContainerState{}, func(p *corev1.Pod) { p.Spec.NodeName, p.Status.ContainerStatuses = "", nil }), second)
	}
	refused := func(j *platformv1.Job) { j.Status.Message = "the webhook answers 500" }
	tests := map[string]struct {
		job  *platformv1.Job
		pods []*corev1.Pod
		// leads is since when the manager does.
		leads, now int
		want       string
		words      string
		again      time.Duration
	}{
		"not bound":                          {reserved(), []*corev1.Pod{unbound(0, 1)}, 0, 60, "Pending/Scheduling held", "", time.Second},
		"not bound for too long":             {reserved(), []*corev1.Pod{unbound(0, 1)}, 0, 61, "Pending/Terminating held kill=1", "taken by others", 0},
		"made late, by a successor":          {reserved(), []*corev1.Pod{unbound(0, 60)}, 60, 61, "Pending/Scheduling held", "", 59 * time.Second},
		"one of a gang, when all are made":   {reserved(gang(2)), []*corev1.Pod{made(runs(0), 1), unbound(1, 1)}, 0, 61, "Pending/Terminating held kill=2", "taken by others", 0},
		"one was made late: bound as a gang": {reserved(gang(2)), []*corev1.Pod{unbound(0, 1), unbound(1, 50)}, 0, 61, "Pending/Scheduling held", "", 49 * time.Second},
		"one cannot be made":                 {reserved(gang(2), refused), []*corev1.Pod{made(runs(0), 1)}, 0, 60, "Pending/Creating held create", "answers 500", time.Second},
		"one cannot be made for too long":    {reserved(gang(2), refused), []*corev1.Pod{made(runs(0), 1)}, 0, 61, "Pending/Terminating held kill=1", "could not be made; last: the webhook answers 500", 0},
		"one was not made by a predecessor":  {reserved(gang(2)), []*corev1.Pod{unbound(0, 1)}, 60, 61, "Pending/Creating held create", "", 59 * time.Second},
		"one was removed, and is made anew":  {reserved(gang(2)), []*corev1.Pod{made(runs(0), 1)}, 0, 600, "Pending/Creating held create", "", 0},
		"none can be made: none holds GPUs":  {reserved(gang(2), refused), nil, 0, 600, "Pending/Creating held create", "answers 500", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := decide(facts{job: tc.job, pods: tc.pods, leads: at(tc.leads).Time, now: at(tc.now).Time})
			if describe(got) != tc.want || !strings.Contains(got.status.Message, tc.words) || got.again != tc.again {
				t.Errorf("%s (%s), looked at again after %s; want %s (%s) after %s", describe(got), got.status.Message, got.again, tc.want, tc.words, tc.again)
			}
		})
	}
}
