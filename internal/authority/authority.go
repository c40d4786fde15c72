// Package authority keeps what internal/access decides from current: it follows users, roles, grants, projects and quotas, and
// answers from memory. Whoever decides about access in a process has one of it.
package authority

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

const (
	// maxQuotaDepth bounds how far up the tree of quotas is gone: one that leads in a circle ends.
	maxQuotaDepth = 16
	// tickInterval is how late it may be noticed that a grant ended.
	tickInterval = 200 * time.Millisecond
)

// Change is what may have changed of rights.
type Change struct {
	// Users whose rights may not be what they were, in order.
	Users []string
	// Projects that the users may or could do something in, in order.
	Projects []string
	// Roles that came, changed or went.
	Roles []string
	// Platform is true where what is allowed outside projects, or to everybody, may have changed.
	Platform bool
}

// Authority answers who may do what. It is safe for concurrent use, and answers nothing but no until it is synced.
type Authority struct {
	clock clock.WithTicker

	mu         sync.RWMutex
	directory  *access.Directory
	membership *access.Membership
	quotas     map[string]string // the parent of a quota
	projects   map[string]*v1alpha1.Project
	synced     bool
	// revision counts the changes of what anybody may do: 0 while nothing is known.
	revision uint32
	// granted is the revision from which on a grant is known as it is, by project and name, for those that came or changed since it is synced.
	granted map[client.ObjectKey]uint32
	// next is when the next grant ends, or before: zero where none does.
	next time.Time

	telling   sync.Mutex // held while listeners are told, so that they are one after the other
	listeners []func(Change)
}

// New makes an authority that knows nobody yet.
func New(clk clock.WithTicker) *Authority {
	d := access.NewDirectory()
	return &Authority{
		clock: clk, directory: d, membership: access.NewMembership(d),
		quotas: map[string]string{}, projects: map[string]*v1alpha1.Project{}, granted: map[client.ObjectKey]uint32{},
	}
}

// Listen has a function told of every change from now on, of many at once where they come together, and one after the
// other. It must not block.
func (a *Authority) Listen(listener func(Change)) {
	a.telling.Lock()
	defer a.telling.Unlock()
	a.listeners = append(a.listeners, listener)
}

// Follow begins to follow the objects of a cache, which the caller starts.
func (a *Authority) Follow(ctx context.Context, objects cache.Informers) ([]toolscache.InformerSynced, error) {
	var synced []toolscache.InformerSynced
	for _, follow := range []struct {
		object client.Object
		set    func(name string, namespace string, object any)
	}{
		{&v1alpha1.Quota{}, a.setQuota}, {&v1alpha1.Project{}, a.setProject}, {&v1alpha1.Role{}, a.setRole},
		{&v1alpha1.User{}, a.setUser}, {&v1alpha1.Grant{}, a.setGrant},
	} {
		informer, err := objects.GetInformer(ctx, follow.object, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("follow %T: %w", follow.object, err)
		}
		set := func(object any, there bool) {
			if tombstone, gone := object.(toolscache.DeletedFinalStateUnknown); gone {
				object = tombstone.Obj
			}
			named, ok := object.(client.Object)
			if !ok {
				return
			}
			if !there {
				object = nil
			}
			follow.set(named.GetName(), named.GetNamespace(), object)
		}
		registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { set(object, true) },
			UpdateFunc: func(_, object any) { set(object, true) },
			DeleteFunc: func(object any) { set(object, false) },
		})
		if err != nil {
			return nil, fmt.Errorf("follow %T: %w", follow.object, err)
		}
		synced = append(synced, registration.HasSynced)
	}
	return synced, nil
}

// Start waits until everything is known, finds what everybody may do, and from then on answers. Whatever ends is taken note
// of when it does. It returns when the context ends.
func (a *Authority) Start(ctx context.Context, synced []toolscache.InformerSynced) error {
	ticker := a.clock.NewTicker(tickInterval)
	defer ticker.Stop()
	return a.run(ctx, synced, ticker.C())
}

