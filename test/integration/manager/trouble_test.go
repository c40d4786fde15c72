package manager

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/internal/testing/promises"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("What happens to a job from outside", func() {
	It("is told when its image cannot be pulled, and it can be cancelled then", func() {
		job := newJob(kubelet.NeverPull())
		submit(job)
		reaches(job, v1alpha1.JobPending, v1alpha1.JobReasonErrImagePull)
		Expect(job.Status.Message).To(ContainSubstring("connection refused"))
		cancel(job)
		reaches(job, v1alpha1.JobCancelled, v1alpha1.JobReasonUserRequested)
	})

	It("costs nothing when its node has no place for it after all: it is started again", func() {
		job := newJob(kubelet.RefuseFirst())
		submit(job)
		reaches(job, v1alpha1.JobSucceeded, v1alpha1.JobReasonCompleted)
		Expect(job.Status.Attempt).To(BeEquivalentTo(2))
		Expect(job.Status.Retries).To(BeZero())
		isRecorded(job, "Pending Creating", "Pending Queued", "Pending Creating", "Running Running", "Succeeded Completed")
	})

	It("is told when somebody removes its pod", func() {
		job := newJob(kubelet.RunUntilEnded())
		submit(job)
		runs(job)
		Expect(harness.K8s.Delete(harness.Ctx, ptr.To(podsOf(job)[0]))).To(Succeed())
		reaches(job, v1alpha1.JobFailed, v1alpha1.JobReasonCollected)
	})

	It("is told when a name that it needs is taken", func() {
		job := newJob(kubelet.Exit(0), func(j *v1alpha1.Job) { j.Spec.HTTP = &v1alpha1.HTTPPort{Port: 8080} })
		put(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: job.Name},
			Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone},
		})
		submit(job)
		reaches(job, v1alpha1.JobFailed, v1alpha1.JobReasonPolicyDenied)
		Expect(job.Status.Message).To(ContainSubstring("remove it or submit the job under another name"))
	})

	It("ends it with its project, and its history is kept", func() {
		name := harness.Unique("short")
		project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ProjectSpec{Quota: quotaName}}
		put(project)
		isReady(project)
		job, waiting := newJob(kubelet.RunUntilEnded(), in(name)), newJob(kubelet.Exit(0), in(name), cores("99"))
		submit(job, waiting)
		runs(job)
		reaches(waiting, v1alpha1.JobPending, v1alpha1.JobReasonUnschedulable)
		Expect(harness.K8s.Delete(harness.Ctx, project)).To(Succeed())
		harness.Gone(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		harness.Gone(project)
		isRecorded(job, "Pending Creating", "Running Running", "Cancelled ProjectDeleted", "Deleted Deleted")
		isRecorded(waiting, "Pending Unschedulable", "Cancelled ProjectDeleted", "Deleted Deleted")
	})

	Describe("while the history is away", func() {
		BeforeEach(func() { Expect(database.Down()).To(Succeed()) })
		// Before jobs are removed, which wait for it.
		AfterEach(func() { Expect(database.Up(harness.Ctx)).To(Succeed()) })

		It("runs through, and is removed only when the history has it", func() {
			job := newJob(kubelet.Exit(0), keptFor(0))
			submit(job)
			harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) { g.Expect(job.DeletionTimestamp).NotTo(BeNil()) })
			Expect(job.Status.Phase).To(Equal(v1alpha1.JobSucceeded))
			Consistently(func() error {
				return harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(job), job)
			}, "2s").Should(Succeed())
			Expect(database.Up(harness.Ctx)).To(Succeed())
			harness.Gone(job)
			isRecorded(job, "Pending Creating", "Running Running", "Succeeded Completed", "Deleted Deleted")
		})

		It("makes no further attempt than its journal can tell of, and goes on afterwards", func() {
			job := newJob(kubelet.RunUntilEnded())
			submit(job)
			// Each turn is four transitions, of which the journal holds 24.
			for range 5 {
				runs(job)
				suspend(job)
				reaches(job, v1alpha1.JobSuspended, v1alpha1.JobReasonSuspended)
				resume(job)
			}
			waits(job, v1alpha1.JobReasonHistoryBacklog, "the history has not taken up")
			attempts := job.Status.Attempt
			Expect(database.Up(harness.Ctx)).To(Succeed())
			runs(job)
			Expect(job.Status.Attempt).To(Equal(attempts + 1))
			cancel(job)
			reaches(job, v1alpha1.JobCancelled, v1alpha1.JobReasonUserRequested)
			Expect(harness.K8s.Delete(harness.Ctx, job)).To(Succeed())
			harness.Gone(job)
			Eventually(happened.Complete).WithContext(harness.Ctx).Should(Succeed())
			expectHistory(job, promises.Transitions(happened.Events(), job.UID))
		})
	})
})
