package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var _ = Describe("soma run", func() {
	It("trains a model on a GPU, streams its lines, and the history keeps it when its object is gone", Label("gpu"), func(ctx context.Context) {
		name := "digits-" + rand.String(5)
		session := soma("run", "--name", name, "--preset", "gpu-small", sklearn, "--", "python3", "/opt/soma/train_digits.py")
		Eventually(session.Out).WithTimeout(2 * patience).Should(gbytes.Say("accuracy"))
		Eventually(session).WithTimeout(2 * patience).Should(gexec.Exit(0))

		job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: project}}
		end := finish(ctx, job)
		Expect(end).To(And(phaseIs(v1alpha1.JobSucceeded), reasonIs(v1alpha1.JobReasonCompleted), exitIs(0)))
		Expect(end.ImageDigest).To(ContainSubstring("sha256:"))
		Expect(end.Attempts).To(HaveLen(1))

		remove(ctx, job)
		Expect(somaSays("ps", "-a")).To(ContainSubstring(name))
		listed, err := kubectl(ctx, "get", "jobrecords", "-n", project)
		Expect(err).NotTo(HaveOccurred())
		Expect(listed).To(ContainSubstring(name))

		record := recordOf(ctx, job)
		Expect(record.Status.Phase).To(BeEquivalentTo(v1alpha1.JobSucceeded))
		Expect(record.Status.ExitCode).To(HaveValue(BeEquivalentTo(0)))
		Expect(record.Spec.GPUs).To(BeEquivalentTo(1))
		Expect(record.Status.DeletedTime).NotTo(BeNil())
		// That it was deleted is the last of its transitions.
		expectJournals(ctx, map[string]int64{string(record.UID): end.Journal.Sequence + 1})
	})

	It("ends with the job's exit code and tells its last words", func(ctx context.Context) {
		name := "three-" + rand.String(5)
		session := soma("run", "--name", name, "--cpu", "50m", "--memory", "64Mi", busybox, "--", "sh", "-c", "echo the disk is on fire; exit 3")
		Eventually(session).Should(gexec.Exit(3))
		Expect(session.Out).To(gbytes.Say("the disk is on fire"))
		Expect(finish(ctx, &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: project}})).To(And(
			phaseIs(v1alpha1.JobFailed), reasonIs(v1alpha1.JobReasonError), exitIs(3), saying("the disk is on fire")))
	})

	It("tells the job who it is", func(ctx context.Context) {
		job := shell("whoami", `echo "$SOMA_JOB_NAME $SOMA_PROJECT $SOMA_ATTEMPT $SOMA_RANK $SOMA_REPLICAS $EXTRA"`,
			func(j *v1alpha1.Job) { j.Spec.Env = []v1alpha1.EnvVar{{Name: "EXTRA", Value: "$(HOME) stays"}} })
		submit(ctx, job)
		Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobSucceeded))
		Expect(somaSays("logs", job.Name)).To(Equal(job.Name + " " + project + " 1 0 1 $(HOME) stays\n"))
	})
})