// run is Start, with what makes it look at the clock.
func (a *Authority) run(ctx context.Context, synced []toolscache.InformerSynced, tick <-chan time.Time) error {
	if !toolscache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil
	}
	// What ends while it is found out must be noticed.
	last := a.clock.Now()
	a.mu.Lock()
	a.synced = true
	a.revision++
	change := a.update(a.directory.Users())
	// Where nobody may do anything any more, that is news as well.
	change.Projects, change.Platform = a.directory.Projects(), true
	a.next, _ = a.directory.NextExpiry(time.Time{})
	a.mu.Unlock()
	a.tell(change)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
			now := a.clock.Now()
			a.expire(last, now)
			last = now
		}
	}
}

// expire takes note of the grants that ended in between.
func (a *Authority) expire(after, until time.Time) {
	a.mu.Lock()
	if a.next.IsZero() || until.Before(a.next) {
		a.mu.Unlock()
		return
	}
	var users []string
	for _, project := range a.directory.Projects() {
		for _, grant := range a.directory.Grants(project) {
			if access.Expired(grant, until) && !access.Expired(grant, after) {
				users = append(users, a.directory.OfGrant(grant)...)
			}
		}
	}
	change := a.update(users)
	change.Platform = false
	a.next, _ = a.directory.NextExpiry(until)
	a.mu.Unlock()
	a.tell(change)
}

// Synced reports whether everything is known.
func (a *Authority) Synced() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.synced
}

// Tree is what a user may do now. Before the authority is synced nobody may do anything.
func (a *Authority) Tree(user string) *access.Tree {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if !a.synced {
		return &access.Tree{}
	}
	return a.membership.Tree(user)
}

// Rights is what a user may do now, and the revision of what is known that this is from: it grows with every change of what
// anybody may do, and is 0 before the authority is synced.
func (a *Authority) Rights(user string) (tree *access.Tree, revision uint32) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if !a.synced {
		return &access.Tree{}, 0
	}
	return a.membership.Tree(user), a.revision
}

// Revision is that of what is known now: 0 before the authority is synced.
func (a *Authority) Revision() uint32 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.revision
}

// View lets a function look at everything, while nothing changes. It must not keep any of it.
func (a *Authority) View(look func(d *access.Directory, m *access.Membership, now time.Time)) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	look(a.directory, a.membership, a.clock.Now())
}

// update finds the rights of users anew, if it is time to. The caller holds the lock.
func (a *Authority) update(users []string) Change {
	if !a.synced || len(users) == 0 {
		return Change{}
	}
	slices.Sort(users)
	users = slices.Compact(users)
	a.revision++
	return Change{Users: users, Projects: a.membership.Update(a.clock.Now(), users...), Platform: true}
}

// tell tells of a change. Before everything is known there is nothing to tell.
func (a *Authority) tell(change Change) {
	if !a.Synced() || len(change.Users) == 0 && len(change.Projects) == 0 && len(change.Roles) == 0 && !change.Platform {
		return
	}
	a.telling.Lock()
	defer a.telling.Unlock()
	for _, listener := range a.listeners {
		listener(change)
	}
}

// changed does one change and tells of it: concerned finds who is concerned, before and after.
func (a *Authority) changed(concerned func() []string, change func()) Change {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.synced {
		change()
		return Change{}
	}
	users := concerned()
	change()
	return a.update(append(users, concerned()...))
}

func (a *Authority) setUser(name, _ string, object any) {
	user, _ := object.(*v1alpha1.User)
	there := func() client.Object { return a.directory.User(name) }
	sameGroups := user != nil && a.inGroups(name, user.Status.Groups)
	if sameGroups && a.same(user, there, func() { a.directory.SetUser(name, user) }) {
		return
	}
	a.tell(a.changed(func() []string { return a.directory.OfUser(name) }, func() { a.directory.SetUser(name, user) }))
}

