package cluster

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestWhatJobsSayIsLookedAtWhenItChanges(t *testing.T) {
	silent := jobOf("silent", "ada", attempt("a", v1alpha1.JobReasonError, 5))
	speaking := jobOf("speaking", "ada", attempt("a", v1alpha1.JobReasonGPULost, 5))
	held := silent.DeepCopy()
	held.Status.Reservation = &v1alpha1.Reservation{}
	tests := map[string]struct {
		happens func(*witnesses) bool
		want    bool
	}{
		"a job comes that failed": {func(w *witnesses) bool { return w.changes().Create(event.CreateEvent{Object: &silent}) }, false},
		"a job comes that speaks": {func(w *witnesses) bool { return w.changes().Create(event.CreateEvent{Object: &speaking}) }, true},
		"a job goes that spoke":   {func(w *witnesses) bool { return w.changes().Delete(event.DeleteEvent{Object: &speaking}) }, true},
		"an attempt ends that speaks": {func(w *witnesses) bool {
			return w.changes().Update(event.UpdateEvent{ObjectOld: held, ObjectNew: &speaking})
		}, true},
		"an attempt ends that does not": {func(w *witnesses) bool {
			return w.changes().Update(event.UpdateEvent{ObjectOld: held, ObjectNew: &silent})
		}, false},
		"something else of one that spoke before": {func(w *witnesses) bool {
			return w.changes().Update(event.UpdateEvent{ObjectOld: &speaking, ObjectNew: &speaking})
		}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := &witnesses{}
			w.known.Store(true)
			if got := tc.happens(w); got != tc.want || w.known.Load() == tc.want {
				t.Errorf("lets it through: %t, still knows: %t; want %t", got, w.known.Load(), tc.want)
			}
		})
	}
}
