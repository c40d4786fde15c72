package recorder

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
)

func TestRecordsInOrderAndLetsGo(t *testing.T) {
	f := newFixture(t)
	r, stop := f.start()
	defer stop()
	job := f.create("train")
	f.advance(job, platform.JobRunning)
	f.eventuallyPhases("train", "Pending Running")
	f.delete(job)
	f.advance(job, platform.JobCancelled)
	f.eventuallyPhases("train", "Pending Running Cancelled Deleted")
	f.eventually("the job is gone", func(ctx context.Context) bool {
		return apierrors.IsNotFound(f.client.Get(ctx, client.ObjectKeyFromObject(job), job))
	})
	f.eventually("nothing waits", func(context.Context) bool { return r.Health().Backlog == 0 })
}

func TestRecordedAfterItsEnd(t *testing.T) {
	f := newFixture(t)
	exit := int32(0)
	job := f.create("train")
	f.advance(job, platform.JobRunning)
	job.Status.Phase, job.Status.ExitCode, job.Status.Attempt = platform.JobSucceeded, &exit, 2
	job.Status.Attempts = []platform.Attempt{{Number: 1, Node: "n1"}, {
		Number: 2, Node: "n2", Cluster: "local", Pool: "a100", PricePerHour: "3.6",
		Replica: &platform.ReplicaResources{CPU: resource.MustParse("1500m"), Memory: resource.MustParse("8Gi"), GPUs: 2, GPUModel: "A100"},
	}}
	job.Status.Journal.Append(platform.Transition{Time: metav1.NowMicro(), Phase: string(platform.JobSucceeded)})
	if err := f.client.Status().Update(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	_, stop := f.start()
	defer stop()
	f.eventuallyPhases("train", "Pending Running Succeeded")
	rows, _, err := f.store.List(t.Context(), history.Query{PageSize: 1})
	if err != nil || len(rows) != 1 {
		t.Fatalf("want the job's row, got %d, %v", len(rows), err)
	}
	row := rows[0]
	got := fmt.Sprintf("%s %s %s %d of %s, %d, %d, %s", row.Cluster, row.Pool, row.Node, row.Gpus, row.GpuModel, row.CpuMillis, row.MemoryBytes, *row.PricePerHour)
	if want := "local a100 n2 2 of A100, 1500, 8589934592, 3.600000"; got != want {
		t.Errorf("where it ran and on what: want %q, got %q", want, got)
	}
	spec := platform.JobSpec{}
	if err := json.Unmarshal(row.Spec, &spec); err != nil || !equality.Semantic.DeepEqual(spec, job.Spec) {
		t.Errorf("want the whole spec %+v, got %s, %v", job.Spec, row.Spec, err)
	}
}

func TestFullJournalGetsRoom(t *testing.T) {
	f := newFixture(t)
	_, stop := f.start()
	defer stop()
	job := f.create("train")
	const transitions = 3 * platform.JournalCapacity
	for range transitions - 1 {
		f.advance(job, platform.JobRunning)
	}
	f.eventually("every transition is recorded", func(ctx context.Context) bool { return len(f.phases(ctx, "train")) == transitions })
}

func TestTwoRecordersWriteOnce(t *testing.T) {
	f := newFixture(t)
	_, stopFirst := f.start()
	defer stopFirst()
	_, stopSecond := f.start()
	defer stopSecond()
	for i := range 20 {
		job := f.create(fmt.Sprintf("train-%d", i))
		f.advance(job, platform.JobRunning)
		f.advance(job, platform.JobSucceeded)
		f.delete(job)
	}
	for i := range 20 {
		f.eventuallyPhases(fmt.Sprintf("train-%d", i), "Pending Running Succeeded Deleted")
	}
}

func TestCatchesUpAfterOutage(t *testing.T) {
	f := newFixture(t)
	r, stop := f.start()
	defer stop()
	job := f.create("before")
	f.eventuallyPhases("before", "Pending")
	if err := database.Down(); err != nil {
		t.Fatal(err)
	}
	f.advance(job, platform.JobRunning)
	for i := range 10 {
		during := f.create(fmt.Sprintf("during-%d", i))
		f.advance(during, platform.JobSucceeded)
		f.delete(during)
	}
	f.eventually("the outage is known", func(context.Context) bool {
		health := r.Health()
		return health.Away && !health.Since.IsZero() && health.Backlog == 11 && health.Lag > 0
	})
	if err := f.client.Get(t.Context(), client.ObjectKey{Namespace: f.namespace, Name: "during-0"}, job); err != nil {
		t.Errorf("a job went before its history was written: %v", err)
	}
	if err := database.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.eventuallyPhases("before", "Pending Running")
	for i := range 10 {
		f.eventuallyPhases(fmt.Sprintf("during-%d", i), "Pending Succeeded Deleted")
	}
	f.eventually("the outage is over", func(context.Context) bool { return !r.Health().Away && r.Health().Backlog == 0 })
}

func TestFindsWhatVanished(t *testing.T) {
	f := newFixture(t)
	_, stop := f.start()
	job := f.create("train")
	f.eventuallyPhases("train", "Pending")
	forced := f.create("forced")
	f.eventuallyPhases("forced", "Pending")
	force := func(job *platform.Job) {
		t.Helper()
		f.eventually("remove the finalizer", func(ctx context.Context) bool {
			if err := f.client.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
				return false
			}
			job.Finalizers = nil
			return f.client.Update(ctx, job) == nil
		})
		f.delete(job)
	}
	force(forced) // seen by the recorder
	f.eventuallyPhases("forced", "Pending Deleted")
	stop()
	force(job) // seen by nobody
	f.create("again")
	_, stop = f.start()
	defer stop()
	f.eventuallyPhases("train", "Pending Deleted")
	f.eventuallyPhases("again", "Pending")
}

