package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var _ = Describe("an image", Label("registry"), Ordered, func() {
	var from registry

	BeforeAll(func(ctx context.Context) { from = startRegistry(ctx) })

	of := func(name, image string) *v1alpha1.Job {
		return shell(name, "true", func(j *v1alpha1.Job) { j.Spec.Image = image })
	}

	It("that is not there, is refused, or whose registry is away is told within seconds, and given up after a while", func(ctx context.Context) {
		const nowhere = "127.0.0.1:1"
		cases := []struct {
			job          *v1alpha1.Job
			waits, gives types.GomegaMatcher
		}{
			{of("noimage", from.address+"/nothing:1"), reasonIs(v1alpha1.JobReasonImageNotFound), reasonIs(v1alpha1.JobReasonImageNotFound)},
			{of("secretimage", from.address+secretImage), reasonIs(v1alpha1.JobReasonImageUnauthorized), reasonIs(v1alpha1.JobReasonImageUnauthorized)},
			{of("noregistry", nowhere+"/nothing:1"), reasonIs(v1alpha1.JobReasonErrImagePull), reasonIs(v1alpha1.JobReasonImagePullBackOff)},
		}
		for _, c := range cases {
			submit(ctx, c.job)
		}
		for _, c := range cases {
			Eventually(status(ctx, c.job)).WithTimeout(seconds).Should(And(phaseIs(v1alpha1.JobPending), c.waits, saying(c.job.Spec.Image)))
		}
		for _, c := range cases {
			Expect(finish(ctx, c.job)).To(And(phaseIs(v1alpha1.JobFailed), c.gives, saying(c.job.Spec.Image)))
		}
	})

	It("that is being pulled when the job is cancelled holds its place for as long as the node pulls, which is told", func(ctx context.Context) {
		job := submit(ctx, of("pulling", from.address+brokenImage))
		Eventually(from.asked(ctx)).Should(ContainSubstring("GET /v2/broken/blobs/"))
		Expect(status(ctx, job)()).To(And(phaseIs(v1alpha1.JobPending), HaveField("Reservation", Not(BeNil()))))
		change(ctx, as("e2e-bob"), job, `{"spec":{"cancel":true,"cancelledBy":"mallory"}}`)
		Eventually(status(ctx, job)).WithTimeout(seconds).Should(And(reasonIs(v1alpha1.JobReasonTerminating),
			HaveField("Reservation", Not(BeNil())), saying("cancelled by e2e-bob"), saying("still preparing pod")))
		Expect(finish(ctx, job)).To(And(phaseIs(v1alpha1.JobCancelled), reasonIs(v1alpha1.JobReasonUserRequested), saying("e2e-bob")))
		Eventually(livingPods(ctx, job)).Should(BeZero())
	})
})
