package access

import (
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// bound is how far the bindings of projects are, so that a grant is said to count when they have it and not before. Revisions are
// those of what the authority knows. It is safe for concurrent use.
type bound struct {
	mu       sync.Mutex
	projects map[string]progress
	// waiting are the grants that the bindings of their project do not have yet.
	waiting map[string]map[reconcile.Request]struct{}
}

// progress is how far the bindings of one project are.
type progress struct {
	// done is the revision that they are of, and tried the one that they were last written from.
	done, tried uint32
	// failure is what went wrong then.
	failure string
}

// wrote takes note that the bindings of a project were written from a revision, and what failed. It returns the grants to look at again.
func (b *bound) wrote(project string, revision uint32, failure string) []reconcile.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.projects[project]
	after := progress{done: before.done, tried: revision, failure: failure}
	if failure == "" {
		after.done = revision
	}
	if after == before {
		return nil
	}
	if b.projects == nil {
		b.projects = map[string]progress{}
	}
	b.projects[project] = after
	return b.release(project)
}

// forget takes note that there is no such project, and returns the grants to look at again.
func (b *bound) forget(project string) []reconcile.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.projects, project)
	return b.release(project)
}

// release returns the grants that wait, which do so no more. The caller holds the lock.
func (b *bound) release(project string) []reconcile.Request {
	requests := make([]reconcile.Request, 0, len(b.waiting[project]))
	for request := range b.waiting[project] {
		requests = append(requests, request)
	}
	delete(b.waiting, project)
	return requests
}

// has reports whether the bindings of a grant's project are of a revision, or of a later one. If not it says what is in the way, if
// anything is, and the grant waits.
func (b *bound) has(grant reconcile.Request, revision uint32) (has bool, failure string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.projects[grant.Namespace]
	if at.done >= revision {
		return true, ""
	}
	if b.waiting == nil {
		b.waiting = map[string]map[reconcile.Request]struct{}{}
	}
	if b.waiting[grant.Namespace] == nil {
		b.waiting[grant.Namespace] = map[reconcile.Request]struct{}{}
	}
	b.waiting[grant.Namespace][grant] = struct{}{}
	if at.tried < revision {
		return false, ""
	}
	return false, at.failure
}

// bindingsWritten has the grants of a project looked at again that waited until its bindings were written. What is settled by
// another look is neither written nor failed, and of a project that is not known yet to who decides it is told when it is.
func (r *Reconciler) bindingsWritten(name string, project *v1alpha1.Project, at place, known bool, revision uint32, w *writer) {
	switch failure := w.failure(); {
	case project == nil:
		r.grants.add(r.bound.forget(name)...)
	case failure != nil:
		r.grants.add(r.bound.wrote(name, revision, failure.Error())...)
	case at == nowhere:
		r.grants.add(r.bound.wrote(name, revision, "it has no namespace of its own")...)
	case len(w.failures) == 0 && (known || at == ending):
		r.grants.add(r.bound.wrote(name, revision, "")...)
	}
}
