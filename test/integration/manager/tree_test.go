package manager

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/test/integration/harness"
)

// team is a project with a quota of its own, of so many cores, below another quota.
func team(parent, cpu string, set func(*v1alpha1.QuotaSpec)) string {
	GinkgoHelper()
	name := harness.Unique("team")
	quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QuotaSpec{Parent: parent, Nominal: harness.Amounts(cpu, "64Gi", 0)}}
	if set != nil {
		set(&quota.Spec)
	}
	put(quota)
	project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ProjectSpec{Quota: name}}
	put(project)
	isReady(project)
	return name
}

func priority(p v1alpha1.JobPriority) option { return func(j *v1alpha1.Job) { j.Spec.Priority = p } }

var _ = Describe("A tree of quotas", func() {
	var root string

	BeforeEach(func() {
		root = harness.Unique("root")
		put(&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: root}, Spec: v1alpha1.QuotaSpec{Nominal: harness.Amounts("0", "64Gi", 0)}})
	})

	It("lends what is free, to each as much as it may borrow, and counts what is held in every quota above", func() {
		one := team(root, "3", nil)
		bounded := team(root, "1", func(s *v1alpha1.QuotaSpec) { s.Borrowing = ptr.To(harness.Amounts("1", "64Gi", 0)) })
		first := newJob(kubelet.RunUntilEnded(), in(bounded), cores("2"))
		second := newJob(kubelet.Exit(0), in(bounded), cores("1"))
		submit(first)
		runs(first)
		submit(second)
		waits(second, v1alpha1.JobReasonQuotaExceeded, bounded)
		third := newJob(kubelet.RunUntilEnded(), in(one), cores("3"))
		submit(third)
		waits(third, v1alpha1.JobReasonQuotaExceeded, root)
		harness.Reaches(&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: root}}, func(g Gomega, q *v1alpha1.Quota) {
			g.Expect(q.Status.Used.CPU.String()).To(Equal("2"))
			g.Expect(q.Status.WaitingJobs).To(BeEquivalentTo(2))
			g.Expect(q.Status.Projects).To(BeEquivalentTo(2))
			g.Expect(q.Status.Pool).NotTo(BeNil())
			g.Expect(q.Status.Pool.Total.CPU.String()).To(Equal("4"))
			g.Expect(q.Status.Pool.Used.CPU.String()).To(Equal("2"))
		})
		cancel(first)
		runs(third)
	})

	It("says of a quota whose parent does not exist that nothing may start under it", func() {
		lost := team("nowhere", "1", nil)
		job := newJob(kubelet.Exit(0), in(lost))
		submit(job)
		waits(job, v1alpha1.JobReasonQuotaMissing, `"nowhere", which does not exist`)
		put(&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "nowhere"}, Spec: v1alpha1.QuotaSpec{Nominal: harness.Amounts("0", "0", 0)}})
		ends(job)
	})

	It("takes back what it lent: a preemptible job gives way, keeps its place, and goes on as its next attempt", func() {
		owner := team(root, "2", func(s *v1alpha1.QuotaSpec) { s.Preemption = &v1alpha1.Preemption{Reclaim: v1alpha1.VictimsPreemptible} })
		guest := team(root, "1", nil)
		borrower := newJob(kubelet.RunUntilEnded(), in(guest), cores("3"), func(j *v1alpha1.Job) { j.Spec.Preemptible = ptr.To(true) })
		submit(borrower)
		runs(borrower)
		job := newJob(kubelet.RunUntilEnded(), in(owner), cores("2"))
		submit(job)
		runs(job)
		waits(borrower, v1alpha1.JobReasonQuotaExceeded, "")
		Expect(borrower.Status.Queue.Displaced).NotTo(BeNil())
		Expect(borrower.Status.Queue.Since.Time).To(BeTemporally("~", borrower.CreationTimestamp.Time, 0))
		Expect(borrower.Status.Retries).To(BeZero())
		cancel(job)
		runs(borrower)
		Expect(borrower.Status.Attempt).To(BeEquivalentTo(2))
		Expect(borrower.Status.Attempts[0].Reason).To(Equal(v1alpha1.JobReasonPreempted))
		isRecorded(borrower, "Pending Creating", "Running Running", "Pending Preempted", "Pending Creating", "Running Running")
	})

	It("lets jobs of lower priority give way where it says so, and no others", func() {
		name := team(root, "2", func(s *v1alpha1.QuotaSpec) { s.Preemption = &v1alpha1.Preemption{LowerPriority: v1alpha1.VictimsAny} })
		low := newJob(kubelet.RunUntilEnded(), in(name), cores("1"), priority(v1alpha1.PriorityLow))
		normal := newJob(kubelet.RunUntilEnded(), in(name), cores("1"))
		submit(low, normal)
		runs(low)
		runs(normal)
		high := newJob(kubelet.RunUntilEnded(), in(name), cores("1"), priority(v1alpha1.PriorityHigh))
		submit(high)
		runs(high)
		waits(low, v1alpha1.JobReasonQuotaExceeded, "")
		runs(normal)
		Expect(normal.Status.Attempt).To(BeEquivalentTo(1))
	})
})

