package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("Project", func() {
	var project *v1alpha1.Project
	var namespace *corev1.Namespace

	BeforeEach(func() {
		name := harness.Unique("project")
		project = &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}}
		namespace = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	})

	ready := func() {
		GinkgoHelper()
		harness.Reaches(project, func(g Gomega, project *v1alpha1.Project) {
			harness.ExpectCondition(g, project, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
	}

	It("makes its namespace with labels, policy and a service account without a token", func() {
		harness.Create(project)
		ready()
		Expect(project.Status.Phase).To(Equal(v1alpha1.ProjectActive))
		Expect(project.Status.ObservedGeneration).To(Equal(project.Generation))
		Expect(project.Status.Namespace).To(Equal(&v1alpha1.ProjectNamespace{Name: project.Name, UID: string(namespace.UID)}))
		Expect(metav1.IsControlledBy(namespace, project)).To(BeTrue())
		Expect(namespace.Labels).To(And(
			HaveKeyWithValue(v1alpha1.LabelProject, project.Name),
			HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"),
			HaveKeyWithValue("pod-security.kubernetes.io/enforce-version", "latest"),
		))
		policy := &networkingv1.NetworkPolicy{}
		Expect(harness.K8s.Get(harness.Ctx, types.NamespacedName{Namespace: project.Name, Name: "soma-default"}, policy)).To(Succeed())
		account := &corev1.ServiceAccount{}
		Expect(harness.K8s.Get(harness.Ctx, types.NamespacedName{Namespace: project.Name, Name: "default"}, account)).To(Succeed())
		Expect(account.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
		Expect(project.Finalizers).To(ConsistOf(v1alpha1.FinalizerNamespace, v1alpha1.FinalizerHistory))
		Expect(harness.Told(project)).To(Equal([]string{"Pending Progressing", "Active Available"}))
		harness.Stays(project)
	})

	It("puts back what somebody changed by hand", func() {
		harness.Create(project)
		ready()
		namespace.Labels["pod-security.kubernetes.io/enforce"] = "privileged"
		delete(namespace.Labels, v1alpha1.LabelProject)
		Expect(harness.K8s.Update(harness.Ctx, namespace)).To(Succeed())
		harness.Reaches(namespace, func(g Gomega, namespace *corev1.Namespace) {
			g.Expect(namespace.Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))
			g.Expect(namespace.Labels).To(HaveKeyWithValue(v1alpha1.LabelProject, project.Name))
		})
		policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: project.Name, Name: "soma-default"}}
		Expect(harness.K8s.Delete(harness.Ctx, policy)).To(Succeed())
		harness.Reaches(policy, func(g Gomega, policy *networkingv1.NetworkPolicy) {
			g.Expect(policy.DeletionTimestamp).To(BeNil())
		})
		policy.Spec.Egress = append(policy.Spec.Egress, networkingv1.NetworkPolicyEgressRule{})
		Expect(harness.K8s.Update(harness.Ctx, policy)).To(Succeed())
		harness.Reaches(policy, func(g Gomega, policy *networkingv1.NetworkPolicy) {
			g.Expect(policy.Spec.Egress).To(HaveLen(3))
		})
	})

	It("refuses a namespace that it did not make, and leaves it alone to the end", func() {
		harness.Create(namespace)
		harness.Create(project)
		harness.Reaches(project, func(g Gomega, project *v1alpha1.Project) {
			harness.ExpectCondition(g, project, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonNamespaceForeign)
			harness.ExpectCondition(g, project, v1alpha1.ConditionReady, "False", v1alpha1.ReasonNamespaceForeign)
		})
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		Expect(namespace.Labels).NotTo(HaveKey(v1alpha1.LabelProject))
		harness.Remove(project)
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		Expect(namespace.DeletionTimestamp).To(BeNil())
	})

	It("makes its namespace again when somebody deletes it", func() {
		harness.Create(project)
		ready()
		old := namespace.UID
		Expect(harness.K8s.Delete(harness.Ctx, namespace)).To(Succeed())
		harness.Reaches(project, func(g Gomega, project *v1alpha1.Project) {
			harness.ExpectCondition(g, project, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
			g.Expect(project.Status.Namespace.UID).NotTo(Equal(string(old)))
		})
	})

	It("says whether its quota exists, and is ready all the same", func() {
		harness.Create(project)
		harness.Reaches(project, func(g Gomega, project *v1alpha1.Project) {
			harness.ExpectCondition(g, project, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
			harness.ExpectCondition(g, project, v1alpha1.ConditionQuotaFound, "False", v1alpha1.ReasonQuotaNotSet)
			g.Expect(harness.Message(project, v1alpha1.ConditionReady)).To(ContainSubstring("Nothing may run"))
		})
		quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("quota")}}
		before := project.DeepCopy()
		project.Spec.Quota = quota.Name
		Expect(harness.K8s.Patch(harness.Ctx, project, client.MergeFrom(before))).To(Succeed())
		harness.Reaches(project, func(g Gomega, project *v1alpha1.Project) {
			harness.ExpectCondition(g, project, v1alpha1.ConditionQuotaFound, "False", v1alpha1.ReasonQuotaNotFound)
		})
		harness.Create(quota)
		harness.Reaches(project, func(g Gomega, project *v1alpha1.Project) {
			harness.ExpectCondition(g, project, v1alpha1.ConditionQuotaFound, "True", v1alpha1.ReasonAvailable)
		})
		harness.Reaches(quota, func(g Gomega, quota *v1alpha1.Quota) {
			g.Expect(quota.Status.Projects).To(BeEquivalentTo(1))
		})
		harness.Remove(quota)
		harness.Reaches(project, func(g Gomega, project *v1alpha1.Project) {
			harness.ExpectCondition(g, project, v1alpha1.ConditionQuotaFound, "False", v1alpha1.ReasonQuotaNotFound)
		})
		Expect(harness.Told(project)).To(Equal([]string{"Pending Progressing", "Active Available", "Active SpecChanged"}))
	})

	It("waits for its jobs, says for which, and then goes with its namespace", func() {
		harness.Create(project)
		ready()
		job := harness.NewJob(project.Name, "held")
		job.Finalizers = []string{v1alpha1.FinalizerHistory}
		Expect(harness.K8s.Create(harness.Ctx, job)).To(Succeed())
		Expect(harness.K8s.Create(harness.Ctx, harness.NewJob(project.Name, "free"))).To(Succeed())
		Expect(harness.K8s.Delete(harness.Ctx, project)).To(Succeed())
		harness.Reaches(project, func(g Gomega, project *v1alpha1.Project) {
			g.Expect(project.Status.Phase).To(Equal(v1alpha1.ProjectTerminating))
			harness.ExpectCondition(g, project, v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonTerminating)
			g.Expect(harness.Message(project, v1alpha1.ConditionReady)).To(
				Equal("Waiting for job held to end; held by platform.soma.dev/history."))
		})
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		Expect(namespace.DeletionTimestamp).To(BeNil())

		harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) { g.Expect(job.DeletionTimestamp).NotTo(BeNil()) })
		harness.Release(Default, job)
		harness.Gone(namespace)
		harness.Reaches(project, func(g Gomega, project *v1alpha1.Project) {
			g.Expect(project.Finalizers).To(ConsistOf(v1alpha1.FinalizerHistory))
			g.Expect(project.Status.Namespace).To(BeNil())
		})
		Expect(harness.Told(project)).To(Equal([]string{"Pending Progressing", "Active Available", "Terminating Terminating"}))
		harness.Remove(project)
	})
})
