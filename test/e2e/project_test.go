package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var _ = Describe("a project", func() {
	It("goes while its jobs run, with all that is in it; the history stays", func(ctx context.Context) {
		own := "e2e-gone-" + rand.String(5)
		makeProject(ctx, own, v1alpha1.ResourceAmounts{CPU: amount("1"), Memory: amount("1Gi")})
		var jobs []*v1alpha1.Job
		for range 3 {
			jobs = append(jobs, submit(ctx, shell("busy", serve, func(j *v1alpha1.Job) { j.Namespace = own })))
		}
		for _, job := range jobs {
			Eventually(status(ctx, job)).Should(phaseIs(v1alpha1.JobRunning))
		}
		waiting := submit(ctx, shell("waits", "true", func(j *v1alpha1.Job) { j.Namespace, j.Spec.Resources.CPU = own, amount("100k") }))
		jobs = append(jobs, waiting)

		made := &v1alpha1.Project{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: own}, made)).To(Succeed())
		Expect(k8s.Delete(ctx, made)).To(Succeed())
		Eventually(gone(ctx, made)).WithTimeout(2 * patience).Should(BeTrue())
		Expect(gone(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: own}})()).To(BeTrue())
		for _, job := range jobs {
			record := recordOf(ctx, job)
			Expect(record.Status.Phase).To(BeEquivalentTo(v1alpha1.JobCancelled))
			Expect(record.Status.Reason).To(BeEquivalentTo(v1alpha1.JobReasonProjectDeleted))
		}
	})
})
