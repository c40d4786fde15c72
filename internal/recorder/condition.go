package recorder

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/patch"
)

// +kubebuilder:rbac:groups=platform.soma.dev,resources=clusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=platform.soma.dev,resources=clusters/status,verbs=patch

const (
	// lookInterval is how often the recorder looks how the history is.
	lookInterval = 2 * time.Second
	// grace is how long an outage lasts before clusters tell of it: a database that is started again is no news.
	grace = 3 * time.Second
	// renewal is the least time after which the number of objects that wait is told anew.
	renewal = time.Minute
)

// follow keeps the condition of clusters as the history is, until the context ends.
func (r *Recorder) follow(ctx context.Context) {
	ticker := r.clock.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		r.probe(ctx)
		r.tell(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
	}
}

// probe finds out whether the database is there while there is nothing to write; else writing tells more.
func (r *Recorder) probe(ctx context.Context) {
	if r.busy.Load() {
		return
	}
	// Whether it is away, the store remembers.
	err := r.store.Probe(ctx)
	if history.IsLost(err) && ctx.Err() == nil {
		if err := r.projectAgain(ctx); err != nil {
			r.log.Error(err, "Cannot write the history again, which was lost; trying until it can be")
		}
	}
}

// tell writes to clusters how the history is, where they say something else.
func (r *Recorder) tell(ctx context.Context) {
	var clusters platform.ClusterList
	// What is changed is copied.
	if err := r.cache.List(ctx, &clusters, client.UnsafeDisableDeepCopy); err != nil {
		if ctx.Err() == nil {
			r.log.Error(err, "Cannot list clusters to tell them how the history is")
		}
		return
	}
	now, health := r.clock.Now(), r.Health()
	renew := now.Sub(r.told) >= renewal
	for i := range clusters.Items {
		before := &clusters.Items[i]
		wanted := conditionOf(before.Status.Conditions, health, now, renew)
		if wanted == nil {
			continue
		}
		after := before.DeepCopy()
		conditions.Set(&after.Status.Conditions, now, *wanted)
		_, err := patch.Status(ctx, r.client, before, after)
		switch {
		case err == nil:
			r.told = now
		case apierrors.IsConflict(err), apierrors.IsNotFound(err), ctx.Err() != nil:
			// It is looked at again, or there is none to look at.
		default:
			r.log.Error(err, "Cannot tell a cluster how the history is", "cluster", before.Name)
		}
	}
}

// conditionOf is the condition that a cluster with others is to get, or nil where what it says is good enough: another number
// of waiting objects alone is told only where it is time to renew it. A cluster that nobody has looked at yet is left alone.
func conditionOf(others []metav1.Condition, health Health, now time.Time, renew bool) *metav1.Condition {
	if conditions.Get(others, platform.ConditionReady) == nil {
		return nil
	}
	before := conditions.Get(others, platform.ConditionHistoryAvailable)
	wanted := metav1.Condition{
		Type: platform.ConditionHistoryAvailable, Status: metav1.ConditionTrue,
		Reason: platform.ReasonHistoryRecording, Message: "What happens is recorded.",
	}
	since, what := time.Time{}, ""
	switch {
	case health.Away:
		since, what = health.Since, "The history is away"
		wanted.Reason = platform.ReasonHistoryAway
	case !health.Migrating.IsZero():
		since, what = health.Migrating, "The history's database is being brought up to date"
		wanted.Reason = platform.ReasonHistoryMigrating
	}
	if !since.IsZero() {
		if now.Sub(since) < grace {
			return nil
		}
		if before != nil && before.Reason == wanted.Reason && before.LastTransitionTime.Time.Before(since) {
			since = before.LastTransitionTime.Time // found by the manager before this one
		}
		wanted.Status, wanted.LastTransitionTime = metav1.ConditionFalse, metav1.NewTime(since)
		wanted.Message = fmt.Sprintf("%s since %s. Jobs go on and nothing of them is lost; %s.",
			what, since.UTC().Format(time.RFC3339), waiting(health.Backlog))
	}
	if before != nil && before.Status == wanted.Status && before.Reason == wanted.Reason && (before.Message == wanted.Message || !renew) {
		return nil
	}
	return &wanted
}

// waiting says how many objects wait to be recorded.
func waiting(objects int) string {
	switch objects {
	case 0:
		return "nothing waits to be recorded"
	case 1:
		return "1 object waits to be recorded"
	}
	return fmt.Sprintf("%d objects wait to be recorded", objects)
}