var _ = Describe("A job that waits for one whose life span is known", func() {
	It("is told when it starts at the latest, and who holds what it waits for", func() {
		root := harness.Unique("root")
		put(&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: root}, Spec: v1alpha1.QuotaSpec{Nominal: harness.Amounts("0", "64Gi", 0)}})
		name := team(root, "2", nil)
		first := newJob(kubelet.RunUntilEnded(), in(name), cores("2"), func(j *v1alpha1.Job) { j.Spec.LifeSpanSeconds = ptr.To(int64(3600)) })
		submit(first)
		runs(first)
		second := newJob(kubelet.Exit(0), in(name), cores("2"))
		submit(second)
		harness.Reaches(second, func(g Gomega, job *v1alpha1.Job) {
			g.Expect(job.Status.Queue).NotTo(BeNil())
			g.Expect(job.Status.Queue.HeldBy).To(Equal([]v1alpha1.Holder{{Quota: name, Jobs: 1}}))
			g.Expect(job.Status.Queue.ExpectedStart).NotTo(BeNil())
			g.Expect(job.Status.Queue.ExpectedStart.Time).To(BeTemporally("~", first.Status.StartTime.Add(time.Hour), 2*time.Minute))
		})
	})
})

var _ = Describe("A job that names where it may run", func() {
	It("runs in the first of its pools with room, with a GPU of a model that it takes, and only then on spot nodes", func() {
		steady, spot := harness.Unique("steady"), harness.Unique("spot")
		harness.AddNode(steady, steady, "1")
		node := harness.AddNode(spot, spot, "1")
		change(node, func(n *corev1.Node) { n.Labels[v1alpha1.LabelSpot] = "true" })
		pools := func(spotToo bool, names ...string) option {
			return func(j *v1alpha1.Job) {
				gpus(1)(j)
				j.Spec.Resources.GPU.Models = []string{"BETTER-GPU", "TEST-GPU"}
				j.Spec.Placement = &v1alpha1.Placement{Pools: names, Spot: &spotToo}
			}
		}
		first := newJob(kubelet.RunUntilEnded(), pools(false, spot, steady))
		submit(first)
		runs(first)
		Expect(first.Status.Reservation.Pool).To(Equal(steady))
		Expect(first.Status.Reservation.Replica.GPUModel).To(Equal("TEST-GPU"))
		second, third := newJob(kubelet.Exit(0), pools(false, spot, steady)), newJob(kubelet.RunUntilEnded(), pools(true, spot, steady))
		submit(second, third)
		runs(third)
		Expect(third.Status.Reservation.Pool).To(Equal(spot))
		waits(second, v1alpha1.JobReasonQueued, "")
	})

	It("is told that there is no such level of topology", func() {
		job := newJob(kubelet.Exit(0), func(j *v1alpha1.Job) { j.Spec.Placement = &v1alpha1.Placement{Within: "galaxy"} })
		submit(job)
		waits(job, v1alpha1.JobReasonUnschedulable, "galaxy")
	})
})
