package manager

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/test/integration/harness"
)

// What energy costs in these specs: a job draws 1 Wh in each second, which costs 0.001 EUR and comes with 1 g of CO2.
const (
	watts       = 3600
	pricePerKWh = "1"
	gramsPerKWh = 1000
)

// schedule is one that is open from a time until another, by the minute.
func schedule(name string, from, until time.Time) v1alpha1.EnergySchedule {
	const clock = "15:04"
	return v1alpha1.EnergySchedule{Name: name, Periods: []v1alpha1.EnergyPeriod{{Start: from.UTC().Format(clock), End: until.UTC().Format(clock)}}}
}

// openNow and closedNow are schedules that stand so for hours.
func openNow(name string) v1alpha1.EnergySchedule {
	return schedule(name, time.Now().Add(-3*time.Hour), time.Now().Add(3*time.Hour))
}

func closedNow(name string) v1alpha1.EnergySchedule {
	return schedule(name, time.Now().Add(3*time.Hour), time.Now().Add(6*time.Hour))
}

func boundTo(schedule string) option {
	return func(j *v1alpha1.Job) { j.Spec.EnergySchedule = schedule }
}

// recorded is the row of a job in the history.
func recorded(g Gomega, job *v1alpha1.Job) history.Job {
	GinkgoHelper()
	uid, err := uuid.Parse(string(job.UID))
	g.Expect(err).NotTo(HaveOccurred())
	rows, _, err := past.List(harness.Ctx, history.Query{UID: &history.UIDRange{First: uid, Last: uid}, PageSize: 1})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(rows).To(HaveLen(1))
	return rows[0]
}