// inGroups reports whether a user is in these groups as far as is known.
func (a *Authority) inGroups(name string, groups []string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	before := a.directory.User(name)
	return before != nil && slices.Equal(before.Status.Groups, groups)
}

// same puts an object in place of one of which only the status differs, and reports whether that was so.
func (a *Authority) same(object client.Object, there func() client.Object, put func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := there()
	if isNil(object) || isNil(before) || before.GetUID() != object.GetUID() || before.GetGeneration() != object.GetGeneration() ||
		before.GetDeletionTimestamp().IsZero() != object.GetDeletionTimestamp().IsZero() {
		return false
	}
	put()
	return true
}

// isNil reports whether there is no object, or one of a type and nothing of it.
func isNil(object client.Object) bool { return object == nil || reflect.ValueOf(object).IsNil() }

func (a *Authority) setRole(name, _ string, object any) {
	role, _ := object.(*v1alpha1.Role)
	if a.same(role, func() client.Object { return a.directory.Role(name) }, func() { a.directory.SetRole(name, role) }) {
		return
	}
	change := a.changed(func() []string { return a.directory.OfRole(name) }, func() { a.directory.SetRole(name, role) })
	change.Platform = change.Platform || name == access.EveryoneRole
	change.Roles = []string{name}
	a.tell(change)
}

func (a *Authority) setProject(name, _ string, object any) {
	project, _ := object.(*v1alpha1.Project)
	a.mu.RLock()
	before := a.projects[name]
	a.mu.RUnlock()
	if before != nil && project != nil && before.Spec.Organization == project.Spec.Organization && before.Spec.Quota == project.Spec.Quota {
		return
	}
	var concerned []string
	change := a.changed(func() []string {
		facts, _ := a.directory.Project(name)
		concerned = append(concerned, a.membership.OfProject(name, facts.Organization)...)
		return concerned
	}, func() { a.putProject(name, project) })
	// Its bindings are made even if nobody is concerned yet, and taken away when it goes.
	change.Projects = append(change.Projects, name)
	a.tell(change)
}

// putProject keeps what rights depend on of a project. The caller holds the lock.
func (a *Authority) putProject(name string, project *v1alpha1.Project) {
	if project == nil {
		delete(a.projects, name)
		a.directory.SetProject(name, nil)
		return
	}
	a.projects[name] = project
	facts := access.ProjectFacts{Organization: project.Spec.Organization}
	for quota, depth := project.Spec.Quota, 0; quota != "" && depth < maxQuotaDepth; depth++ {
		if slices.Contains(facts.Quotas, quota) {
			break
		}
		facts.Quotas = append(facts.Quotas, quota)
		quota = a.quotas[quota]
	}
	a.directory.SetProject(name, &facts)
}

// setQuota follows where a quota is in the tree: who works in a project may see those above its own.
func (a *Authority) setQuota(name, _ string, object any) {
	quota, _ := object.(*v1alpha1.Quota)
	parent := ""
	if quota != nil {
		parent = quota.Spec.Parent
	}
	a.mu.Lock()
	before, known := a.quotas[name]
	if quota == nil {
		delete(a.quotas, name)
	} else {
		a.quotas[name] = parent
	}
	if known && before == parent && quota != nil {
		a.mu.Unlock()
		return
	}
	var change Change
	for project, there := range a.projects {
		facts, _ := a.directory.Project(project)
		a.putProject(project, there)
		if now, _ := a.directory.Project(project); !slices.Equal(facts.Quotas, now.Quotas) {
			one := a.update(a.membership.OfProject(project, facts.Organization))
			change.Users = append(change.Users, one.Users...)
			change.Projects = append(append(change.Projects, one.Projects...), project)
			change.Platform = change.Platform || one.Platform
		}
	}
	a.mu.Unlock()
	a.tell(change)
}
