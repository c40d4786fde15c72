package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var _ = Describe("PostgreSQL", Label("faults", "devcluster"), Serial, func() {
	It("is away under load: jobs go on, history waits, and is complete afterwards", Label("simulated"), func(ctx context.Context) {
		// SOMA_E2E_FULL=1 keeps it away for a whole minute.
		outage := 20 * time.Second
		if os.Getenv("SOMA_E2E_FULL") == "1" {
			outage = time.Minute
		}
		stream := func(name string) []*v1alpha1.Job {
			var jobs []*v1alpha1.Job
			for n := range 30 {
				jobs = append(jobs, submit(ctx, simulated(fmt.Sprintf("%s-%d", name, n))))
			}
			return jobs
		}
		before := submit(ctx, shell("before", "true"))
		Expect(finish(ctx, before)).To(phaseIs(v1alpha1.JobSucceeded))
		jobs := stream("meanwhile")

		devcluster(ctx, "stop", "postgres")
		DeferCleanup(func(ctx context.Context) { devcluster(ctx, "up", "--without-platform") })
		jobs = append(jobs, stream("away")...)
		deleted := submit(ctx, shell("deleted", "true"))
		jobs = append(jobs, deleted)
		sequences := map[string]int64{}
		for _, job := range jobs {
			end := finish(ctx, job)
			Expect(end).To(phaseIs(v1alpha1.JobSucceeded), job.Name)
			sequences[string(job.UID)] = end.Journal.Sequence
		}
		Expect(k8s.Delete(ctx, deleted)).To(Succeed())
		_, err := records(ctx, project)
		Expect(err).To(MatchError(ContainSubstring("the history is away since")))
		historyIs(ctx, metav1.ConditionFalse, v1alpha1.ReasonHistoryAway)
		// What the history does not have yet stays.
		Consistently(func() error {
			return k8s.Get(ctx, client.ObjectKeyFromObject(deleted), &v1alpha1.Job{})
		}).WithTimeout(outage).Should(Succeed())

		devcluster(ctx, "up", "--without-platform")
		Eventually(gone(ctx, deleted)).WithTimeout(2 * patience).Should(BeTrue())
		for _, job := range jobs {
			Expect(recordOf(ctx, job).Status.Phase).To(BeEquivalentTo(v1alpha1.JobSucceeded))
		}
		historyIs(ctx, metav1.ConditionTrue, v1alpha1.ReasonHistoryRecording)
		sequences[string(deleted.UID)]++ // that it was deleted
		expectJournals(ctx, sequences)
	})
})

// historyIs expects that every cluster tells of the history.
func historyIs(ctx context.Context, status metav1.ConditionStatus, reason string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		clusters := &v1alpha1.ClusterList{}
		g.Expect(k8s.List(ctx, clusters)).To(Succeed())
		for _, cluster := range clusters.Items {
			g.Expect(cluster.Status.Conditions).To(ContainElement(And(
				HaveField("Type", v1alpha1.ConditionHistoryAvailable), HaveField("Status", status), HaveField("Reason", reason))), cluster.Name)
		}
	}).Should(Succeed())
}

// devcluster runs the development cluster's own program.
func devcluster(ctx context.Context, args ...string) {
	GinkgoHelper()
	dir := filepath.Dir(clientcmd.NewDefaultClientConfigLoadingRules().GetDefaultFilename())
	program := filepath.Join(dir, "bin", "devcluster")
	if _, err := os.Stat(program); err != nil {
		Skip("KUBECONFIG is not that of a development cluster: its PostgreSQL cannot be stopped from here")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	Expect(err).NotTo(HaveOccurred())
	command := exec.CommandContext(ctx, program, append([]string{"--root", root, "--dir", dir}, args...)...)
	command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
	Expect(command.Run()).To(Succeed())
}