var _ = Describe("Jobs that are bound to an energy schedule", func() {
	cluster := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: clusterName}}
	// set gives the cluster energy schedules, and waits until the manager has seen them.
	set := func(zone string, schedules ...v1alpha1.EnergySchedule) {
		GinkgoHelper()
		change(cluster, func(c *v1alpha1.Cluster) {
			c.Spec.Prices = &v1alpha1.Prices{Currency: "EUR"}
			c.Spec.Presets[0].PowerWatts = watts
			c.Spec.Energy = &v1alpha1.Energy{TimeZone: zone, PricePerKWh: "77", CO2GramsPerKWh: ptr.To(int32(gramsPerKWh))}
			for i := range schedules {
				schedules[i].PricePerKWh = pricePerKWh
			}
			c.Spec.Energy.Schedules = schedules
		})
		generation := cluster.Generation
		harness.Reaches(cluster, func(g Gomega, c *v1alpha1.Cluster) {
			g.Expect(c.Status.ObservedGeneration).To(BeNumerically(">=", generation))
		})
	}

	BeforeEach(func() {
		DeferCleanup(func() {
			change(cluster, func(c *v1alpha1.Cluster) { c.Spec.Energy, c.Spec.Prices, c.Spec.Presets[0].PowerWatts = nil, nil, 0 })
		})
	})

	It("wait outside of its windows, and run inside of them at the price and with the CO2 of the window", func() {
		set("", closedNow("night"))
		job := newJob(kubelet.RunFor(2*time.Second, 0), boundTo("night"))
		submit(job)
		waits(job, v1alpha1.JobReasonEnergyWindow, `energy schedule "night" of cluster "local" is closed until`)
		set("", openNow("night"))
		reaches(job, v1alpha1.JobSucceeded, v1alpha1.JobReasonCompleted)
		Expect(job.Status.Attempts).To(HaveLen(1))
		Expect(job.Status.Attempts[0].Energy).To(Equal(&v1alpha1.AttemptEnergy{
			Schedule: "night", Watts: watts, PricePerKWh: pricePerKWh, CO2GramsPerKWh: ptr.To(int32(gramsPerKWh))}))
		Expect(job.Status.Attempts[0].PricePerHour).To(BeEquivalentTo("3.600000"))
		expectEnergy(job)
	})

	It("make a pause when a window ends, at no cost, and go on in their place when the next one begins", func() {
		set("", openNow("night"))
		job, other := newJob(kubelet.RunUntilEnded(), boundTo("night")), newJob(kubelet.RunUntilEnded())
		submit(job, other)
		runs(job)
		runs(other)
		set("", closedNow("night"))
		waits(job, v1alpha1.JobReasonEnergyWindow, "is closed until")
		Expect(job.Status.Attempts).To(HaveLen(1))
		Expect(job.Status.Attempts[0].Reason).To(Equal(v1alpha1.JobReasonEnergyWindow))
		Expect(job.Status.Retries).To(BeZero())
		Expect(job.Status.Failures).To(BeEmpty())
		Expect(job.Status.Queue.Since.Time).To(BeTemporally("~", job.CreationTimestamp.Time, 0))
		expectEnergy(job)
		set("", openNow("night"))
		runs(job)
		Expect(job.Status.Attempt).To(BeEquivalentTo(2))
		isRecorded(job, "Pending Creating", "Running Running", "Pending EnergyWindow", "Pending Creating", "Running Running")
		runs(other)
		Expect(other.Status.Attempt).To(BeEquivalentTo(1))
		cancel(job)
		reaches(job, v1alpha1.JobCancelled, v1alpha1.JobReasonUserRequested)
		expectEnergy(job)
	})

	It("are told of a schedule that there is not, and go on where it is taken away", func() {
		set("", openNow("night"))
		lost, job := newJob(kubelet.Exit(0), boundTo("noon")), newJob(kubelet.RunUntilEnded(), boundTo("night"))
		submit(lost, job)
		waits(lost, v1alpha1.JobReasonEnergyScheduleNotFound, `has no energy schedule "noon"; it has: night`)
		runs(job)
		set("", openNow("noon"))
		reaches(lost, v1alpha1.JobSucceeded, v1alpha1.JobReasonCompleted)
		runs(job)
		Expect(job.Status.Attempt).To(BeEquivalentTo(1))
	})

	It("do not start, and do not end, where nobody knows the time", func() {
		set("", openNow("night"))
		job := newJob(kubelet.RunUntilEnded(), boundTo("night"))
		submit(job)
		runs(job)
		set("Europe/Entenhausen", closedNow("night"))
		harness.Reaches(cluster, func(g Gomega, c *v1alpha1.Cluster) {
			harness.ExpectCondition(g, c, v1alpha1.ConditionEnergyUnknown, "True", v1alpha1.ReasonTimeZoneUnknown)
			harness.ExpectCondition(g, c, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
		waiting, free := newJob(kubelet.Exit(0), boundTo("night")), newJob(kubelet.Exit(0))
		submit(waiting, free)
		waits(waiting, v1alpha1.JobReasonEnergyWindow, "its time zone is not known")
		reaches(free, v1alpha1.JobSucceeded, v1alpha1.JobReasonCompleted)
		runs(job)
		Expect(job.Status.Attempt).To(BeEquivalentTo(1))
		set("", openNow("night"))
		reaches(waiting, v1alpha1.JobSucceeded, v1alpha1.JobReasonCompleted)
	})

	It("start and end with the clock, though nothing else happens", func() {
		// What is asked for below takes some seconds.
		turn := time.Now().Add(10 * time.Second).Truncate(time.Minute).Add(time.Minute)
		set("", schedule("before", turn.Add(-time.Hour), turn), schedule("after", turn, turn.Add(time.Hour)))
		early, late := newJob(kubelet.RunUntilEnded(), boundTo("before")), newJob(kubelet.RunUntilEnded(), boundTo("after"))
		submit(early, late)
		runs(early)
		waits(late, v1alpha1.JobReasonEnergyWindow, turn.UTC().Format("until Mon 2006-01-02 15:04 UTC"))
		Expect(time.Now()).To(BeTemporally("<", turn))
		Eventually(time.Now, 80*time.Second).Should(BeTemporally(">=", turn))
		runs(late)
		waits(early, v1alpha1.JobReasonEnergyWindow, "is closed until")
		Expect(late.Status.Reservation.Time.Time).To(BeTemporally("~", turn, 5*time.Second))
		Expect(late.Status.Reservation.Time.Time).To(BeTemporally(">=", turn))
		Expect(early.Status.Attempts[0].FinishTime.Time).To(BeTemporally(">=", turn.Truncate(time.Second)))
	})
})

// expectEnergy expects that what a job drew, what it cost and what came with it are what the seconds of its attempts come to, in
// its status and in the history.
func expectEnergy(job *v1alpha1.Job) {
	GinkgoHelper()
	seconds := job.Status.RunSeconds
	Expect(seconds).To(BeNumerically(">", 0))
	amount := fmt.Sprintf("%d.000000", seconds)
	Expect(job.Status.Energy).To(Equal(&v1alpha1.JobEnergy{WattHours: v1alpha1.EnergyAmount(amount), CO2Grams: v1alpha1.EnergyAmount(amount)}))
	cost := fmt.Sprintf("%d.%03d000", seconds/1000, seconds%1000)
	Expect(job.Status.Cost).To(Equal(&v1alpha1.Cost{Amount: v1alpha1.Price(cost), Currency: "EUR"}))
	Eventually(func(g Gomega) {
		row := recorded(g, job)
		g.Expect(row.EnergySchedule).To(Equal(job.Spec.EnergySchedule))
		g.Expect(row.WattHours).To(HaveValue(Equal(amount)))
		g.Expect(row.Co2Grams).To(HaveValue(Equal(amount)))
		g.Expect(row.Cost).To(HaveValue(Equal(cost)))
	}).Should(Succeed())
}
