package manager

import (
	"math/big"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/test/integration/harness"
)

// paidPreset costs one franc a second, so that budgets are used up in seconds.
const paidPreset = "paid"

var _ = Describe("A budget", func() {
	local := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: clusterName}}

	BeforeEach(func() {
		change(local, func(c *v1alpha1.Cluster) {
			c.Spec.Prices = &v1alpha1.Prices{Currency: "CHF"}
			c.Spec.Presets = append(c.Spec.Presets, v1alpha1.Preset{
				Name: paidPreset, CPU: resource.MustParse("100m"), Memory: resource.MustParse("100Mi"), PricePerHour: "3600",
			})
		})
		DeferCleanup(func() {
			change(local, func(c *v1alpha1.Cluster) { c.Spec.Prices, c.Spec.Presets = nil, c.Spec.Presets[:1] })
		})
	})

	paid := func(j *v1alpha1.Job) { j.Spec.Preset = paidPreset }
	money := func(amount v1alpha1.Price, action v1alpha1.BudgetAction) func(*v1alpha1.QuotaSpec) {
		return func(s *v1alpha1.QuotaSpec) {
			s.Budgets = []v1alpha1.Budget{{
				Name: "daily", Period: v1alpha1.BudgetDay, Money: &v1alpha1.Money{Amount: amount, Currency: "CHF"}, Warnings: []int32{50}, Action: action,
			}}
		}
	}
	quotaNamed := func(name string) *v1alpha1.Quota { return &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}} }
	raise := func(quota *v1alpha1.Quota, to v1alpha1.Price) {
		GinkgoHelper()
		change(quota, func(q *v1alpha1.Quota) { q.Spec.Budgets[0].Money.Amount = to })
	}
	exhausted := func(quota *v1alpha1.Quota) {
		GinkgoHelper()
		harness.Reaches(quota, func(g Gomega, q *v1alpha1.Quota) {
			harness.ExpectCondition(g, q, v1alpha1.ConditionBudgetExhausted, "True", v1alpha1.ReasonUsedUp)
			g.Expect(q.Status.Budgets).To(HaveLen(1))
			g.Expect(q.Status.Budgets[0].ExhaustedTime).NotTo(BeNil())
			g.Expect(q.Status.Budgets[0].ExpectedExhaustion).To(BeNil())
		})
	}

	It("that starts nothing lets what runs go on, tells why others wait, and pays again when it is raised", func() {
		root := harness.Unique("root")
		quota := quotaNamed(root)
		quota.Spec.Nominal = harness.Amounts("0", "64Gi", 0)
		set := money("6", v1alpha1.BudgetStartNothing)
		set(&quota.Spec)
		put(quota)
		name := team(root, "2", nil)
		first := newJob(kubelet.RunUntilEnded(), in(name), paid)
		submit(first)
		runs(first)
		harness.Reaches(quota, func(g Gomega, q *v1alpha1.Quota) {
			harness.ExpectCondition(g, q, v1alpha1.ConditionBudgetWarning, "True", v1alpha1.ReasonThresholdReached)
			harness.ExpectCondition(g, q, v1alpha1.ConditionBudgetExhausted, "False", v1alpha1.ReasonWithinBudgets)
		})
		exhausted(quota)
		By("it was used up to the second")
		Expect(quota.Status.Budgets[0].ExhaustedTime.Time).To(BeTemporally("~", first.Status.StartTime.Add(6*time.Second), 2*time.Second))
		second := newJob(kubelet.Exit(0), in(name), paid)
		submit(second)
		waits(second, v1alpha1.JobReasonBudgetExhausted, `quota `+root+`'s budget "daily" of 6 CHF is used up`)
		runs(first)
		Eventually(func(g Gomega) {
			var events eventsv1.EventList
			g.Expect(harness.K8s.List(harness.Ctx, &events)).To(Succeed())
			for _, reason := range []string{v1alpha1.ConditionBudgetWarning, v1alpha1.ConditionBudgetExhausted} {
				g.Expect(events.Items).To(ContainElement(And(HaveField("Regarding.Name", root), HaveField("Reason", reason))))
			}
		}).Should(Succeed())
		raise(quota, "100000")
		ends(second)
		runs(first)
	})

	It("that suspends puts what runs back to its place, at no cost, until it is raised", func() {
		name := team("", "2", money("3", v1alpha1.BudgetSuspend))
		quota := quotaNamed(name)
		job := newJob(kubelet.RunUntilEnded(), in(name), paid)
		submit(job)
		waits(job, v1alpha1.JobReasonBudgetExhausted, "is used up")
		exhausted(quota)
		Expect(job.Status.Queue.Since.Time).To(BeTemporally("~", job.CreationTimestamp.Time, time.Second))
		raise(quota, "100000")
		runs(job)
		Expect(job.Status.Attempt).To(BeEquivalentTo(2))
		Expect(job.Status.Retries).To(BeZero())
		Expect(job.Status.Attempts).To(ConsistOf(And(HaveField("Reason", v1alpha1.JobReasonBudgetExhausted), HaveField("Quota", name))))
	})

	It("that cancels ends what runs, and what waits goes on waiting", func() {
		name := team("", "2", money("2", v1alpha1.BudgetCancel))
		job := newJob(kubelet.RunUntilEnded(), in(name), paid, retried(3))
		submit(job)
		reaches(job, v1alpha1.JobCancelled, v1alpha1.JobReasonQuotaExhausted)
		second := newJob(kubelet.Exit(0), in(name), paid)
		submit(second)
		waits(second, v1alpha1.JobReasonBudgetExhausted, "is used up")
	})

	It("counts each second once, whether its job exists or not and whoever sums up", func() {
		name := team("", "2", money("100000", v1alpha1.BudgetNotify))
		quota := quotaNamed(name)
		var jobs []*v1alpha1.Job
		for range 3 {
			jobs = append(jobs, newJob(kubelet.RunFor(time.Second, 0), in(name), paid))
		}
		submit(jobs...)
		seconds := int64(0)
		for _, job := range jobs {
			ends(job)
			seconds += job.Status.RunSeconds
		}
		used := func(g Gomega, q *v1alpha1.Quota) string {
			// What is written alone is written once a minute: the sum is what the spec is about.
			g.Expect(q.Status.Budgets).To(HaveLen(1))
			return string(q.Status.Budgets[0].Used)
		}
		want := big.NewRat(seconds, 1).FloatString(6)
		By("a job is deleted: what it used is settled, and it goes")
		Expect(harness.K8s.Delete(harness.Ctx, jobs[0])).To(Succeed())
		harness.Gone(jobs[0])
		harness.Reaches(quota, func(g Gomega, q *v1alpha1.Quota) {
			g.Expect(q.Status.Usage).To(HaveLen(1))
			g.Expect(q.Status.Usage[0].Costs).To(HaveLen(1))
			g.Expect(used(g, q)).To(Equal(want))
		})
		By("the manager is killed while others go, and starts anew")
		Expect(harness.K8s.Delete(harness.Ctx, jobs[1])).To(Succeed())
		running.Kill()
		running = launch()
		Expect(harness.K8s.Delete(harness.Ctx, jobs[2])).To(Succeed())
		for _, job := range jobs {
			harness.Gone(job)
		}
		harness.Reaches(quota, func(g Gomega, q *v1alpha1.Quota) {
			g.Expect(q.Status.Usage).To(HaveLen(1))
			g.Expect(string(q.Status.Usage[0].Costs[0].PriceSeconds)).To(Equal(big.NewRat(seconds*3600, 1).FloatString(6)))
			g.Expect(used(g, q)).To(Equal(want))
		})
		By("nothing is left to settle")
		Eventually(func(g Gomega) {
			g.Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(quota), quota)).To(Succeed())
			g.Expect(quota.Status.Settling).To(BeEmpty())
		}, "100s").Should(Succeed())
		Expect(quota.Status.Budgets[0].Used).To(BeEquivalentTo(want))
	})

	It("passes what a deleted quota settled to the one above it", func() {
		root := harness.Unique("root")
		quota := quotaNamed(root)
		quota.Spec.Nominal = harness.Amounts("0", "64Gi", 0)
		set := money("100000", v1alpha1.BudgetNotify)
		set(&quota.Spec)
		put(quota)
		name := team(root, "2", nil)
		job := newJob(kubelet.RunFor(time.Second, 0), in(name), paid)
		submit(job)
		ends(job)
		want := big.NewRat(job.Status.RunSeconds, 1).FloatString(6)
		Expect(harness.K8s.Delete(harness.Ctx, job)).To(Succeed())
		harness.Gone(job)
		below := quotaNamed(name)
		Expect(harness.K8s.Delete(harness.Ctx, below)).To(Succeed())
		harness.Gone(below)
		harness.Reaches(quota, func(g Gomega, q *v1alpha1.Quota) {
			g.Expect(q.Status.Usage).To(HaveLen(1))
			g.Expect(string(q.Status.Budgets[0].Used)).To(Equal(want))
		})
	})
})
