package scheduler

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
