package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var _ = Describe("the end of a job", func() {
	It("tells that memory was used up", func(ctx context.Context) {
		job := submit(ctx, shell("oom", "", func(j *v1alpha1.Job) {
			j.Spec.Command, j.Spec.Args = []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "count=1"}, nil
		}))
		Expect(finish(ctx, job)).To(And(phaseIs(v1alpha1.JobFailed), reasonIs(v1alpha1.JobReasonOOMKilled), exitIs(137), saying("64Mi")))
	})

	It("tells that the command does not exist", func(ctx context.Context) {
		job := submit(ctx, shell("nocommand", "", func(j *v1alpha1.Job) { j.Spec.Command, j.Spec.Args = []string{"/no/such/program"}, nil }))
		Expect(finish(ctx, job)).To(And(phaseIs(v1alpha1.JobFailed), reasonIs(v1alpha1.JobReasonContainerCannotRun), saying("/no/such/program")))
	})

	It("comes when the life span ended", func(ctx context.Context) {
		job := submit(ctx, shell("lifespan", serve, func(j *v1alpha1.Job) { j.Spec.LifeSpanSeconds = of[int64](2) }))
		end := finish(ctx, job)
		Expect(end).To(And(phaseIs(v1alpha1.JobCancelled), reasonIs(v1alpha1.JobReasonLifeSpanEnded)))
		Expect(end.RunSeconds).To(BeNumerically(">=", 2))
	})

	It("comes after as many attempts as the budget allows", func(ctx context.Context) {
		job := submit(ctx, shell("retry", "exit 7", func(j *v1alpha1.Job) {
			j.Spec.Restart = &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure, MaxRetries: of[int32](2)}
		}))
		Eventually(status(ctx, job)).Should(And(phaseIs(v1alpha1.JobPending), reasonIs(v1alpha1.JobReasonBackOff)))
		end := finish(ctx, job)
		Expect(end).To(And(phaseIs(v1alpha1.JobFailed), exitIs(7), HaveField("Retries", BeEquivalentTo(2)), HaveField("Attempts", HaveLen(3))))
		Expect(podsOf(ctx, job)).To(HaveLen(3))
		// The history tells of each, also when the object is gone.
		remove(ctx, job)
		record := recordOf(ctx, job)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(&record), &record)).To(Succeed())
		Expect(record.Status.EndedAttempts).To(HaveLen(3))
		for n, attempt := range record.Status.EndedAttempts {
			Expect(attempt).To(And(HaveField("Number", BeEquivalentTo(n+1)), HaveField("Reason", "Error"), exitIs(7)))
		}
	})

	It("comes within the time to live: the object goes, the history stays", func(ctx context.Context) {
		job := submit(ctx, shell("ttl", "true", func(j *v1alpha1.Job) { j.Spec.TTLSecondsAfterFinished = of[int32](0) }))
		Eventually(gone(ctx, job)).Should(BeTrue())
		Expect(recordOf(ctx, job).Status.Phase).To(BeEquivalentTo(v1alpha1.JobSucceeded))
	})
})
