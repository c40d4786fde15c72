package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("Cluster", func() {
	var local *v1alpha1.Cluster

	BeforeEach(func() {
		local = &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("cluster")}}
	})

	It("is reached from within, tells its version, and then is quiet", func() {
		harness.Create(local)
		harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
			harness.ExpectCondition(g, local, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
			harness.ExpectCondition(g, local, v1alpha1.ConditionReachable, "True", v1alpha1.ReasonAvailable)
		})
		Expect(local.Status.Phase).To(Equal(v1alpha1.ClusterConnected))
		Expect(local.Status.KubernetesVersion).To(HavePrefix("v1."))
		Expect(local.Finalizers).To(ConsistOf(v1alpha1.FinalizerJobs, v1alpha1.FinalizerHistory))
		Expect(harness.Told(local)).To(Equal([]string{"Connected Available"}))
		harness.Stays(local)
	})

	It("finds pools, their capacity and what pods asked for", func() {
		harness.Create(local)
		node := harness.AddNode(harness.Unique("node"), "gpu", "4")
		addPod(node.Name, "2")
		harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
			g.Expect(local.Status.Pools).To(HaveLen(1))
			g.Expect(local.Status.Pools[0].Name).To(Equal("gpu"))
			g.Expect(local.Status.Pools[0].ReadyNodes).To(BeEquivalentTo(1))
			g.Expect(local.Status.Pools[0].GPUModel).To(Equal("TEST-GPU"))
			g.Expect(local.Status.Capacity.GPUs).To(HaveValue(BeEquivalentTo(4)))
			g.Expect(local.Status.Used.GPUs).To(HaveValue(BeEquivalentTo(2)))
		})
		node.Spec.Unschedulable = true
		Expect(harness.K8s.Update(harness.Ctx, node)).To(Succeed())
		harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
			g.Expect(local.Status.Pools[0].Nodes).To(BeEquivalentTo(1))
			g.Expect(local.Status.Pools[0].ReadyNodes).To(BeZero())
			g.Expect(local.Status.Capacity.GPUs).To(HaveValue(BeZero()))
		})
	})

	Describe("by a kubeconfig", func() {
		var secret *corev1.Secret

		BeforeEach(func() {
			secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: harness.SystemNamespace, Name: harness.Unique("kubeconfig")}}
			local.Spec.KubeconfigSecret = &v1alpha1.KubeconfigSecret{Name: secret.Name}
		})

		It("is reached", func() {
			secret.Data = map[string][]byte{"kubeconfig": harness.Server.Kubeconfig}
			harness.Create(secret)
			harness.Create(local)
			harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
				harness.ExpectCondition(g, local, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
			})
		})

		It("says that the secret is missing, and goes on when another is named", func() {
			harness.Create(local)
			harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
				harness.ExpectCondition(g, local, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonKubeconfigMissing)
				g.Expect(local.Status.Phase).To(Equal(v1alpha1.ClusterPending))
			})
			secret.Data = map[string][]byte{"other": harness.Server.Kubeconfig}
			harness.Create(secret)
			before := local.DeepCopy()
			local.Spec.KubeconfigSecret.Key = "other"
			Expect(harness.K8s.Patch(harness.Ctx, local, client.MergeFrom(before))).To(Succeed())
			harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
				harness.ExpectCondition(g, local, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
			})
		})

		It("refuses one that would run a program", func() {
			secret.Data = map[string][]byte{"kubeconfig": []byte(`{apiVersion: v1, kind: Config, current-context: c,
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443"}}], contexts: [{name: c, context: {cluster: c, user: c}}],
users: [{name: c, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never}}}]}`)}
			harness.Create(secret)
			harness.Create(local)
			harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
				harness.ExpectCondition(g, local, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonKubeconfigInvalid)
				g.Expect(harness.Message(local, v1alpha1.ConditionReady)).To(ContainSubstring("exec is refused"))
			})
		})

		It("says that nobody answers", func() {
			secret.Data = map[string][]byte{"kubeconfig": []byte(`{apiVersion: v1, kind: Config, current-context: c,
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}], contexts: [{name: c, context: {cluster: c, user: c}}],
users: [{name: c, user: {token: t}}]}`)}
			harness.Create(secret)
			harness.Create(local)
			harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
				harness.ExpectCondition(g, local, v1alpha1.ConditionReachable, "False", v1alpha1.ReasonUnreachable)
				harness.ExpectCondition(g, local, v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonUnreachable)
			})
		})
	})

	It("tells which nodes are kept from jobs, and takes its own taints off at its end, and no other", func() {
		ours, others := harness.AddNode(harness.Unique("node"), "gpu", "4"), harness.AddNode(harness.Unique("node"), "gpu", "4")
		for node, value := range map[*corev1.Node]string{ours: v1alpha1.TaintFailures, others: "broken-fan"} {
			node.Spec.Taints = []corev1.Taint{{Key: v1alpha1.TaintQuarantine, Value: value, Effect: corev1.TaintEffectNoSchedule}}
			Expect(harness.K8s.Update(harness.Ctx, node)).To(Succeed())
		}
		harness.Create(local)
		harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
			g.Expect(local.Status.Quarantine).To(ConsistOf(
				And(HaveField("Node", ours.Name), HaveField("Until", Not(BeNil()))),
				And(HaveField("Node", others.Name), HaveField("Until", BeNil()), HaveField("Message", "kept from jobs by hand"))))
			harness.ExpectCondition(g, local, v1alpha1.ConditionNodesQuarantined, "True", v1alpha1.ReasonJobsFail)
		})
		harness.Stays(local)
		Expect(harness.K8s.Delete(harness.Ctx, local)).To(Succeed())
		harness.Reaches(ours, func(g Gomega, n *corev1.Node) { g.Expect(n.Spec.Taints).To(BeEmpty()) })
		harness.Reaches(others, func(g Gomega, n *corev1.Node) { g.Expect(n.Spec.Taints).To(HaveLen(1)) })
	})

	It("is held at its end until no job has a reservation on it", func() {
		harness.Create(local)
		harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
			harness.ExpectCondition(g, local, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
		job := harness.NewJob("default", harness.Unique("job"))
		harness.Create(job)
		reserve(job, "quota", local.Name, 1, 1)
		// The controller counts reservations as it sees them: it must have seen this one.
		Expect(harness.K8s.Delete(harness.Ctx, local)).To(Succeed())
		harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
			g.Expect(local.Status.Phase).To(Equal(v1alpha1.ClusterTerminating))
			g.Expect(harness.Message(local, v1alpha1.ConditionReady)).To(And(ContainSubstring("jobs that run in the cluster: 1."), Not(ContainSubstring(job.Name))))
			g.Expect(local.Finalizers).To(ContainElement(v1alpha1.FinalizerJobs))
		})
		unreserve(job)
		harness.Reaches(local, func(g Gomega, local *v1alpha1.Cluster) {
			g.Expect(local.Finalizers).To(ConsistOf(v1alpha1.FinalizerHistory))
		})
		Expect(harness.Told(local)).To(Equal([]string{"Connected Available", "Terminating Terminating"}))
	})
})

func addPod(node, gpus string) {
	GinkgoHelper()
	count := corev1.ResourceList{v1alpha1.ResourceGPU: resource.MustParse(gpus)}
	none := int64(0)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: harness.Unique("pod")},
		Spec: corev1.PodSpec{
			NodeName: node, TerminationGracePeriodSeconds: &none,
			Containers: []corev1.Container{{
				Name: "c", Image: "i", Resources: corev1.ResourceRequirements{Limits: count, Requests: count},
			}},
		},
	}
	harness.Create(pod)
}
