package scheduler

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// What a job waits since, and since when it does after it gave way, count until it runs: its start may still come to nothing.
func TestAReservationKeepsSinceWhenItWasWaitedFor(t *testing.T) {
	since, displaced := metav1.NewTime(night.Add(-5*time.Hour)), metav1.NewTime(night.Add(-9*time.Minute))
	told := platformv1.QueueStatus{Position: 3, Since: &since, Displaced: &displaced, ExpectedStart: &displaced, HeldBy: []platformv1.Holder{{Quota: "q", Jobs: 1}}}
	c := &candidate{job: &platformv1.Job{}, cluster: &platformv1.Cluster{}}
	c.job.Status.Queue = &told
	status, err := reserve(c, &scheduling.Placement{Nodes: []scheduling.Share{{Node: "n", Replicas: 1}}}, night)
	if err != nil {
		t.Fatal(err)
	}
	queue := status.Queue
	if queue == nil || !queue.Since.Equal(&since) || !queue.Displaced.Equal(&displaced) || !status.Reservation.QueuedSince.Equal(&since) {
		t.Errorf("it waits as %+v, with the reservation %+v", queue, status.Reservation)
	}
	if queue.Position != 0 || queue.ExpectedStart != nil || queue.HeldBy != nil {
		t.Errorf("it starts, and is told %+v", queue)
	}
}

// Who gives way is told for whom by name only in its own project: of another one it need not be allowed to know. The engine knows in
// either case.
func TestGivingWayNamesNoJobOfAnotherProject(t *testing.T) {
	tests := map[string]struct {
		project, displacedFor, message string
		by                             scheduling.Displacement
	}{
		"its own": {"vision", "vision/train", "gives way to job vision/train, which is of higher priority", scheduling.Displacement{}},
		"another": {"speech", "a", "gives way to a job of another project, whose quota takes back what it had lent", scheduling.Displacement{Reclaimed: true}},
		"a turn":  {"speech", "a", "gives way to a job of another project, whose turn it is", scheduling.Displacement{Turn: true}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			job := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "sweep"}}
			waited := metav1.NewTime(night.Add(-time.Hour))
			job.Status.Reservation = &platformv1.Reservation{QueuedSince: &waited}
			other := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: tc.project, Name: "train", UID: "a"}}
			jobs := toolscache.NewStore(toolscache.MetaNamespaceKeyFunc)
			if err := jobs.Add(other); err != nil {
				t.Fatal(err)
			}
			status := displace(job, tc.by, other, night)
			held := status.Reservation
			if keeps := held.QueuedSince.Equal(&waited); keeps == tc.by.Turn {
				t.Errorf("it waits since %s, as its turn is over: %t", held.QueuedSince, tc.by.Turn)
			}
			if held.DisplacedFor != tc.displacedFor || held.EndingMessage != tc.message || status.Message != tc.message {
				t.Errorf("displaced for %q, %q, %q", held.DisplacedFor, held.EndingMessage, status.Message)
			}
			if got := givesWayTo(jobs, held); got != "a" {
				t.Errorf("to the engine it gives way to %q", got)
			}
		})
	}
}
