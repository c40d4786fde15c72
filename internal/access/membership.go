package access

import (
	"maps"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Membership keeps the trees of all users, and for each project who may do something in it, so that a change costs what it
// changes. It is not safe for concurrent use.
type Membership struct {
	directory *Directory
	trees     map[string]*Tree
	projects  map[string][]string // of a user
	members   index[string]       // of a project
	// outside is what a user may do with what lies in no project, beyond what everybody may: of most, nothing.
	outside map[string]map[string][]rbacv1.PolicyRule
}

// NewMembership makes one for a directory, of which it knows nothing until users are updated.
func NewMembership(d *Directory) *Membership {
	return &Membership{
		directory: d, trees: map[string]*Tree{}, projects: map[string][]string{}, members: index[string]{},
		outside: map[string]map[string][]rbacv1.PolicyRule{},
	}
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
		delete(m.outside, user)
		rights := m.directory.Rights(user, now)
		if len(rights) == 0 {
			delete(m.trees, user)
			delete(m.projects, user)
			continue
		}
		m.trees[user] = NewTree(rights)
		if outside := platformRules(rights, false); len(outside) > 0 {
			m.outside[user] = outside
		}
		m.projects[user] = m.directory.projectsOf(rights)
		for _, project := range m.projects[user] {
			touched[project] = struct{}{}
			m.members.add(project, user)
		}
	}
	return slices.Sorted(maps.Keys(touched))
}

// OfUser are the users whose rights, or whom they are known as, depend on a user: themselves, the service accounts that they
// answer for, who answers for them, and those who claim an identity of theirs.
func (d *Directory) OfUser(name string) []string {
	found := map[string]struct{}{name: {}}
	maps.Copy(found, d.owners[name])
	if user := d.users[name]; user != nil {
		for _, identity := range user.Spec.Identities {
			maps.Copy(found, d.identities[identity])
		}
		if user.Spec.Type == v1alpha1.UserServiceAccount {
			found[user.Spec.Owner] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(found))
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

// Including are the names of the role and of all that include it, in order.
func (d *Directory) Including(name string) []string {
	return slices.Sorted(maps.Keys(d.including(name)))
}

// GivenTo are the grants that name somebody as whom they are given to, in order.
func (d *Directory) GivenTo(to v1alpha1.Grantee) []*v1alpha1.Grant {
	return slices.SortedFunc(maps.Keys(d.given[to]), byName)
}

// GrantsOf are the grants that give a role or one that includes it, and those that are given to who has it, in no order.
func (d *Directory) GrantsOf(role string) []*v1alpha1.Grant {
	with := d.including(role)
	var found []*v1alpha1.Grant
	for _, grants := range d.grants {
		for _, grant := range grants {
			_, gives := with[grant.Spec.Role]
			if gives || grant.Spec.To.Role == role {
				found = append(found, grant)
			}
		}
	}
	return found
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
// organization or everywhere; all, where what everybody may do lies in projects.
func (m *Membership) OfProject(name, organization string) []string {
	if slices.ContainsFunc(m.directory.ofEveryone(), func(r Right) bool { return slices.Contains(InProjects, r.Target.Scheme) }) {
		return m.directory.Users()
	}
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
