package manager

import (
	"math/rand/v2"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/internal/testing/promises"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("Jobs that compete for a quota", func() {
	const competitors, granted = 40, 6

	It("use it to the full and at no moment more, and all of them end", func() {
		name := harness.Unique("contended")
		quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QuotaSpec{Nominal: harness.Amounts(strconv.Itoa(granted), "64Gi", 0)}}
		project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ProjectSpec{Quota: name}}
		put(quota)
		put(project)
		isReady(project)

		// The suite's seed is printed; with it the same jobs are made again.
		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0))
		jobs := make([]*v1alpha1.Job, competitors)
		for i := range jobs {
			lasts := time.Duration(random.IntN(300)) * time.Millisecond
			jobs[i] = newJob(kubelet.RunFor(lasts, 0), in(name), cores(strconv.Itoa(1+random.IntN(4))))
		}
		submit(jobs...)
		for _, job := range jobs {
			ends(job)
		}
		Eventually(happened.Complete).WithContext(harness.Ctx).Should(Succeed())
		// That no revision exceeds the quota is checked after every spec.
		Expect(mostHeld(happened.Events(), name)).To(BeEquivalentTo(granted))
	})
})

// mostHeld is the most cores that reservations of a quota ever held together.
func mostHeld(events []promises.Event, quota string) int64 {
	held := map[string]int64{}
	most := int64(0)
	for _, e := range events {
		if e.Job == nil {
			continue
		}
		delete(held, e.Job.Name)
		if r := e.Job.Status.Reservation; r != nil && r.Quota == quota {
			held[e.Job.Name] = r.Replica.CPU.Value()
		}
		sum := int64(0)
		for _, cores := range held {
			sum += cores
		}
		most = max(most, sum)
	}
	return most
}
