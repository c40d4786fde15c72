package faults

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/internal/testing/faultproxy"
)

// led waits until somebody else than the given one leads, and returns who.
func (w *world) led(ctx context.Context, other string) (holder string, err error) {
	err = until(ctx, "a manager leads", func(ctx context.Context) error {
		lease := &coordinationv1.Lease{}
		if err := w.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: "soma-manager"}, lease); err != nil {
			return err
		}
		if lease.Spec.HolderIdentity != nil {
			holder = *lease.Spec.HolderIdentity
		}
		if holder == "" || holder == other {
			return fmt.Errorf("the lease is held by %q", holder)
		}
		return nil
	})
	return holder, err
}

// two starts two processes, of which the first leads.
func two(ctx context.Context, prepare func(p *process)) (*pair, string, error) {
	c := &pair{}
	lease := &coordinationv1.Lease{}
	lease.Namespace, lease.Name = systemNamespace, "soma-manager"
	if err := client.IgnoreNotFound(there.Delete(ctx, lease)); err != nil {
		return nil, "", err
	}
	if err := c.start(prepare); err != nil {
		return nil, "", err
	}
	leader, err := there.led(ctx, "")
	if err != nil {
		return nil, "", errors.Join(err, c.end())
	}
	if err := c.start(nil); err != nil {
		return nil, "", errors.Join(err, c.end())
	}
	return c, leader, nil
}

// The process that leads is killed at a write, and the other one leads from when the lease is over.
func TestLeaderIsKilled(t *testing.T) {
	played := undisturbed(t)
	random, seed := seed(t)
	meet(t, times(1, 12), seed, func() error {
		fault := lot(random, toServer(played.writes))
		r, err := there.play(t.Context(), func() (cast, error) {
			c, _, err := two(t.Context(), func(p *process) { p.proxy.Arm(fault, func() { p.signal(syscall.SIGKILL) }) })
			return c, err
		})
		switch {
		case err != nil:
			return fmt.Errorf("killed: %s: %w", fault, err)
		case !r.met:
			return errUnmet
		}
		return nil
	})
}

// The process that leads stops in the middle of a write, which stays under way. The other one leads and works. Then the
// first goes on where it was, and its write arrives.
func TestLeaderIsPausedPastItsLease(t *testing.T) {
	played := undisturbed(t)
	random, seed := seed(t)
	meet(t, times(1, 12), seed, func() error {
		at := lot(random, toServer(played.writes)).At
		paused := error(nil)
		_, err := there.play(t.Context(), func() (cast, error) {
			var hold *faultproxy.Hold
			var old *process
			stopped := make(chan struct{})
			c, leader, err := two(t.Context(), func(p *process) {
				old = p
				hold = p.proxy.Hold(1, func(w faultproxy.Write) bool { return w.At() == at }, func() {
					p.signal(syscall.SIGSTOP)
					close(stopped)
				})
			})
			if err != nil {
				return nil, err
			}
			over, took := make(chan struct{}), make(chan error, 1)
			c.ended = func() {
				close(over)
				hold.Release()
				paused = <-took
			}
			go func() { took <- old.superseded(t.Context(), c.all[1], leader, stopped, over, hold) }()
			return c, nil
		})
		if err == nil || !errors.Is(paused, errUnmet) {
			err = errors.Join(err, paused)
		}
		if err != nil {
			err = fmt.Errorf("paused at %s: %w", at, err)
		}
		return err
	})
}

// worked is how much the new leader does before the old one goes on.
const worked = 5

// superseded waits until the process has stopped and the other one leads and has written, and lets it go on then. Where the history was
// over before, that is errUnmet.
func (p *process) superseded(ctx context.Context, next *process, leader string, stopped, over <-chan struct{}, hold *faultproxy.Hold) error {
	select {
	case <-stopped:
	case <-over:
		return errUnmet
	}
	if _, err := there.led(ctx, leader); err != nil {
		return err
	}
	err := until(ctx, "the new leader works", func(context.Context) error {
		select {
		case <-over:
			return nil
		default:
		}
		if n := len(next.proxy.Applied()); n < worked {
			return fmt.Errorf("it has written %d times", n)
		}
		return nil
	})
	p.signal(syscall.SIGCONT)
	hold.Release()
	return err
}
