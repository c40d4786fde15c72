package access

import (
	"maps"
	"slices"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Membership keeps the trees of all users, and for each project who may do something in it, so that a change costs what it
// changes. It is not safe for concurrent use.
type Membership struct {
	directory *Directory
	trees     map[string]*Tree
	projects  map[string][]string // of a user
	members   index[string]       // of a project
}

// NewMembership makes one for a directory, of which it knows nothing until users are updated.
func NewMembership(d *Directory) *Membership {
	return &Membership{directory: d, trees: map[string]*Tree{}, projects: map[string][]string{}, members: index[string]{}}
}

// Tree is what the user was last found to be allowed: the zero Tree for whom nothing is known of.
func (m *Membership) Tree(user string) *Tree {
	if tree := m.trees[user]; tree != nil {
		return tree
	}
	return &Tree{}
}

// Members are the users who may do something in a project, in order.
func (m *Membership) Members(project string) []string {
	return slices.Sorted(maps.Keys(m.members[project]))
}

// Update finds anew what users may do at a time. It returns the projects in which one of them may do something or could
// before, in order.
func (m *Membership) Update(now time.Time, users ...string) []string {
	touched := map[string]struct{}{}
	for _, user := range users {
		for _, project := range m.projects[user] {
			touched[project] = struct{}{}
			m.members.remove(project, user)
		}
		rights := m.directory.Rights(user, now)
		if len(rights) == 0 {
			delete(m.trees, user)
			delete(m.projects, user)
			continue
		}
		m.trees[user] = NewTree(rights)
		m.projects[user] = m.directory.projectsOf(rights)
		for _, project := range m.projects[user] {
			touched[project] = struct{}{}
			m.members.add(project, user)
		}
	}
	return slices.Sorted(maps.Keys(touched))
}

// OfUser are the users whose rights depend on a user: themselves and the service accounts that they answer for.
func (d *Directory) OfUser(name string) []string {
	return append([]string{name}, slices.Sorted(maps.Keys(d.owners[name]))...)
}

// OfGrant are the users whom a grant reaches: a user, those of a group, or those who hold a role everywhere.
func (d *Directory) OfGrant(grant *v1alpha1.Grant) []string {
	switch to := grant.Spec.To; {
	case to.User != "":
		return []string{to.User}
	case to.Group != "":
		return slices.Sorted(maps.Keys(d.groups[to.Group]))
	}
	found := map[string]struct{}{}
	for role := range d.including(grant.Spec.To.Role) {
		maps.Copy(found, d.holders[v1alpha1.HeldRole{Role: role}])
	}
	return slices.Sorted(maps.Keys(found))
}

// OfRole are the users who hold a role, by whatever way: everywhere, in an organization or in a project, it or one that
// includes it.
func (d *Directory) OfRole(name string) []string {
	with := d.including(name)
	if _, one := with[EveryoneRole]; one {
		return d.Users()
	}
	found := map[string]struct{}{}
	for held, users := range d.holders {
		if _, one := with[held.Role]; one {
			maps.Copy(found, users)
		}
	}
	for _, grants := range d.grants {
		for _, grant := range grants {
			if _, one := with[grant.Spec.Role]; one {
				for _, user := range d.OfGrant(grant) {
					found[user] = struct{}{}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// including are the names of the role and of all that include it.
func (d *Directory) including(name string) map[string]struct{} {
	found := map[string]struct{}{name: {}}
	for grew := true; grew; {
		grew = false
		for other, role := range d.roles {
			if _, known := found[other]; known {
				continue
			}
			for _, included := range role.Spec.Includes {
				if _, one := found[included]; one {
					found[other], grew = struct{}{}, true
					break
				}
			}
		}
	}
	return found
}

// OfProject are the users whose rights depend on a project: who may do something in it, and who hold roles in its
// organization or everywhere.
func (m *Membership) OfProject(name, organization string) []string {
	found := maps.Clone(m.members[name])
	if found == nil {
		found = map[string]struct{}{}
	}
	if organization == "" {
		organization = DefaultOrganization
	}
	for held, users := range m.directory.holders {
		if held.Organization == "" || held.Organization == organization {
			maps.Copy(found, users)
		}
	}
	for _, grant := range m.directory.grants[name] {
		for _, user := range m.directory.OfGrant(grant) {
			found[user] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// NextExpiry is when the next grant ends after a time, and whether one does.
func (d *Directory) NextExpiry(now time.Time) (next time.Time, found bool) {
	for _, grants := range d.grants {
		for _, grant := range grants {
			at := grant.Spec.ExpiresAt
			if at != nil && at.After(now) && (!found || at.Time.Before(next)) {
				next, found = at.Time, true
			}
		}
	}
	return next, found
}
