package cli

import (
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// teller shows how a job stands, from what is seen of the job and of its pods.
type teller struct {
	live *liveLine
	// leave says how to leave a job that cannot start; it is said once.
	leave string

	mu   sync.Mutex
	said narrator
	last *v1alpha1.Job
}

// see shows what is new of the job. Its end is told after its output.
func (t *teller) see(job *v1alpha1.Job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = job
	if !job.Status.Phase.Finished() {
		t.tell(job)
	}
}

// begins tells that a job runs when its container is seen to: the job's status says so a moment later, and output before it
// would be confusing. Of several replicas one does not tell.
func (t *teller) begins(pod *corev1.Pod) {
	t.mu.Lock()
	defer t.mu.Unlock()
	attempt := int32(labelNumber(pod, v1alpha1.LabelAttempt)) //nolint:gosec // the platform's own label
	if t.last == nil || t.last.Spec.ReplicaCount() > 1 || attempt <= t.said.ran {
		return
	}
	job := t.last.DeepCopy()
	job.Status.Phase, job.Status.Reason, job.Status.Attempt = v1alpha1.JobRunning, v1alpha1.JobReasonRunning, attempt
	t.tell(job)
}

func (t *teller) tell(job *v1alpha1.Job) {
	var l *line
	if t.said, l = t.said.next(job); l != nil {
		if l.stuck {
			l.text += t.leave
			t.leave = ""
		}
		t.live.show(*l)
	}
}
