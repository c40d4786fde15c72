package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var _ = Describe("Quota", func() {
	var quota *v1alpha1.Quota
	var project *v1alpha1.Project

	BeforeEach(func() {
		quota = &v1alpha1.Quota{
			ObjectMeta: metav1.ObjectMeta{Name: unique("quota")},
			Spec:       v1alpha1.QuotaSpec{Nominal: amounts("8", "32Gi", 4)},
		}
		project = &v1alpha1.Project{
			ObjectMeta: metav1.ObjectMeta{Name: unique("project")},
			Spec:       v1alpha1.ProjectSpec{Quota: quota.Name},
		}
		create(project)
		create(quota)
		eventually(project, func(g Gomega, project *v1alpha1.Project) {
			condition(g, project, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
	})

	It("is ready, counts its projects, and then is quiet", func() {
		eventually(quota, func(g Gomega, quota *v1alpha1.Quota) {
			condition(g, quota, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
			condition(g, quota, v1alpha1.ConditionExceeded, "False", v1alpha1.ReasonWithinLimits)
			g.Expect(quota.Status.Projects).To(BeEquivalentTo(1))
		})
		Expect(quota.Status.Phase).To(Equal(v1alpha1.QuotaActive))
		Expect(quota.Status.Used.RunningJobs).To(HaveValue(BeZero()))
		Expect(quota.Finalizers).To(ConsistOf(v1alpha1.FinalizerHistory))
		Expect(history(quota)).To(Equal([]string{"Active Available"}))
		stays(quota)
	})

	It("derives what is held and waited for from the jobs", func() {
		waiting, running := newJob(project.Name, "waiting"), newJob(project.Name, "running")
		running.Spec.SubmittedBy = "alice"
		create(waiting)
		create(running)
		eventually(quota, func(g Gomega, quota *v1alpha1.Quota) {
			g.Expect(quota.Status.WaitingJobs).To(BeEquivalentTo(2))
		})
		reserve(running, quota.Name, "local", 2, 3)
		eventually(quota, func(g Gomega, quota *v1alpha1.Quota) {
			g.Expect(quota.Status.WaitingJobs).To(BeEquivalentTo(1))
			g.Expect(quota.Status.Used.GPUs).To(HaveValue(BeEquivalentTo(6)))
			g.Expect(quota.Status.Used.RunningJobs).To(HaveValue(BeEquivalentTo(1)))
			g.Expect(quota.Status.Used.CPU.String()).To(Equal("2"))
			g.Expect(quota.Status.Users).To(HaveLen(1))
			g.Expect(quota.Status.Users[0].Name).To(Equal("alice"))
			condition(g, quota, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
			condition(g, quota, v1alpha1.ConditionExceeded, "True", v1alpha1.ReasonLimitsExceeded)
			g.Expect(message(quota, v1alpha1.ConditionExceeded)).To(ContainSubstring("6 GPUs, where 4 are granted"))
		})
		before := quota.DeepCopy()
		quota.Spec.Nominal = amounts("8", "32Gi", 6)
		Expect(k8s.Patch(ctx, quota, client.MergeFrom(before))).To(Succeed())
		eventually(quota, func(g Gomega, quota *v1alpha1.Quota) {
			condition(g, quota, v1alpha1.ConditionExceeded, "False", v1alpha1.ReasonWithinLimits)
		})
		Expect(history(quota)).To(Equal([]string{"Active Available", "Active SpecChanged"}))
		unreserve(running)
		eventually(quota, func(g Gomega, quota *v1alpha1.Quota) {
			g.Expect(quota.Status.Used.GPUs).To(HaveValue(BeZero()))
			g.Expect(quota.Status.Users).To(BeEmpty())
		})
	})
})

func amounts(cpu, memory string, gpus int32) v1alpha1.ResourceAmounts {
	cores, bytes := resource.MustParse(cpu), resource.MustParse(memory)
	return v1alpha1.ResourceAmounts{CPU: &cores, Memory: &bytes, GPUs: &gpus}
}

// reserve gives a job a reservation, as the scheduler does.
func reserve(job *v1alpha1.Job, quota, cluster string, replicas, gpus int32) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
	before := job.DeepCopy()
	job.Status.Phase = v1alpha1.JobPending
	job.Status.Reservation = &v1alpha1.Reservation{
		Attempt: 1, Time: metav1.NowMicro(), Quota: quota, Cluster: cluster,
		Nodes:   []v1alpha1.NodeShare{{Node: "node", Replicas: replicas}},
		Replica: v1alpha1.ReplicaResources{CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), GPUs: gpus},
	}
	Expect(k8s.Status().Patch(ctx, job, client.MergeFrom(before))).To(Succeed())
}

func unreserve(job *v1alpha1.Job) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
	before := job.DeepCopy()
	job.Status.Phase, job.Status.Reservation = v1alpha1.JobSucceeded, nil
	Expect(k8s.Status().Patch(ctx, job, client.MergeFrom(before))).To(Succeed())
}
