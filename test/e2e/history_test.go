package e2e

import (
	"context"
	"os"

	"github.com/jackc/pgx/v5"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	history "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// remove deletes a job and waits until it is gone, which is not before the history has it.
func remove(ctx context.Context, job *v1alpha1.Job) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
	Expect(k8s.Delete(ctx, job)).To(Succeed())
	Eventually(gone(ctx, job)).Should(BeTrue())
}

// records are what the history has of a project's jobs, by name of the job.
func records(ctx context.Context, project string) (map[string]history.JobRecord, error) {
	byJob := map[string]history.JobRecord{}
	list := &history.JobRecordList{}
	for {
		err := k8s.List(ctx, list, client.InNamespace(project), client.Limit(200), client.Continue(list.Continue))
		if err != nil {
			return nil, err
		}
		for _, record := range list.Items {
			byJob[record.Spec.Job] = record
		}
		if list.Continue == "" {
			return byJob, nil
		}
	}
}

// recordOf waits until the history knows of the end of a job.
func recordOf(ctx context.Context, job *v1alpha1.Job) history.JobRecord {
	GinkgoHelper()
	var found history.JobRecord
	Eventually(func(g Gomega) {
		all, err := records(ctx, job.Namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(all).To(HaveKey(job.Name))
		found = all[job.Name]
		g.Expect(found.Status.FinishTime).NotTo(BeNil())
	}).Should(Succeed())
	return found
}

// expectJournals compares PostgreSQL itself, where its address is known, with the number of transitions of jobs by UID:
// every one is there exactly once, from 1 and without a gap.
func expectJournals(ctx context.Context, want map[string]int64) {
	GinkgoHelper()
	address := os.Getenv("SOMA_DATABASE_URL")
	if address == "" {
		return
	}
	complete := map[string][]int64{}
	uids := make([]string, 0, len(want))
	for uid, last := range want {
		uids = append(uids, uid)
		for sequence := int64(1); sequence <= last; sequence++ {
			complete[uid] = append(complete[uid], sequence)
		}
	}
	Eventually(func(g Gomega) {
		connection, err := pgx.Connect(ctx, address)
		g.Expect(err).NotTo(HaveOccurred())
		defer func() { _ = connection.Close(ctx) }() // nothing is lost with it
		rows, err := connection.Query(ctx,
			`SELECT uid::text, array_agg(sequence ORDER BY sequence) FROM transitions WHERE uid::text = ANY($1) GROUP BY uid`, uids)
		g.Expect(err).NotTo(HaveOccurred())
		recorded := map[string][]int64{}
		var uid string
		var sequences []int64
		_, err = pgx.ForEachRow(rows, []any{&uid, &sequences}, func() error {
			recorded[uid] = append([]int64(nil), sequences...)
			return nil
		})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(recorded).To(Equal(complete))
	}).Should(Succeed())
}
