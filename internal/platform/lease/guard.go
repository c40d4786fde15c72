// Package lease lets one of several managers lead, and keeps one whose lease is over from writing.
//
// Leader election alone does not: a leader that was paused for longer than its lease, since its process was stopped or its
// machine was frozen, goes on where it was, and tries to renew the lease for a while before it ends. A Guard lets a write out
// only while the lease, as it was renewed last, is valid, and lets none be under way for longer.
//
// What it cannot bound is how long the network keeps a packet, and a pause between its look at the clock and the sending.
// Where even that must do no harm, see package fencing.
package lease

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
)

// ErrOver is why a write was not sent, or was given up.
var ErrOver = errors.New("the lease by which this process leads was not renewed in time, and another may lead: what is left to do is done by the one that does")

// Guard knows for how long this process may write. It is safe for use by several goroutines.
type Guard struct {
	// Clock tells the time.
	Clock clock.PassiveClock

	mutex sync.Mutex
	// renewed is when the last renewal that succeeded was about to be sent, and lasts how long it may be relied on; term is that
	// of the lease.
	renewed time.Time
	lasts   time.Duration
	term    uint32
}

// Watch is a lock that tells the guard how it fares. The guard lets nothing through until it is held.
func (g *Guard) Watch(lock resourcelock.Interface) resourcelock.Interface { return &watched{lock, g} }

// Wrap is a way to an API server on which no write is sent without a valid lease. What reads always passes.
func (g *Guard) Wrap(next http.RoundTripper) http.RoundTripper { return &guarded{next, g} }

// Term is the term in which this process leads, and whether it still may write. Each leader has a later term than the one
// before, as long as the lease itself is not removed: what stands outside of Kubernetes can refuse what an earlier one writes.
func (g *Guard) Term() (term uint32, writes bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.term, g.leftNow() > 0
}

// hold starts a lease of so long at the time. Its last fifth is kept free of writes, for what two clocks may differ and for
// what is on its way still.
func (g *Guard) hold(since time.Time, duration time.Duration, term int) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.renewed, g.lasts, g.term = since, duration*4/5, uint32(term) //nolint:gosec // how often the lease changed hands
}

// left is for how long writes may be under way, zero or less where there may be none. A monotonic clock may stand while a
// machine sleeps, and one that tells the time of day may be set back: the one that went further counts.
func (g *Guard) left() time.Duration {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.leftNow()
}

func (g *Guard) leftNow() time.Duration {
	now := g.Clock.Now()
	return g.lasts - max(now.Sub(g.renewed), now.Round(0).Sub(g.renewed.Round(0)))
}

// watched is a lock of which the guard knows.
type watched struct {
	resourcelock.Interface
	guard *Guard
}

// Get reads who holds the lease. Where that is somebody else, or nobody, this process does not.
func (w *watched) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := w.Interface.Get(ctx)
	if apierrors.IsNotFound(err) || err == nil && record.HolderIdentity != w.Identity() {
		w.guard.hold(time.Time{}, 0, 0)
	}
	return record, raw, err
}

// Create takes a lease that did not exist.
func (w *watched) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return w.write(record, func() error { return w.Interface.Create(ctx, record) })
}

// Update takes, renews or releases the lease.
func (w *watched) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return w.write(record, func() error { return w.Interface.Update(ctx, record) })
}

func (w *watched) write(record resourcelock.LeaderElectionRecord, send func() error) error {
	if record.HolderIdentity != w.Identity() {
		w.guard.hold(time.Time{}, 0, 0) // whatever becomes of it, another may lead from now on
		return send()
	}
	// The others count from when they see it, which is later.
	since := w.guard.Clock.Now()
	err := send()
	if err == nil {
		w.guard.hold(since, time.Duration(record.LeaseDurationSeconds)*time.Second, record.LeaderTransitions)
	}
	return err
}

// guarded is a way to an API server.
type guarded struct {
	next  http.RoundTripper
	guard *Guard
}

// RoundTrip sends a request. A write has until the lease is over: then it is given up here, and, where the API server does
// not hear of that, by the API server, which is told how long it has.
func (t *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return t.next.RoundTrip(r)
	}
	left := t.guard.left()
	if left <= 0 {
		if r.Body != nil {
			_ = r.Body.Close() // nothing of it was read
		}
		return nil, fmt.Errorf("not sent: %w", ErrOver)
	}
	ctx, done := context.WithTimeout(r.Context(), left)
	bounded, address, query := r.WithContext(ctx), *r.URL, r.URL.Query()
	query.Set("timeout", left.String())
	address.RawQuery = query.Encode()
	bounded.URL = &address
	response, err := t.next.RoundTrip(bounded)
	if err != nil {
		defer done()
		if ctx.Err() != nil && r.Context().Err() == nil {
			err = fmt.Errorf("given up, and may have taken effect: %w (%w)", ErrOver, err)
		}
		return response, err
	}
	response.Body = &body{response.Body, done}
	return response, nil
}

// body is that of an answer, after which the request is done.
type body struct {
	io.ReadCloser
	done context.CancelFunc
}

// Close ends the request.
func (b *body) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}
