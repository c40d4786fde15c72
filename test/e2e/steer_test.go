package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

var _ = Describe("steering", func() {
	It("cancels a job that cannot start, and tells by whom", func(ctx context.Context) {
		job := submit(ctx, shell("cancel", "true", func(j *v1alpha1.Job) { j.Spec.Image = "soma.dev/nothing:2" }))
		Eventually(status(ctx, job)).Should(HaveField("Reservation", Not(BeNil())))
		change(ctx, as("e2e-bob"), job, `{"spec":{"cancel":true,"cancelledBy":"mallory"}}`)
		Expect(finish(ctx, job)).To(And(phaseIs(v1alpha1.JobCancelled), reasonIs(v1alpha1.JobReasonUserRequested), saying("e2e-bob")))
		Eventually(livingPods(ctx, job)).Should(BeZero())
	})

	It("cancels a job at once, in whatever state of its start", func(ctx context.Context) {
		job := submit(ctx, shell("cancel", serve))
		change(ctx, k8s, job, `{"spec":{"cancel":true}}`)
		Expect(finish(ctx, job)).To(And(phaseIs(v1alpha1.JobCancelled), reasonIs(v1alpha1.JobReasonUserRequested)))
		Eventually(livingPods(ctx, job)).Should(BeZero())
	})

	It("gives a job as long to end as it says", func(ctx context.Context) {
		job := submit(ctx, shell("deaf", `trap "" TERM; while true; do sleep 1; done`, func(j *v1alpha1.Job) { j.Spec.GracePeriodSeconds = of[int64](2) }))
		Eventually(status(ctx, job)).Should(phaseIs(v1alpha1.JobRunning))
		began := time.Now()
		change(ctx, k8s, job, `{"spec":{"cancel":true}}`)
		Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobCancelled))
		Eventually(livingPods(ctx, job)).Should(BeZero())
		Expect(time.Since(began)).To(BeNumerically("<", 25*time.Second)) // who says nothing has 30
	})

	It("suspends a job, resumes it as its next attempt and kills it", func(ctx context.Context) {
		job := submit(ctx, shell("suspend", serve))
		Eventually(status(ctx, job)).Should(phaseIs(v1alpha1.JobRunning))
		somaSays("suspend", job.Name)
		Eventually(status(ctx, job)).Should(And(phaseIs(v1alpha1.JobSuspended), HaveField("Reservation", BeNil())))
		Expect(livingPods(ctx, job)()).To(BeZero())
		somaSays("resume", job.Name)
		Eventually(status(ctx, job)).Should(And(phaseIs(v1alpha1.JobRunning), HaveField("Attempt", BeEquivalentTo(2))))
		somaSays("kill", job.Name)
		end := finish(ctx, job)
		Expect(end).To(And(phaseIs(v1alpha1.JobCancelled), reasonIs(v1alpha1.JobReasonUserRequested)))
		Expect(end.Retries).To(BeZero())
	})

	It("records who submitted a job, whatever is claimed", func(ctx context.Context) {
		job := shell("forged", "true", func(j *v1alpha1.Job) { j.Spec.SubmittedBy = "mallory" })
		Expect(as("e2e-alice").Create(ctx, job)).To(Succeed())
		Expect(job.Spec.SubmittedBy).To(Equal("e2e-alice"))
		later := job.DeepCopy()
		err := k8s.Patch(ctx, later, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"submittedBy":"mallory"}}`)))
		if err == nil {
			Expect(later.Spec.SubmittedBy).To(Equal("e2e-alice"))
		}
		Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobSucceeded))
		Expect(recordOf(ctx, job).Spec.User).To(Equal("e2e-alice"))
	})
})

// livingPods counts the pods of a job that have not ended.
func livingPods(ctx context.Context, job *v1alpha1.Job) func() (int, error) {
	return func() (int, error) {
		pods, err := podsOf(ctx, job)
		living := 0
		for i := range pods {
			if !workload.Ended(&pods[i]) {
				living++
			}
		}
		return living, err
	}
}
