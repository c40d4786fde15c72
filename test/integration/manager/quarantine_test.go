package manager

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("A node on which several jobs fail", func() {
	var (
		pool       string
		sick, well *corev1.Node
		local      = &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: clusterName}}
	)

	BeforeEach(func() {
		pool = harness.Unique("gpus")
		// The smaller one is filled first.
		sick, well = harness.AddNode(harness.Unique("sick"), pool, "4"), harness.AddNode(harness.Unique("well"), pool, "8")
		change(sick, func(n *corev1.Node) { n.Labels[kubelet.LabelBrokenGPUs] = "true" })
	})

	onGPU := func(j *v1alpha1.Job) {
		j.Spec.Resources = &v1alpha1.JobResources{CPU: ptr.To(resource.MustParse("1")), Memory: ptr.To(resource.MustParse("1Gi")), GPU: &v1alpha1.GPUs{Count: 1}}
	}
	fail := func(jobs int) (all []*v1alpha1.Job) {
		for range jobs {
			all = append(all, newJob(kubelet.RunUntilEnded(), onGPU, pools(pool)))
		}
		submit(all...)
		return all
	}
	taint := HaveField("Spec.Taints", ContainElement(And(
		HaveField("Key", v1alpha1.TaintQuarantine), HaveField("Value", v1alpha1.TaintFailures), HaveField("Effect", corev1.TaintEffectNoSchedule))))

	It("is kept from them, says so, and they run elsewhere at no cost", func() {
		jobs := fail(3)
		for _, job := range jobs {
			runs(job)
			Expect(job.Status.Reservation.Nodes).To(ConsistOf(HaveField("Node", well.Name)))
			Expect(job.Status.Retries).To(BeZero())
			Expect(job.Status.Attempts).To(HaveEach(And(HaveField("Reason", v1alpha1.JobReasonGPULost), HaveField("Node", sick.Name))))
		}
		harness.Reaches(sick, func(g Gomega, n *corev1.Node) { g.Expect(n).To(taint) })
		harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
			g.Expect(local.Status.Quarantine).To(ConsistOf(And(HaveField("Node", sick.Name), HaveField("ReleasedTime", BeNil()),
				HaveField("Message", ContainSubstring("GPULost (3)")))))
			harness.ExpectCondition(g, local, v1alpha1.ConditionNodesQuarantined, "True", v1alpha1.ReasonJobsFail)
			harness.ExpectCondition(g, local, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
		Expect(harness.Message(local, v1alpha1.ConditionNodesQuarantined)).To(ContainSubstring(sick.Name))
		Eventually(func(g Gomega) {
			var events eventsv1.EventList
			g.Expect(harness.K8s.List(harness.Ctx, &events)).To(Succeed())
			g.Expect(events.Items).To(ContainElement(And(HaveField("Regarding.Name", sick.Name), HaveField("Reason", "Quarantined"),
				HaveField("Note", ContainSubstring(jobs[0].Namespace+"/"+jobs[0].Name)))))
		}).Should(Succeed())

		By("the manager starts anew")
		before := local.Status.Quarantine
		Expect(running.Stop()).To(Succeed())
		running = launch()
		fresh := fail(1)[0]
		runs(fresh)
		Expect(fresh.Status.Attempt).To(BeEquivalentTo(1))
		harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) { g.Expect(local.Status.Quarantine).To(Equal(before)) })

		By("somebody takes the taint off: what failed before does not count any more")
		change(sick, func(n *corev1.Node) { n.Spec.Taints = nil })
		harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
			g.Expect(local.Status.Quarantine).To(ConsistOf(HaveField("ReleasedTime", Not(BeNil()))))
		})
		Expect(harness.Message(local, v1alpha1.ConditionNodesQuarantined)).To(BeEmpty())
		Consistently(func(g Gomega) {
			g.Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(sick), sick)).To(Succeed())
			g.Expect(sick).NotTo(taint)
		}, "2s").Should(Succeed())
	})

	It("is tried again after a time", func() {
		change(local, func(c *v1alpha1.Cluster) {
			c.Spec.Quarantine = &v1alpha1.Quarantine{FailedJobs: ptr.To[int32](2), DurationSeconds: ptr.To[int64](4)}
		})
		DeferCleanup(func() { change(local, func(c *v1alpha1.Cluster) { c.Spec.Quarantine = nil }) })
		fail(2)
		harness.Reaches(sick, func(g Gomega, n *corev1.Node) { g.Expect(n).To(taint) })
		change(sick, func(n *corev1.Node) { delete(n.Labels, kubelet.LabelBrokenGPUs) })
		harness.Reaches(sick, func(g Gomega, n *corev1.Node) { g.Expect(n).NotTo(taint) })
		// There it would be with the others, and another node would stay whole.
		change(well, func(n *corev1.Node) { n.Spec.Unschedulable = true })
		job := fail(1)[0]
		runs(job)
		Expect(job.Status.Reservation.Nodes).To(ConsistOf(HaveField("Node", sick.Name)))
	})
})
