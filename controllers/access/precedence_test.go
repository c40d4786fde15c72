package access

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

func TestStatusesGiveWayToBindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Reconciler{}
		var order []string
		status := r.givingWay(func(context.Context, ctrl.Request) (ctrl.Result, error) {
			order = append(order, "status")
			return ctrl.Result{}, nil
		})
		write := func() {
			go func() { _, _ = status(t.Context(), ctrl.Request{}) }()
			synctest.Wait()
		}
		write()
		one, other := r.precedence.begin(), r.precedence.begin()
		write()
		order = append(order, "one is bound")
		one()
		synctest.Wait()
		order = append(order, "the other is bound")
		other()
		synctest.Wait()
		write()
		if want := []string{"status", "one is bound", "the other is bound", "status", "status"}; !slices.Equal(order, want) {
			t.Errorf("what happened is %q, want %q", order, want)
		}
	})
}

// Where something is bound all the time, statuses are written all the same.
func TestStatusesAreNotHeldBackForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Reconciler{}
		defer r.precedence.begin()()
		began := time.Now()
		r.precedence.giveWay(t.Context())
		if waited := time.Since(began); waited != statusPatience {
			t.Errorf("a status waited %s, want %s", waited, statusPatience)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		r.precedence.giveWay(ended)
		if waited := time.Since(began); waited != statusPatience {
			t.Error("a status is waited with after the manager's end")
		}
	})
}
