package manager

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/internal/testing/promises"
	"github.com/soma-platform/soma/test/integration/harness"
)

// sampledCrashes is at how many writes the manager is made to crash where it is not asked to do so at every one.
const sampledCrashes = 8

// scenario is a small world of every kind of life, each of which ends by itself and then removes itself.
type scenario struct {
	ends, retried, cancelled, gang *v1alpha1.Job
}

func newScenario() *scenario {
	return &scenario{
		ends:      newJob(kubelet.Exit(0), keptFor(0)),
		retried:   newJob(kubelet.Exit(3, 0), keptFor(0), retried(1)),
		cancelled: newJob(kubelet.RunUntilEnded(), keptFor(0)),
		gang:      newJob(kubelet.Exit(0), keptFor(0), gang(3), cores("4")),
	}
}

func (s *scenario) jobs() []*v1alpha1.Job {
	return []*v1alpha1.Job{s.ends, s.retried, s.cancelled, s.gang}
}

// play submits the jobs and does what a person does, who tries again while there is nobody to answer, and waits until nothing
// of them is left.
func (s *scenario) play() {
	GinkgoHelper()
	for _, job := range s.jobs() {
		Eventually(func() error { return harness.K8s.Create(harness.Ctx, job) }).Should(Succeed())
	}
	runs(s.cancelled)
	cancel(s.cancelled)
	Eventually(func(g Gomega) {
		for _, list := range []client.ObjectList{&v1alpha1.JobList{}, &corev1.PodList{}, &corev1.ServiceList{}} {
			g.Expect(harness.K8s.List(harness.Ctx, list, client.InNamespace(projectName))).To(Succeed())
			g.Expect(left(list)).To(BeEmpty())
		}
	}).Should(Succeed())
	Eventually(happened.Complete).WithContext(harness.Ctx).Should(Succeed())
}

// left are the names of what is in a list.
func left(list client.ObjectList) []string {
	var names []string
	switch list := list.(type) {
	case *v1alpha1.JobList:
		for i := range list.Items {
			names = append(names, "job "+list.Items[i].Name+" "+state(&list.Items[i]))
		}
	case *corev1.PodList:
		for i := range list.Items {
			names = append(names, "pod "+list.Items[i].Name)
		}
	case *corev1.ServiceList:
		for i := range list.Items {
			names = append(names, "service "+list.Items[i].Name)
		}
	}
	return names
}

// check expects that every job lived the life that it was made for, with no pod made twice, and that the history has every
// transition once and in order.
func (s *scenario) check() {
	GinkgoHelper()
	events := happened.Events()
	Expect(promises.Check(events)).To(Succeed())
	pods := podsMade(events)
	for _, expected := range []struct {
		job      *v1alpha1.Job
		phase    v1alpha1.JobPhase
		attempts int32
		pods     int
	}{
		{s.ends, v1alpha1.JobSucceeded, 1, 1},
		{s.retried, v1alpha1.JobSucceeded, 2, 2},
		{s.cancelled, v1alpha1.JobCancelled, 1, 1},
		{s.gang, v1alpha1.JobSucceeded, 1, 3},
	} {
		last := lastOf(events, expected.job.UID)
		Expect(last).NotTo(BeNil())
		Expect(last.Status.Phase).To(Equal(expected.phase), last.Status.Message)
		Expect(last.Status.Attempt).To(Equal(expected.attempts), "attempts of %s", last.Name)
		made := pods[string(expected.job.UID)]
		slices.Sort(made)
		Expect(slices.Compact(slices.Clone(made))).To(Equal(made), "a pod was made twice")
		Expect(made).To(HaveLen(expected.pods))
		expectHistory(expected.job, promises.Transitions(events, expected.job.UID))
	}
}

// podsMade are the names of all pods that ever were, by the UID of their job.
func podsMade(events []promises.Event) map[string][]string {
	made := map[string][]string{}
	seen := map[types.UID]bool{}
	for _, e := range events {
		if e.Pod == nil || seen[e.Pod.UID] {
			continue
		}
		seen[e.Pod.UID] = true
		job := e.Pod.Labels[v1alpha1.LabelJobUID]
		made[job] = append(made[job], e.Pod.Name)
	}
	return made
}

// lastOf is a job as it was last seen.
func lastOf(events []promises.Event, uid types.UID) *v1alpha1.Job {
	var last *v1alpha1.Job
	for _, e := range events {
		if e.Job != nil && e.Job.UID == uid {
			last = e.Job
		}
	}
	return last
}

// expectHistory expects that the history has what the journal of a job told, and its deletion, once and in order.
func expectHistory(job *v1alpha1.Job, told []v1alpha1.Transition) {
	GinkgoHelper()
	all, err := rows(job)
	Expect(err).NotTo(HaveOccurred())
	Expect(all).To(HaveLen(len(told) + 1))
	for i, t := range told {
		row := all[i]
		Expect(row.Sequence).To(Equal(t.Sequence))
		Expect(fmt.Sprint(row.Phase, row.Reason, row.Attempt)).To(Equal(fmt.Sprint(t.Phase, t.Reason, t.Attempt)))
		Expect(row.At).To(BeTemporally("==", t.Time.Time))
	}
	Expect(all[len(told)].Phase).To(Equal("Deleted"))
	Expect(all[len(told)].Sequence).To(BeEquivalentTo(len(told) + 1))
}

// playWith plays a scenario with a manager that meets a crash and is then followed by another one, as by a Deployment. It
// returns the number of writes of the first one and whether it crashed.
func playWith(crash *crash) (writes int, crashed bool) {
	GinkgoHelper()
	running.end()
	first := launch(crash)
	running = first
	over, followed := make(chan struct{}), make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(followed)
		select {
		case <-first.ended:
		case <-over:
		}
		if first.gate.crashed() {
			<-first.ended
			running = launch(nil)
		}
	}()
	s := newScenario()
	s.play()
	first.gate.disarm()
	close(over)
	Eventually(followed).Should(BeClosed())
	s.check()
	return first.gate.count(), first.gate.crashed()
}

var _ = Describe("A manager that is killed at one of its writes", Label("crash"), Ordered, func() {
	var writes int

	BeforeAll(func() {
		writes, _ = playWith(nil)
		GinkgoWriter.Printf("The scenario takes %d writes.\n", writes)
		Expect(writes).To(BeNumerically(">", 20))
	})

	It("is followed by another that finishes all it had begun, and does nothing twice", func() {
		if os.Getenv("SOMA_CRASH") == "all" {
			for n, crashed := 1, true; crashed; n++ {
				for _, after := range []bool{false, true} {
					By(fmt.Sprintf("write %d, after it took effect: %t", n, after))
					_, crashed = playWith(&crash{write: n, after: after})
				}
			}
			return
		}
		// The suite's seed is printed; with it the same writes are chosen again.
		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0))
		for range sampledCrashes {
			c := crash{write: 1 + random.IntN(writes), after: random.IntN(2) == 1}
			By(fmt.Sprintf("write %d of about %d, after it took effect: %t", c.write, writes, c.after))
			playWith(&c)
		}
	})
})

var _ = It("finishes everything, and does nothing twice, where one write in five goes wrong", func() {
	running.gate.setFlaw(&flaw{chance: 0.1, random: rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0))})
	DeferCleanup(func() { running.gate.setFlaw(nil) })
	scenarios := []*scenario{newScenario(), newScenario(), newScenario()}
	for _, s := range scenarios {
		s.play()
		s.check()
	}
})
