package authority

import (
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Granted is the revision from which on a grant is known as it is, or 0 while it is not: what was found of its project at that
// revision, or a later one, has it.
func (a *Authority) Granted(grant *v1alpha1.Grant) uint32 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	known := a.directory.Grant(grant.Namespace, grant.Name)
	if !a.synced || known == nil || known.UID != grant.UID || known.Generation < grant.Generation {
		return 0
	}
	return max(a.granted[client.ObjectKeyFromObject(grant)], 1)
}

func (a *Authority) setGrant(name, project string, object any) {
	grant, _ := object.(*v1alpha1.Grant)
	there := func() client.Object { return a.directory.Grant(project, name) }
	if a.same(grant, there, func() { a.directory.SetGrant(project, name, grant) }) {
		return
	}
	var reached []string
	change := a.changed(func() []string {
		if there := a.directory.Grant(project, name); there != nil {
			reached = append(reached, a.directory.OfGrant(there)...)
		}
		return reached
	}, func() {
		a.directory.SetGrant(project, name, grant)
		a.note(client.ObjectKey{Namespace: project, Name: name}, grant != nil)
		if grant != nil && grant.Spec.ExpiresAt != nil && (a.next.IsZero() || grant.Spec.ExpiresAt.Time.Before(a.next)) {
			a.next = grant.Spec.ExpiresAt.Time
		}
	})
	// What a grant gives lies in its project. That is told of even if nobody is concerned yet, so that the grant is known to be bound.
	change.Platform = false
	if !slices.Contains(change.Projects, project) {
		change.Projects = append(change.Projects, project)
	}
	a.tell(change)
}

// note keeps from which revision on a grant is known as it is. The caller holds the lock.
func (a *Authority) note(grant client.ObjectKey, there bool) {
	switch {
	case !there:
		delete(a.granted, grant)
	case a.synced:
		a.revision++
		a.granted[grant] = a.revision
	}
}
