package gangs

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("A gang in a cluster that binds gangs itself", func() {
	It("has a PodGroup, which all its pods name, and which goes with it", func() {
		job := submit(newJob(2))
		reaches(job, v1alpha1.JobRunning)
		groups := groupsOf(job)
		Expect(groups).To(HaveLen(1))
		Expect(metav1.IsControlledBy(&groups[0], job)).To(BeTrue())
		Expect(groups[0].Spec.SchedulingPolicy.Gang.MinCount).To(BeEquivalentTo(2))
		Expect(groups[0].Spec.DisruptionMode.All).NotTo(BeNil())
		isBound(job)
		Expect(podsOf(job)).To(HaveEach(HaveField("Spec.SchedulingGroup.PodGroupName", HaveValue(Equal(groups[0].Name)))))

		Expect(harness.K8s.Delete(harness.Ctx, job)).To(Succeed())
		harness.Gone(job)
		Eventually(func() any { return groupsOf(job) }).Should(BeEmpty())
	})

	It("has none where it is a job of one replica", func() {
		job := submit(newJob(1))
		reaches(job, v1alpha1.JobRunning)
		Expect(groupsOf(job)).To(BeEmpty())
		Expect(podsOf(job)).To(HaveEach(HaveField("Spec.SchedulingGroup", BeNil())))
	})

	It("is bound whole or not at all, where something else is in the way of one pod", func() {
		job := newJob(2)
		obstacle := keepOff("node-b", job.Name)
		submit(job)
		isHeldBack(job)
		harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) {
			g.Expect(job.Status.Reason).To(Equal(v1alpha1.JobReasonScheduling))
			g.Expect(job.Status.Message).To(ContainSubstring("didn't satisfy existing pods anti-affinity rules"))
		})
		Expect(podsOf(job)).To(And(HaveLen(2), HaveEach(HaveField("Spec.NodeName", BeEmpty()))))

		// A pod that somebody removes is made again, for the same gang.
		Expect(harness.K8s.Delete(harness.Ctx, ptr.To(podsOf(job)[0]))).To(Succeed())
		harness.Remove(obstacle)
		reaches(job, v1alpha1.JobRunning)
		Expect(job.Status.Attempt).To(BeEquivalentTo(1))
		isBound(job)
	})

	It("has one of its own in each attempt, and keeps none of those before", func() {
		job := submit(newJob(2))
		reaches(job, v1alpha1.JobRunning)
		first := groupsOf(job)[0].Name
		suspend(job, true)
		reaches(job, v1alpha1.JobSuspended)
		suspend(job, false)
		reaches(job, v1alpha1.JobRunning)
		Eventually(func() any { return groupsOf(job) }).Should(ConsistOf(HaveField("Name", Not(Equal(first)))))
		isBound(job)
	})

	DescribeTable("starts once where its manager is killed as it makes the PodGroup", func(kind faultproxy.Kind) {
		job := newJob(2)
		at := fmt.Sprintf("create podgroups %s/%s-UID-1#1", job.Namespace, job.Name)
		Expect(running.Stop()).To(Succeed())
		running = launch(func(proxy *faultproxy.Proxy, kill func()) { proxy.Arm(faultproxy.Fault{Kind: kind, At: at}, kill) })
		submit(job)
		Eventually(running.Ended()).Should(BeClosed())
		Expect(running.Proxy.Met()).To(BeTrue())
		Expect(podsOf(job)).To(BeEmpty())
		running = launch(nil)
		reaches(job, v1alpha1.JobRunning)
		Expect(job.Status.Attempt).To(BeEquivalentTo(1))
		Expect(groupsOf(job)).To(HaveLen(1))
		isBound(job)
	},
		Entry("before it is made", faultproxy.Before),
		Entry("when it is made, and the manager does not know", faultproxy.AfterApplied),
		Entry("when it is made", faultproxy.After),
	)

	It("ends where its PodGroup's name is taken, and says by what", func() {
		job := submit(newJob(2))
		reaches(job, v1alpha1.JobRunning)
		suspend(job, true)
		reaches(job, v1alpha1.JobSuspended)
		taken := &schedulingv1beta1.PodGroup{
			ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: strings.TrimSuffix(groupsOf(job)[0].Name, "1") + "2"},
			Spec: schedulingv1beta1.PodGroupSpec{SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{
				Basic: &schedulingv1beta1.BasicSchedulingPolicy{},
			}},
		}
		harness.Create(taken)
		suspend(job, false)
		reaches(job, v1alpha1.JobFailed)
		Expect(job.Status.Reason).To(Equal(v1alpha1.JobReasonPolicyDenied))
		Expect(job.Status.Message).To(ContainSubstring("a PodGroup named %q exists and does not belong to this job", taken.Name))
	})
})

// keepOff has a pod keep those of a job off a node, which Soma knows nothing of: only kube-scheduler sees it.
func keepOff(node, job string) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "off-" + node},
		Spec: corev1.PodSpec{
			NodeName:   node,
			Containers: []corev1.Container{{Name: "a", Image: "a", Command: kubelet.RunUntilEnded()}},
			Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
					LabelSelector:     &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelJob: job}},
					NamespaceSelector: &metav1.LabelSelector{},
					TopologyKey:       corev1.LabelHostname,
				}},
			}},
		},
	}
	harness.Create(pod)
	return pod
}

// isHeldBack waits until kube-scheduler tells of a job's gang that it cannot be bound.
func isHeldBack(job *v1alpha1.Job) {
	GinkgoHelper()
	tells(job, metav1.ConditionFalse, schedulingv1beta1.PodGroupReasonUnschedulable)
}

// isBound expects that kube-scheduler bound a job's gang as one.
func isBound(job *v1alpha1.Job) { GinkgoHelper(); tells(job, metav1.ConditionTrue, "") }

func tells(job *v1alpha1.Job, status metav1.ConditionStatus, reason string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		groups := groupsOf(job)
		g.Expect(groups).To(HaveLen(1))
		told := meta.FindStatusCondition(groups[0].Status.Conditions, schedulingv1beta1.PodGroupInitiallyScheduled)
		g.Expect(told).NotTo(BeNil())
		g.Expect(told.Status).To(Equal(status), told.Message)
		g.Expect(reason == "" || told.Reason == reason).To(BeTrue(), told.Reason)
	}).Should(Succeed())
}
