package integration

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("Quota", func() {
	var quota *v1alpha1.Quota
	var project *v1alpha1.Project

	BeforeEach(func() {
		quota = &v1alpha1.Quota{
			ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("quota")},
			Spec:       v1alpha1.QuotaSpec{Nominal: harness.Amounts("8", "32Gi", 4)},
		}
		project = &v1alpha1.Project{
			ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("project")},
			Spec:       v1alpha1.ProjectSpec{Quota: quota.Name},
		}
		harness.Create(project)
		harness.Create(quota)
		harness.Reaches(project, func(g Gomega, project *v1alpha1.Project) {
			harness.ExpectCondition(g, project, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
	})

	It("is ready, counts its projects, and then is quiet", func() {
		harness.Reaches(quota, func(g Gomega, quota *v1alpha1.Quota) {
			harness.ExpectCondition(g, quota, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
			harness.ExpectCondition(g, quota, v1alpha1.ConditionExceeded, "False", v1alpha1.ReasonWithinLimits)
			g.Expect(quota.Status.Projects).To(BeEquivalentTo(1))
		})
		Expect(quota.Status.Phase).To(Equal(v1alpha1.QuotaActive))
		Expect(quota.Status.Used.RunningJobs).To(HaveValue(BeZero()))
		Expect(quota.Finalizers).To(ConsistOf(v1alpha1.FinalizerJobs, v1alpha1.FinalizerHistory))
		Expect(harness.Told(quota)).To(Equal([]string{"Active Available"}))
		harness.Stays(quota)
	})

	It("says that its parent does not exist, until it does, and that parents go in a circle", func() {
		parent := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("parent")}, Spec: v1alpha1.QuotaSpec{Nominal: harness.Amounts("8", "32Gi", 4)}}
		before := quota.DeepCopy()
		quota.Spec.Parent = parent.Name
		Expect(harness.K8s.Patch(harness.Ctx, quota, client.MergeFrom(before))).To(Succeed())
		harness.Reaches(quota, func(g Gomega, quota *v1alpha1.Quota) {
			harness.ExpectCondition(g, quota, v1alpha1.ConditionReady, "False", v1alpha1.ReasonParentNotFound)
			harness.ExpectCondition(g, quota, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonParentNotFound)
		})
		harness.Create(parent)
		harness.Reaches(quota, func(g Gomega, quota *v1alpha1.Quota) {
			harness.ExpectCondition(g, quota, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
		before = parent.DeepCopy()
		parent.Spec.Parent = quota.Name
		Expect(harness.K8s.Patch(harness.Ctx, parent, client.MergeFrom(before))).To(Succeed())
		for _, q := range []*v1alpha1.Quota{quota, parent} {
			harness.Reaches(q, func(g Gomega, quota *v1alpha1.Quota) {
				harness.ExpectCondition(g, quota, v1alpha1.ConditionReady, "False", v1alpha1.ReasonParentCircle)
			})
		}
	})

	It("derives what is held and waited for from the jobs", func() {
		waiting, running := harness.NewJob(project.Name, "waiting"), harness.NewJob(project.Name, "running")
		running.Spec.SubmittedBy = "alice"
		harness.Create(waiting)
		harness.Create(running)
		harness.Reaches(quota, func(g Gomega, quota *v1alpha1.Quota) {
			g.Expect(quota.Status.WaitingJobs).To(BeEquivalentTo(2))
		})
		reserve(running, quota.Name, "local", 2, 3)
		harness.Reaches(quota, func(g Gomega, quota *v1alpha1.Quota) {
			g.Expect(quota.Status.WaitingJobs).To(BeEquivalentTo(1))
			g.Expect(quota.Status.Used.GPUs).To(HaveValue(BeEquivalentTo(6)))
			g.Expect(quota.Status.Used.RunningJobs).To(HaveValue(BeEquivalentTo(1)))
			g.Expect(quota.Status.Used.CPU.String()).To(Equal("2"))
			g.Expect(quota.Status.Users).To(HaveLen(1))
			g.Expect(quota.Status.Users[0].Name).To(Equal("alice"))
			harness.ExpectCondition(g, quota, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
			harness.ExpectCondition(g, quota, v1alpha1.ConditionExceeded, "True", v1alpha1.ReasonLimitsExceeded)
			g.Expect(harness.Message(quota, v1alpha1.ConditionExceeded)).To(ContainSubstring("6 GPUs, where 4 are granted"))
		})
		before := quota.DeepCopy()
		quota.Spec.Nominal = harness.Amounts("8", "32Gi", 6)
		Expect(harness.K8s.Patch(harness.Ctx, quota, client.MergeFrom(before))).To(Succeed())
		harness.Reaches(quota, func(g Gomega, quota *v1alpha1.Quota) {
			harness.ExpectCondition(g, quota, v1alpha1.ConditionExceeded, "False", v1alpha1.ReasonWithinLimits)
		})
		Expect(harness.Told(quota)).To(Equal([]string{"Active Available", "Active SpecChanged"}))
		unreserve(running)
		harness.Reaches(quota, func(g Gomega, quota *v1alpha1.Quota) {
			g.Expect(quota.Status.Used.GPUs).To(HaveValue(BeZero()))
			g.Expect(quota.Status.Users).To(BeEmpty())
		})
	})
})

var _ = It("The page on budgets shows quotas that can be applied", func() {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "budgets.md"))
	Expect(err).NotTo(HaveOccurred())
	_, block, found := strings.Cut(string(page), "### Giving budgets\n")
	Expect(found).To(BeTrue())
	applied := 0
	for _, document := range strings.Split(block[:strings.Index(block, "\n* ")], "    ---\n") {
		o := &unstructured.Unstructured{Object: map[string]any{}}
		Expect(yaml.Unmarshal([]byte(document), &o.Object)).To(Succeed())
		Expect(apply(o)).To(Succeed())
		applied++
	}
	Expect(applied).To(Equal(2))
})

// reserve gives a job a reservation, as the scheduler does.
func reserve(job *v1alpha1.Job, quota, cluster string, replicas, gpus int32) {
	GinkgoHelper()
	Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
	before := job.DeepCopy()
	job.Status.Phase = v1alpha1.JobPending
	job.Status.Reservation = &v1alpha1.Reservation{
		Attempt: 1, Time: metav1.NowMicro(), Quota: quota, Cluster: cluster,
		Nodes:   []v1alpha1.NodeShare{{Node: "node", Replicas: replicas}},
		Replica: v1alpha1.ReplicaResources{CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), GPUs: gpus},
	}
	Expect(harness.K8s.Status().Patch(harness.Ctx, job, client.MergeFrom(before))).To(Succeed())
}

func unreserve(job *v1alpha1.Job) {
	GinkgoHelper()
	Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
	before := job.DeepCopy()
	job.Status.Phase, job.Status.Reservation = v1alpha1.JobSucceeded, nil
	Expect(harness.K8s.Status().Patch(harness.Ctx, job, client.MergeFrom(before))).To(Succeed())
}
