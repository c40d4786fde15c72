package manager

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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

	It("is told when its node is drained, and its end on request is no success", func() {
		job := newJob(kubelet.RunAndEndWell())
		submit(job)
		runs(job)
		pod := podsOf(job)[0]
		Expect(harness.K8s.SubResource("eviction").Create(harness.Ctx, &pod, &policyv1.Eviction{})).To(Succeed())
		reaches(job, v1alpha1.JobFailed, v1alpha1.JobReasonEvicted)
	})

	It("says that its image is being pulled, and that a volume cannot be mounted", func() {
		job := newJob(kubelet.NeverStart())
		submit(job)
		harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) { g.Expect(podsOf(job)).To(HaveLen(1)) })
		pod := podsOf(job)[0]
		tell(&pod, "Pulling", "Pulling image")
		reaches(job, v1alpha1.JobPending, v1alpha1.JobReasonPulling)
		tell(&pod, "FailedMount", "no space left on device")
		reaches(job, v1alpha1.JobPending, v1alpha1.JobReasonDiskUnavailable)
		Expect(job.Status.Message).To(ContainSubstring("no space left on device"))
	})

	It("waits for a secret that went away as it started, and costs nothing", func() {
		job := newJob(kubelet.NeverStart())
		submit(job)
		harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) { g.Expect(podsOf(job)).To(HaveLen(1)) })
		pod := podsOf(job)[0]
		tell(&pod, "FailedMount", `MountVolume.SetUp failed for volume "volume-0" : secret "keys" not found`)
		Eventually(func(g Gomega) {
			g.Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
			g.Expect(job.Status.Attempts).To(ConsistOf(HaveField("Reason", v1alpha1.JobReasonSecretMissing)))
		}, "60s").Should(Succeed())
		Expect(job.Status.Phase).To(Equal(v1alpha1.JobPending))
		Expect(job.Status.Retries).To(BeZero())
	})

	It("hurts no other where its reservation cannot be stored, and is told why", func() {
		local := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: clusterName}}
		preset := harness.Unique("priceless")
		change(local, func(c *v1alpha1.Cluster) {
			c.Spec.Prices = &v1alpha1.Prices{Currency: "EUR"}
			c.Spec.Presets = append(c.Spec.Presets, v1alpha1.Preset{
				Name: preset, CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), PricePerHour: "999999999999"})
		})
		DeferCleanup(func() { change(local, func(c *v1alpha1.Cluster) { c.Spec.Prices = nil }) })
		bad := newJob(kubelet.Exit(0), gang(2), func(j *v1alpha1.Job) { j.Spec.Preset = preset })
		good, busy := newJob(kubelet.Exit(0)), newJob(kubelet.Exit(0), cores("50"))
		submit(bad, good, busy)
		waits(bad, v1alpha1.JobReasonReservationRefused, "pricePerHour")
		harness.ExpectCondition(Default, bad, v1alpha1.ConditionStalled, "True", string(v1alpha1.JobReasonReservationRefused))
		ends(good)
		waits(busy, v1alpha1.JobReasonUnschedulable, "")
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

	It("waits until what an earlier job of its name left is gone", func() {
		job := newJob(kubelet.Exit(0), func(j *v1alpha1.Job) { j.Spec.HTTP = &v1alpha1.HTTPPort{Port: 8080} })
		earlier := job.DeepCopy()
		earlier.UID = "11111111-2222-3333-4444-555555555555"
		left := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: job.Namespace, Name: job.Name, Finalizers: []string{"test.soma.dev/stays"},
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(earlier, v1alpha1.GroupVersion.WithKind("Job"))},
			},
			Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone},
		}
		put(left)
		submit(job)
		harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) {
			g.Expect(job.Status.Message).To(ContainSubstring("is not gone yet"))
		})
		change(left, func(s *corev1.Service) { s.Finalizers = nil })
		Expect(client.IgnoreNotFound(harness.K8s.Delete(harness.Ctx, left))).To(Succeed())
		ends(job)
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

// changeStatus patches the status of a pod as it is now.
func changeStatus(pod *corev1.Pod, set func(*corev1.Pod)) {
	GinkgoHelper()
	Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
	before := pod.DeepCopy()
	set(pod)
	Expect(harness.K8s.Status().Patch(harness.Ctx, pod, client.MergeFrom(before))).To(Succeed())
}

// tell has a node say something about a pod, as the kubelet does.
func tell(pod *corev1.Pod, reason, message string) {
	GinkgoHelper()
	put(&corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: pod.Namespace, Name: harness.Unique(pod.Name)},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Reason:         reason, Message: message, FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(), Count: 1,
	})
}
