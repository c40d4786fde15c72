package scheduler

import (
	"context"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/soma-platform/soma/internal/platform/fencing"
)

// shut is a fence behind which nothing is decided yet.
type shut struct{ asked int }

func (s *shut) Ready(context.Context) (bool, error) {
	s.asked++
	return false, nil
}
func (*shut) Begin(context.Context, []fencing.Write) error { return nil }
func (*shut) Wrote(string)                                 {}
func (*shut) Doubt(fencing.Write)                          {}

// TestRoundsGoOnWhenTheClockIsSetBack: they come no closer than the pause, and do not wait for a time that was once before.
func TestRoundsGoOnWhenTheClockIsSetBack(t *testing.T) {
	now, fence := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), &shut{}
	clock := clocktesting.NewFakePassiveClock(now)
	r := &Reconciler{Clock: clock, fence: fence, view: &view{whole: now}, told: now}
	for i, step := range []struct {
		at    time.Duration
		asked int
	}{{0, 1}, {pause / 2, 1}, {pause, 2}, {-time.Hour, 3}, {-time.Hour + pause/2, 3}, {-time.Hour + pause, 4}} {
		clock.SetTime(now.Add(step.at))
		result, err := r.Reconcile(t.Context(), ctrl.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if fence.asked != step.asked || result.RequeueAfter > pause {
			t.Errorf("step %d: %d rounds, want %d; the next in %s", i, fence.asked, step.asked, result.RequeueAfter)
		}
	}
	if !r.told.IsZero() || !r.view.whole.IsZero() {
		t.Error("what was done before the clock was set back is not done again until then")
	}
}
