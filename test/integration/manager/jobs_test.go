package manager

import (
	"fmt"

	"github.com/google/uuid"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/workload"
	"github.com/soma-platform/soma/test/integration/harness"
)

// option changes a job before it is submitted.
type option func(*v1alpha1.Job)

// newJob is a job of the suite's project, whose containers do what the command says.
func newJob(command []string, options ...option) *v1alpha1.Job {
	job := harness.NewJob(projectName, harness.Unique("job"))
	job.Spec.Command = command
	for _, set := range options {
		set(job)
	}
	return job
}

func in(project string) option { return func(j *v1alpha1.Job) { j.Namespace = project } }

func cores(n string) option {
	return func(j *v1alpha1.Job) {
		j.Spec.Resources = &v1alpha1.JobResources{CPU: ptr.To(resource.MustParse(n)), Memory: ptr.To(resource.MustParse("1Gi"))}
	}
}

func gang(replicas int32) option { return func(j *v1alpha1.Job) { j.Spec.Replicas = &replicas } }

func keptFor(seconds int32) option {
	return func(j *v1alpha1.Job) { j.Spec.TTLSecondsAfterFinished = &seconds }
}

func retried(times int32) option {
	return func(j *v1alpha1.Job) {
		j.Spec.Restart = &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure, MaxRetries: &times}
	}
}

// submit creates jobs and removes them at the end of the spec.
func submit(jobs ...*v1alpha1.Job) {
	GinkgoHelper()
	DeferCleanup(func() {
		for _, job := range jobs {
			Expect(client.IgnoreNotFound(harness.K8s.Delete(harness.Ctx, job))).To(Succeed())
		}
		for _, job := range jobs {
			harness.Gone(job)
		}
	})
	for _, job := range jobs {
		Expect(harness.K8s.Create(harness.Ctx, job)).To(Succeed())
	}
}

// put creates an object of the world around jobs and asks for its removal at the end of the spec.
func put(o client.Object) {
	GinkgoHelper()
	Expect(harness.K8s.Create(harness.Ctx, o)).To(Succeed())
	DeferCleanup(func() { Expect(client.IgnoreNotFound(harness.K8s.Delete(harness.Ctx, o))).To(Succeed()) })
}

// change patches an object as it is now.
func change[T client.Object](o T, set func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		before, _ := o.DeepCopyObject().(client.Object)
		set(o)
		return harness.K8s.Patch(harness.Ctx, o, client.MergeFrom(before))
	}).Should(Succeed())
}

func cancel(job *v1alpha1.Job)    { GinkgoHelper(); change(job, setCancel) }
func setCancel(job *v1alpha1.Job) { job.Spec.Cancel = ptr.To(true) }
func suspend(job *v1alpha1.Job) {
	GinkgoHelper()
	change(job, func(j *v1alpha1.Job) { j.Spec.Suspend = ptr.To(true) })
}
func resume(job *v1alpha1.Job) {
	GinkgoHelper()
	change(job, func(j *v1alpha1.Job) { j.Spec.Suspend = nil })
}
func isReady(o harness.Object) { GinkgoHelper(); becomes(o, v1alpha1.ConditionReady) }
func state(job *v1alpha1.Job) string {
	return fmt.Sprintf("%s %s", job.Status.Phase, job.Status.Reason)
}

func becomes(o harness.Object, conditionType string) {
	GinkgoHelper()
	harness.Reaches(o, func(g Gomega, o harness.Object) {
		harness.ExpectCondition(g, o, conditionType, "True", v1alpha1.ReasonAvailable)
	})
}

// reaches waits until a job is in a phase for a reason.
func reaches(job *v1alpha1.Job, phase v1alpha1.JobPhase, reason v1alpha1.JobReason) {
	GinkgoHelper()
	harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) {
		g.Expect(state(job)).To(Equal(fmt.Sprintf("%s %s", phase, reason)), job.Status.Message)
	})
}

// runs waits until a job runs.
func runs(job *v1alpha1.Job) {
	GinkgoHelper()
	reaches(job, v1alpha1.JobRunning, v1alpha1.JobReasonRunning)
}

// waits expects that a job is told soon that it waits for a reason, in words that hold the given ones, and that no pod of it
// is alive.
func waits(job *v1alpha1.Job, reason v1alpha1.JobReason, words string) {
	GinkgoHelper()
	harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) {
		g.Expect(state(job)).To(Equal(fmt.Sprintf("%s %s", v1alpha1.JobPending, reason)), job.Status.Message)
		g.Expect(job.Status.Message).To(ContainSubstring(words))
	})
	Expect(job.Status.Reservation).To(BeNil())
	for _, pod := range podsOf(job) {
		Expect(workload.Ended(&pod)).To(BeTrue(), pod.Name)
	}
}

// podsOf are the pods of a job that exist, of all attempts.
func podsOf(job *v1alpha1.Job) []corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(harness.K8s.List(harness.Ctx, &list, client.InNamespace(job.Namespace),
		client.MatchingLabels{v1alpha1.LabelJobUID: string(job.UID)})).To(Succeed())
	return list.Items
}

// rows are the transitions of a job that the history has, in order.
func rows(job *v1alpha1.Job) ([]history.Transition, error) {
	uid, err := uuid.Parse(string(job.UID))
	if err != nil {
		return nil, err
	}
	return past.Transitions(harness.Ctx, &history.Job{SubmittedAt: job.CreationTimestamp.UTC(), Uid: uid}, 1000)
}

// isRecorded expects that the history tells a life in these words: phase and reason of each transition.
func isRecorded(job *v1alpha1.Job, life ...string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		all, err := rows(job)
		g.Expect(err).NotTo(HaveOccurred())
		told := make([]string, 0, len(all))
		for _, row := range all {
			told = append(told, row.Phase+" "+row.Reason)
		}
		g.Expect(told).To(Equal(life))
	}).Should(Succeed())
}

// expectHistory expects that the history has what the journal of a job told, and its deletion, once and in order.
func expectHistory(job *v1alpha1.Job, told []v1alpha1.Transition) {
	GinkgoHelper()
	all, err := rows(job)
	Expect(err).NotTo(HaveOccurred())
	Expect(all).To(HaveLen(len(told) + 1))
	for i, t := range told {
		row := all[i]
		Expect(row.Sequence).To(Equal(t.Sequence))
		Expect(fmt.Sprint(row.Phase, row.Reason, row.Attempt)).To(Equal(fmt.Sprint(t.Phase, t.Reason, t.Attempt)))
		Expect(row.At).To(BeTemporally("==", t.Time.Time))
	}
	Expect(all[len(told)].Phase).To(Equal("Deleted"))
	Expect(all[len(told)].Sequence).To(BeEquivalentTo(len(told) + 1))
}
