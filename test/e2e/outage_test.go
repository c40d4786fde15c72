package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	history "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

const (
	// outage is how long PostgreSQL is away.
	outage = time.Minute
	// batch is how many jobs are submitted at a time meanwhile; the next follow when they have ended.
	batch = 8
)

var _ = Describe("PostgreSQL", Label("faults", "devcluster"), Serial, func() {
	It("is away under load: jobs go on, history waits, and is complete afterwards", Label("simulated"), func(ctx context.Context) {
		// Jobs whose starts are recorded and whose ends are not.
		var running []*v1alpha1.Job
		for n := range batch {
			running = append(running, submit(ctx, simulated(fmt.Sprintf("meanwhile-%d", n))))
		}

		devcluster(ctx, "stop", "postgres")
		DeferCleanup(func(ctx context.Context) { devcluster(ctx, "up", "--without-platform") })
		began := time.Now()
		ends := map[*v1alpha1.Job]v1alpha1.JobStatus{}
		succeed := func(jobs ...*v1alpha1.Job) {
			GinkgoHelper()
			for _, job := range jobs {
				ends[job] = finish(ctx, job)
				Expect(ends[job]).To(phaseIs(v1alpha1.JobSucceeded), job.Name)
			}
		}
		succeed(running...)
		deleted := submit(ctx, shell("deleted", "true"))
		succeed(deleted)
		Expect(k8s.Delete(ctx, deleted)).To(Succeed())

		for round := 0; time.Since(began) < outage; round++ {
			jobs := []*v1alpha1.Job{submit(ctx, shell(fmt.Sprintf("away-%d-real", round), "true"))}
			for n := range batch - 1 {
				jobs = append(jobs, submit(ctx, simulated(fmt.Sprintf("away-%d-%d", round, n))))
			}
			succeed(jobs...)
			_, err := records(ctx, project)
			Expect(err).To(MatchError(ContainSubstring("the history is away since")))
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(deleted), &v1alpha1.Job{})).To(Succeed(), "what the history does not have yet stays")
		}
		historyIs(ctx, metav1.ConditionFalse, v1alpha1.ReasonHistoryAway)
		GinkgoWriter.Printf("%d jobs ended within %s without a history\n", len(ends), time.Since(began))

		devcluster(ctx, "up", "--without-platform")
		Eventually(gone(ctx, deleted)).WithTimeout(2 * patience).Should(BeTrue())
		sequences := map[string]int64{}
		for job, end := range ends {
			last := end.Journal.Sequence
			if job == deleted {
				last++ // that it was deleted
			}
			sequences[string(job.UID)] = last
			expectInOrder(ctx, job, last)
		}
		historyIs(ctx, metav1.ConditionTrue, v1alpha1.ReasonHistoryRecording)
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

// expectInOrder wants the record of a job that succeeded to have all its transitions up to the last, each once and none before its predecessor.
func expectInOrder(ctx context.Context, job *v1alpha1.Job, last int64) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		record := &history.JobRecord{}
		key := client.ObjectKey{Namespace: job.Namespace, Name: history.RecordName(job.Name, job.UID)}
		g.Expect(k8s.Get(ctx, key, record)).To(Succeed())
		g.Expect(record.Status.Phase).To(BeEquivalentTo(v1alpha1.JobSucceeded), job.Name)
		g.Expect(record.Status.Transitions).To(HaveLen(int(last)), job.Name)
		before := time.Time{}
		for i, transition := range record.Status.Transitions {
			g.Expect(transition.Sequence).To(BeEquivalentTo(i+1), job.Name)
			at := transition.Time.Truncate(time.Second) // as exact as a node tells when a container started
			g.Expect(at).NotTo(BeTemporally("<", before), "%s, transition %d", job.Name, i+1)
			before = at
		}
	}).Should(Succeed())
}

// devcluster runs the development cluster's own program.
func devcluster(ctx context.Context, args ...string) {
	GinkgoHelper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	Expect(err).NotTo(HaveOccurred())
	program := devclusterProgram()
	dir := filepath.Dir(filepath.Dir(program))
	command := exec.CommandContext(ctx, program, append([]string{"--root", root, "--dir", dir}, args...)...)
	command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
	Expect(command.Run()).To(Succeed())
}