func TestBadObjectHurtsOnlyItself(t *testing.T) {
	f := newFixture(t)
	exec := f.database()
	exec("ALTER TABLE jobs ADD CONSTRAINT refused CHECK (name <> 'bad')")
	for i := range 3 {
		f.create(fmt.Sprintf("good-%d", i))
	}
	f.create("bad")
	r, stop := f.start()
	defer stop()
	for i := range 3 {
		f.eventuallyPhases(fmt.Sprintf("good-%d", i), "Pending")
	}
	f.eventually("the bad one waits alone", func(context.Context) bool { return r.Health().Backlog == 1 && !r.Health().Away })
	exec("ALTER TABLE jobs DROP CONSTRAINT refused")
	f.eventuallyPhases("bad", "Pending")
}

// A job does not go before the history has its deletion, also where the history refuses that one alone.
func TestStaysUntilItsDeletionIsRecorded(t *testing.T) {
	f := newFixture(t)
	exec := f.database()
	exec("ALTER TABLE transitions ADD CONSTRAINT refused CHECK (phase <> 'Deleted')")
	job := f.create("train")
	r, stop := f.start()
	defer stop()
	f.delete(job)
	f.advance(job, platform.JobCancelled)
	f.eventuallyPhases("train", "Pending Cancelled")
	f.eventually("the deletion waits", func(context.Context) bool { return r.Health().Backlog == 1 })
	if err := f.client.Get(t.Context(), client.ObjectKeyFromObject(job), job); err != nil {
		t.Fatalf("the job went before its deletion was recorded: %v", err)
	}
	exec("ALTER TABLE transitions DROP CONSTRAINT refused")
	f.eventuallyPhases("train", "Pending Cancelled Deleted")
}

func TestLostDatabaseIsFilledAgain(t *testing.T) {
	f := newFixture(t)
	_, stop := f.start()
	defer stop()
	f.create("quiet")
	job := f.create("busy")
	f.eventuallyPhases("quiet", "Pending")
	f.eventuallyPhases("busy", "Pending")
	connection, err := pgx.Connect(t.Context(), f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(context.Background()) }()
	if _, err := connection.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	f.advance(job, platform.JobRunning)
	f.eventuallyPhases("busy", "Pending Running")
	f.eventuallyPhases("quiet", "Pending")
}
