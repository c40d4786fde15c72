package manager

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("What follows the failure of a job", func() {
	It("is nothing where a rule says so of its exit code", func() {
		job := newJob(kubelet.Exit(42), retried(3), ruled(v1alpha1.RestartRule{ExitCodes: []int32{42}, Action: v1alpha1.RestartFail}))
		submit(job)
		reaches(job, v1alpha1.JobFailed, v1alpha1.JobReasonError)
		Expect(job.Status.Attempt).To(BeEquivalentTo(1))
		Expect(job.Status.Message).To(And(ContainSubstring("restart.rules[0]"), ContainSubstring("last words 42")))
	})

	It("is another attempt at no cost where a rule says so, as often as it says", func() {
		job := newJob(kubelet.Exit(75), retried(0), func(j *v1alpha1.Job) { j.Spec.Restart.BackoffSeconds = ptr.To[int64](0) },
			ruled(v1alpha1.RestartRule{ExitCodes: []int32{75}, Action: v1alpha1.RestartRetryFree, MaxRetries: ptr.To[int32](2)}))
		submit(job)
		reaches(job, v1alpha1.JobFailed, v1alpha1.JobReasonError)
		Expect(job.Status.Attempt).To(BeEquivalentTo(3))
		Expect(job.Status.Retries).To(BeZero())
		Expect(job.Status.Failures).To(ConsistOf(v1alpha1.FailureCount{Category: v1alpha1.FailureExitCode, ExitCode: 75, Count: 3}))
	})

	It("waits for its pause, also where the manager ends meanwhile", func() {
		job := newJob(kubelet.Exit(3, 0), retried(1), func(j *v1alpha1.Job) { j.Spec.Restart.BackoffSeconds = ptr.To[int64](4) })
		submit(job)
		waits(job, v1alpha1.JobReasonBackOff, "retry 1 of 1")
		due := job.Status.RetryTime
		Expect(due).NotTo(BeNil())
		Expect(running.Stop()).To(Succeed())
		running = launch()
		reaches(job, v1alpha1.JobSucceeded, v1alpha1.JobReasonCompleted)
		Expect(job.Status.Attempts).To(HaveLen(2))
		Expect(job.Status.Attempts[1].StartTime.Before(due)).To(BeFalse(), "due %s, started %s", due, job.Status.Attempts[1].StartTime)
		isRecorded(job, "Pending Creating", "Running Running", "Pending BackOff", "Pending Creating", "Running Running", "Succeeded Completed")
	})

	It("costs nothing where its node was drained", func() {
		job := newJob(kubelet.RunAndEndWell(), retried(0))
		submit(job)
		runs(job)
		pod := podsOf(job)[0]
		Expect(harness.K8s.SubResource("eviction").Create(harness.Ctx, &pod, &policyv1.Eviction{})).To(Succeed())
		harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) {
			g.Expect(job.Status.Attempts).To(ConsistOf(HaveField("Reason", v1alpha1.JobReasonEvicted)))
		})
		runs(job)
		Expect(job.Status.Attempt).To(BeEquivalentTo(2))
		Expect(job.Status.Retries).To(BeZero())
	})

	Describe("when its node does not answer", func() {
		var (
			away *corev1.Node
			job  *v1alpha1.Job
			pod  corev1.Pod
		)

		// The control plane has given up the pod: it is told to go, and nobody confirms that it has.
		BeforeEach(func() {
			away = harness.AddNode(harness.Unique("away"), "flaky", "0")
			harness.AddNode(harness.Unique("there"), "steady", "0")
			job = newJob(kubelet.RunUntilEnded(), retried(0), pools("flaky", "steady"))
			submit(job)
			runs(job)
			Expect(job.Status.Reservation.Nodes).To(ConsistOf(v1alpha1.NodeShare{Node: away.Name, Replicas: 1}))
			pod = podsOf(job)[0]
			setReady(away, corev1.ConditionUnknown)
			changeStatus(&pod, func(p *corev1.Pod) {
				p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
					LastTransitionTime: metav1.Now(), Reason: "DeletionByTaintManager", Message: "Taint manager: deleting due to NoExecute taint"})
			})
			Expect(harness.K8s.Delete(harness.Ctx, &pod)).To(Succeed())
			reaches(job, v1alpha1.JobRunning, v1alpha1.JobReasonTerminating)
			Expect(job.Status.Message).To(ContainSubstring("node " + away.Name + " is lost"))
			Consistently(func(g Gomega) {
				g.Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
				g.Expect(job.Status.Reservation).NotTo(BeNil())
				g.Expect(podsOf(job)).To(HaveLen(1))
			}, "1s").Should(Succeed())
		})

		elsewhere := func() {
			GinkgoHelper()
			harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) {
				g.Expect(job.Status.Attempts).To(ConsistOf(And(HaveField("Reason", v1alpha1.JobReasonNodeLost), HaveField("Node", away.Name))))
			})
			runs(job)
			Expect(job.Status.Attempt).To(BeEquivalentTo(2))
			Expect(job.Status.Retries).To(BeZero())
			Expect(job.Status.Reservation.Pool).To(Equal("steady"))
		}

		It("is tried again elsewhere, at no cost, when the node is removed and its pods with it", func() {
			Expect(harness.K8s.Delete(harness.Ctx, away)).To(Succeed())
			// Without a word about how they ended.
			Expect(harness.K8s.Delete(harness.Ctx, &pod, client.GracePeriodSeconds(0))).To(Succeed())
			elsewhere()
		})

		It("is tried again elsewhere when the node is fenced and its pods are given up", func() {
			changeStatus(&pod, func(p *corev1.Pod) {
				p.Status.Phase = corev1.PodFailed
				p.Status.Conditions[len(p.Status.Conditions)-1].Reason = "DeletionByPodGC"
			})
			elsewhere()
		})

		It("is tried again when the node is back and has ended the pod", func() {
			change(away, func(n *corev1.Node) { n.Spec.Unschedulable = true })
			setReady(away, corev1.ConditionTrue)
			elsewhere()
		})
	})
})

// ruled gives the job rules about what follows its failures; after retried.
func ruled(rules ...v1alpha1.RestartRule) option {
	return func(j *v1alpha1.Job) { j.Spec.Restart.Rules = rules }
}

// pools are where the job may run, the best first.
func pools(names ...string) option {
	return func(j *v1alpha1.Job) { j.Spec.Placement = &v1alpha1.Placement{Pools: names} }
}

// setReady has a node be ready, or not, or not be known to be.
func setReady(node *corev1.Node, ready corev1.ConditionStatus) {
	GinkgoHelper()
	Eventually(func() error {
		if err := harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(node), node); err != nil {
			return err
		}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
		return harness.K8s.Status().Update(harness.Ctx, node)
	}).Should(Succeed())
}
