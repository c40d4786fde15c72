package access

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/soma-platform/soma/internal/access"
)

// first is about what comes first after a start: what people may do is bound before it is said in the status of users and grants
// how they stand, which is many more writes. It is safe for concurrent use.
type first struct {
	mu    sync.Mutex
	begun map[string]struct{}
	over  bool
	// bound is closed when every project has been looked at once.
	bound chan struct{}
}

func newFirst() *first { return &first{begun: map[string]struct{}{}, bound: make(chan struct{})} }

// looked takes note of a look at a project, whatever came of it, where there are so many of them. Without a name it is one at
// what lies in none.
func (f *first) looked(project string, projects func() int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	if project != "" {
		f.begun[project] = struct{}{}
	}
	if len(f.begun) >= projects() {
		f.end()
	}
}

// end lets all go on. The caller holds the lock.
func (f *first) end() {
	if !f.over {
		f.over, f.begun = true, nil
		close(f.bound)
	}
}

// wait waits until everything is bound, for as long as one reconciliation may take, and no longer.
func (f *first) wait(ctx context.Context) error {
	select {
	case <-f.bound:
		return nil
	case <-ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		f.end()
		return ctx.Err()
	}
}

// errUnknown is returned for a moment at most: a start ends with everything known.
var errUnknown = errors.New("users, roles and grants are not known yet")

// known waits until it can be said how users, roles and grants stand.
func (r *Reconciler) known(ctx context.Context) error {
	if err := r.first.wait(ctx); err != nil {
		return err
	}
	if !r.Authority.Synced() {
		return errUnknown
	}
	return nil
}

// countProjects is how many projects there are.
func (r *Reconciler) countProjects() (count int) {
	r.Authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) { count = len(d.Projects()) })
	return count
}
