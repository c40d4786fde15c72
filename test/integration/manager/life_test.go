package manager

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("The life of a job", func() {
	It("ends well", func() {
		job := newJob(kubelet.Exit(0))
		submit(job)
		reaches(job, v1alpha1.JobSucceeded, v1alpha1.JobReasonCompleted)
		Expect(job.Status.ExitCode).To(HaveValue(BeZero()))
		Expect(job.Status.Reservation).To(BeNil())
		Expect(job.Status.Preset).To(Equal(presetName))
		Expect(job.Status.ImageDigest).To(ContainSubstring("@sha256:"))
		isRecorded(job, "Pending Creating", "Running Running", "Succeeded Completed")
	})

	It("ends with the container's exit code and last words", func() {
		job := newJob(kubelet.Exit(7))
		submit(job)
		reaches(job, v1alpha1.JobFailed, v1alpha1.JobReasonError)
		Expect(job.Status.ExitCode).To(HaveValue(BeEquivalentTo(7)))
		Expect(job.Status.Message).To(ContainSubstring("last words 7"))
		isRecorded(job, "Pending Creating", "Running Running", "Failed Error")
	})

	It("is cancelled while it starts", func() {
		job := newJob(kubelet.NeverStart())
		submit(job)
		harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) { g.Expect(podsOf(job)).To(HaveLen(1)) })
		cancel(job)
		reaches(job, v1alpha1.JobCancelled, v1alpha1.JobReasonUserRequested)
		Expect(job.Status.StartTime).To(BeNil())
		isRecorded(job, "Pending Creating", "Cancelled UserRequested")
	})

	It("is cancelled while it runs", func() {
		job := newJob(kubelet.RunUntilEnded())
		submit(job)
		runs(job)
		Expect(job.Status.Reservation).NotTo(BeNil())
		cancel(job)
		reaches(job, v1alpha1.JobCancelled, v1alpha1.JobReasonUserRequested)
		isRecorded(job, "Pending Creating", "Running Running", "Cancelled UserRequested")
	})

	It("is suspended, holds nothing then, and goes on as its next attempt", func() {
		job := newJob(kubelet.RunUntilEnded())
		submit(job)
		runs(job)
		suspend(job)
		reaches(job, v1alpha1.JobSuspended, v1alpha1.JobReasonSuspended)
		Expect(job.Status.Reservation).To(BeNil())
		resume(job)
		runs(job)
		Expect(job.Status.Attempt).To(BeEquivalentTo(2))
		Expect(job.Status.Retries).To(BeZero())
	})

	It("is tried again after a pause, as often as its budget allows", func() {
		job := newJob(kubelet.Exit(3, 4), retried(1))
		submit(job)
		reaches(job, v1alpha1.JobPending, v1alpha1.JobReasonBackOff)
		Expect(job.Status.RetryTime).NotTo(BeNil())
		reaches(job, v1alpha1.JobFailed, v1alpha1.JobReasonError)
		Expect(job.Status.Attempts).To(HaveLen(2))
		Expect(job.Status.Attempts[0].ExitCode).To(HaveValue(BeEquivalentTo(3)))
		Expect(job.Status.ExitCode).To(HaveValue(BeEquivalentTo(4)))
		isRecorded(job, "Pending Creating", "Running Running", "Pending BackOff", "Pending Creating", "Running Running", "Failed Error")
	})

	It("fails when it did not start in time", func() {
		job := newJob(kubelet.NeverStart(), func(j *v1alpha1.Job) { j.Spec.ScheduleTimeoutSeconds = ptr.To(int64(1)) })
		// Long enough to be told first what it waits for.
		waiting := newJob(kubelet.Exit(0), cores("99"), func(j *v1alpha1.Job) { j.Spec.ScheduleTimeoutSeconds = ptr.To(int64(5)) })
		submit(job, waiting)
		reaches(job, v1alpha1.JobFailed, v1alpha1.JobReasonScheduleTimeout)
		reaches(waiting, v1alpha1.JobFailed, v1alpha1.JobReasonScheduleTimeout)
		Expect(waiting.Status.Message).To(ContainSubstring("a replica asks for 99 cpu"))
	})

	It("ends with its life span", func() {
		job := newJob(kubelet.RunUntilEnded(), func(j *v1alpha1.Job) { j.Spec.LifeSpanSeconds = ptr.To(int64(1)) })
		submit(job)
		reaches(job, v1alpha1.JobCancelled, v1alpha1.JobReasonLifeSpanEnded)
		isRecorded(job, "Pending Creating", "Running Running", "Cancelled LifeSpanEnded")
	})

	It("ends with its object", func() {
		job := newJob(kubelet.RunUntilEnded())
		submit(job)
		runs(job)
		Expect(harness.K8s.Delete(harness.Ctx, job)).To(Succeed())
		harness.Gone(job)
		isRecorded(job, "Pending Creating", "Running Running", "Cancelled UserRequested", "Deleted Deleted")
		Eventually(func() []corev1.Pod { return podsOf(job) }).Should(BeEmpty())
	})

	It("is started whole or not at all where it is a gang", func() {
		first := newJob(kubelet.RunUntilEnded(), cores("8"))
		submit(first)
		runs(first)
		// One node is left: two of the three would find a place.
		three := newJob(kubelet.RunUntilEnded(), cores("4"), gang(3))
		submit(three)
		waits(three, v1alpha1.JobReasonQueued, "there is room for 2 of 3 replicas")
		cancel(first)
		runs(three)
		Expect(podsOf(three)).To(HaveLen(3))
		// This API server does not serve PodGroups; package gangs has one that does.
		Expect(running.Proxy.Writes()).NotTo(ContainElement(HaveField("What", ContainSubstring("podgroups"))))
		service := &corev1.Service{}
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(three), service)).To(Succeed())
		Expect(three.Status.InternalHostname).NotTo(BeEmpty())
	})

	It("has an Ingress while a proxy carries its page", func() {
		cluster := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: clusterName}}
		pages := func(pages *v1alpha1.JobPages) {
			GinkgoHelper()
			change(cluster, func(c *v1alpha1.Cluster) { c.Spec.JobPages = pages })
		}
		DeferCleanup(func() { pages(nil) })
		pages(&v1alpha1.JobPages{
			Domain: "jobs.example.org", IngressClassName: "traefik", Annotations: map[string]v1alpha1.AnnotationValue{"asks": "the-gateway"},
		})
		ingress := func(of *v1alpha1.Job) error {
			return harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(of), &networkingv1.Ingress{})
		}
		serve := func() *v1alpha1.Job {
			GinkgoHelper()
			job := newJob(kubelet.RunUntilEnded(), func(j *v1alpha1.Job) { j.Spec.HTTP = &v1alpha1.HTTPPort{Port: 8080} })
			submit(job)
			runs(job)
			return job
		}
		first := serve()
		Expect(ingress(first)).To(Succeed())
		pages(&v1alpha1.JobPages{Domain: "pages.example.org"})
		Eventually(func() bool { return apierrors.IsNotFound(ingress(first)) }).Should(BeTrue())
		harness.Reaches(first, func(g Gomega, job *v1alpha1.Job) { g.Expect(job.Status.URL).To(HaveSuffix(".pages.example.org/")) })
		second := serve()
		Expect(apierrors.IsNotFound(ingress(second))).To(BeTrue())
		Expect(second.Status.URL).NotTo(BeEmpty())
	})

	It("has a page where the cluster says clearly who carries it", func() {
		for _, pages := range []*v1alpha1.JobPages{
			{Domain: "jobs.example.org", IngressClassName: "traefik"},
			{Domain: "jobs.example.org", Annotations: map[string]v1alpha1.AnnotationValue{"asks": "the-gateway"}},
		} {
			cluster := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("cluster")}, Spec: v1alpha1.ClusterSpec{JobPages: pages}}
			Expect(harness.K8s.Create(harness.Ctx, cluster, client.DryRunAll)).To(MatchError(ContainSubstring("ingressClassName and annotations go together")))
		}
	})
})
