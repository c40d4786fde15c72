package scheduler

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/energy"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/workload"
)

// reserve is the status of a job that starts.
func reserve(c *candidate, placement *scheduling.Placement, now time.Time) (platformv1.JobStatus, error) {
	status := *c.job.Status.DeepCopy()
	request := c.request()
	replica := request.Replica
	replica.GPUModel = placement.Model
	status.Attempt++
	reservation := &platformv1.Reservation{
		Attempt: status.Attempt,
		Time:    metav1.NewMicroTime(now),
		Quota:   c.quota,
		Cluster: c.cluster.Name,
		Pool:    placement.Pool,
		Replica: replica,
		Energy:  energy.Draws(c.cluster.Spec.Energy, c.schedule, request.PowerWatts, request.Replicas),
	}
	if prices := c.cluster.Spec.Prices; prices != nil {
		reservation.PricePerHour = accounting.PerHour(request.Price, prices, replica, request.Replicas, reservation.Energy)
		reservation.Currency = prices.Currency
	}
	for _, share := range placement.Nodes {
		reservation.Nodes = append(reservation.Nodes, platformv1.NodeShare{Node: share.Node, Replicas: int32(share.Replicas)}) //nolint:gosec // at most 256
	}
	waited := metav1.NewTime(since(c.job))
	reservation.QueuedSince = &waited
	status.Reservation = reservation
	status.Preset, status.RetryTime = request.Preset, nil
	status.Phase, status.Reason, status.Message = platformv1.JobPending, platformv1.JobReasonCreating, ""
	status.Queue = &platformv1.QueueStatus{Since: &waited, Displaced: displacedSince(c.job)}
	appended := status.Journal.Append(platformv1.Transition{
		Time: metav1.NewMicroTime(now), Phase: string(status.Phase), Reason: string(status.Reason), Attempt: status.Attempt,
	})
	if !appended {
		return status, fmt.Errorf("the journal of job %s/%s is full", c.job.Namespace, c.job.Name)
	}
	finishStatus(&status, c.job.Generation, now)
	return status, nil
}

// displace is the status of a running job that gives way to another, which it names only in its own project. Its controller ends its
// pods.
func displace(job *platformv1.Job, d scheduling.Displacement, other *platformv1.Job, now time.Time) platformv1.JobStatus {
	status := *job.Status.DeepCopy()
	why := "which is of higher priority"
	switch {
	case d.Reclaimed:
		why = "whose quota takes back what it had lent"
	case d.Turn:
		why = "whose turn it is"
	}
	named, whom := string(other.UID), "a job of another project"
	if other.Namespace == job.Namespace {
		named = other.Namespace + "/" + other.Name
		whom = "job " + named
	}
	if d.Turn { // whoever has waited until now goes before it
		status.Reservation.QueuedSince = &metav1.Time{Time: now}
	}
	status.Reservation.DisplacedFor = named
	end(&status, platformv1.JobReasonPreempted, fmt.Sprintf("gives way to %s, %s", whom, why))
	finishStatus(&status, job.Generation, now)
	return status
}

func finishStatus(status *platformv1.JobStatus, generation int64, now time.Time) {
	status.ObservedGeneration = generation
	workload.SetConditions(status, generation, now)
}

// outcome is what became of a write.
type outcome struct {
	// version is the job's after it; empty where it took no effect, or nobody knows.
	version string
	// sent reports that the API server was asked for it.
	sent bool
	err  error
}

// write commits a decision onto the very object that it was made from. One that came too late is dropped: the next round
// decides from what is there then.
func (r *Reconciler) write(ctx context.Context, job *platformv1.Job, status platformv1.JobStatus) outcome {
	changed := job.DeepCopy()
	changed.Status = status
	patch := client.MergeFromWithOptions(job, client.MergeFromWithOptimisticLock{})
	err := r.Client.Status().Patch(ctx, changed, patch)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return outcome{sent: true}
	}
	if err != nil {
		return outcome{sent: true, err: fmt.Errorf("write the decision on job %s/%s: %w", job.Namespace, job.Name, err)}
	}
	return outcome{sent: true, version: changed.ResourceVersion}
}
