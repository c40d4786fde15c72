package access

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestStatusesGiveWayToBindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p precedence
		var order []string
		write := func() {
			go func() {
				p.giveWay(t.Context())
				order = append(order, "status")
			}()
			synctest.Wait()
		}
		write()
		one, other := p.begin(), p.begin()
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
		var p precedence
		defer p.begin()()
		began := time.Now()
		p.giveWay(t.Context())
		if waited := time.Since(began); waited != statusPatience {
			t.Errorf("a status waited %s, want %s", waited, statusPatience)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		p.giveWay(ended)
		if waited := time.Since(began); waited != statusPatience {
			t.Error("a status is waited with after the manager's end")
		}
	})
}
