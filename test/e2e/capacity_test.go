package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var _ = Describe("capacity", func() {
	It("tells what no node can run from what waits", func(ctx context.Context) {
		job := submit(ctx, shell("large", "true", func(j *v1alpha1.Job) { j.Spec.Resources.CPU = amount("100k") }))
		Eventually(status(ctx, job)).WithTimeout(seconds).Should(And(
			phaseIs(v1alpha1.JobPending), reasonIs(v1alpha1.JobReasonUnschedulable), saying("the largest that a node can give")))
		change(ctx, k8s, job, `{"spec":{"cancel":true}}`)
		Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobCancelled))
		Expect(podsOf(ctx, job)).To(BeEmpty())
	})

	It("holds a job back while the quota is used, and starts it then", func(ctx context.Context) {
		own := "e2e-quota-" + rand.String(5)
		makeProject(ctx, own, v1alpha1.ResourceAmounts{CPU: amount("60m"), Memory: amount("1Gi")})
		there := func(j *v1alpha1.Job) { j.Namespace = own }
		first := submit(ctx, shell("first", serve, there))
		Eventually(status(ctx, first)).Should(phaseIs(v1alpha1.JobRunning))
		second := submit(ctx, shell("second", "true", there))
		Eventually(status(ctx, second)).WithTimeout(seconds).Should(And(phaseIs(v1alpha1.JobPending), reasonIs(v1alpha1.JobReasonQuotaExceeded)))
		change(ctx, k8s, first, `{"spec":{"cancel":true}}`)
		Expect(finish(ctx, second)).To(phaseIs(v1alpha1.JobSucceeded))
	})

	It("tells a job that its quota can never hold it", func(ctx context.Context) {
		own := "e2e-quota-" + rand.String(5)
		makeProject(ctx, own, v1alpha1.ResourceAmounts{CPU: amount("10m"), Memory: amount("1Gi")})
		job := submit(ctx, shell("toolarge", "true", func(j *v1alpha1.Job) { j.Namespace = own }))
		Eventually(status(ctx, job)).WithTimeout(seconds).Should(And(phaseIs(v1alpha1.JobPending), reasonIs(v1alpha1.JobReasonQuotaTooSmall)))
	})

	It("is given to a job of higher priority by one of lower, which is told to end, keeps its place and starts anew", func(ctx context.Context) {
		own := "e2e-quota-" + rand.String(5)
		makeProject(ctx, own, v1alpha1.ResourceAmounts{CPU: amount("60m"), Memory: amount("1Gi")})
		quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: own}}
		change(ctx, k8s, quota, `{"spec":{"preemption":{"lowerPriority":"Preemptible"}}}`)
		there := func(j *v1alpha1.Job) { j.Namespace = own }
		low := submit(ctx, shell("low", "trap 'echo goodbye; exit 0' TERM; echo attempt $SOMA_ATTEMPT; sleep 600 & wait", there, func(j *v1alpha1.Job) {
			j.Spec.Preemptible, j.Spec.Priority = of(true), v1alpha1.PriorityLow
		}))
		Eventually(status(ctx, low)).Should(phaseIs(v1alpha1.JobRunning))
		high := submit(ctx, shell("high", "sleep 3", there, func(j *v1alpha1.Job) { j.Spec.Priority = v1alpha1.PriorityHigh }))
		Expect(finish(ctx, high)).To(phaseIs(v1alpha1.JobSucceeded))
		Eventually(status(ctx, low)).Should(And(phaseIs(v1alpha1.JobRunning), HaveField("Attempt", BeEquivalentTo(2)),
			HaveField("Retries", BeZero()), HaveField("Attempts", ConsistOf(HaveField("Reason", v1alpha1.JobReasonPreempted)))))
	})
})
