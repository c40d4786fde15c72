package access

import (
	"slices"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// TokenExtra is the key, in the extra fields of a user of Kubernetes, below which the gateway names the tokens by which a
// service account came: it may do no more than they are made for.
const TokenExtra = v1alpha1.GroupName + "/token"

// What a change would let somebody do. Each function tells all that comes with something, so that who makes the change can
// be asked to be able to pass it: what is found here and not asked for is a way to a right that nobody gave.

// Beyond are those of the rights that are not among those had before, in their order: none that one had before covers them.
func Beyond(had, wanted []Right) []Right {
	type exact struct {
		address string
		level   Level
	}
	same := make(map[exact]struct{}, len(had))
	for i := range had {
		same[exact{had[i].Target.String(), had[i].Level}] = struct{}{}
	}
	var beyond []Right
	for i := range wanted {
		if _, one := same[exact{wanted[i].Target.String(), wanted[i].Level}]; one {
			continue
		}
		if !slices.ContainsFunc(had, func(r Right) bool { return r.Level >= wanted[i].Level && r.Target.covers(wanted[i].Target) }) {
			beyond = append(beyond, wanted[i])
		}
	}
	return beyond
}

// here stands for the organization and the project in which a role is held, wherever that will be. Nobody can write it.
const here = "*here*"

// Added is all that a role as it is given here brings, at a time, to who holds it, beyond what it brought before: what it carries,
// and what grants give to those who hold it or a role that it includes. What is relative may be brought to any project, so that it
// counts for all of them.
func (d *Directory) Added(before, after *v1alpha1.Role, now time.Time) []Right {
	added := Beyond(d.broughtBy(before, now), d.broughtBy(after, now))
	for i := range added {
		if path := added[i].Target.path; len(path) >= inProject && path[1] == here {
			added[i].Target = Root(added[i].Target.Scheme)
		}
	}
	return added
}

// broughtBy is what a role brings, with what is relative below here. It is exact: what was brought before must not look like more
// than it was.
func (d *Directory) broughtBy(role *v1alpha1.Role, now time.Time) []Right {
	roles := map[string]*v1alpha1.Role{role.Name: role}
	included := map[string]struct{}{}
	for _, name := range role.Spec.Includes {
		d.include(name, included)
	}
	for name := range included {
		if roles[name] == nil {
			roles[name] = d.roles[name]
		}
	}
	var rights []Right
	for name, each := range roles {
		for _, permission := range each.Spec.Grants {
			target, relative, err := Parse(string(permission.URI))
			if err != nil {
				continue
			}
			if relative {
				target = In(target.Scheme, "", here, here, target.path...)
			}
			rights = append(rights, Right{Target: target, Level: LevelOf(permission.Action), Why: Why{Roles: []string{name}}})
		}
		rights = append(rights, d.givenTo(v1alpha1.Grantee{Role: name}, now)...)
	}
	return rights
}

// givenTo are the rights, at a time, of all grants to somebody.
func (d *Directory) givenTo(to v1alpha1.Grantee, now time.Time) []Right {
	var rights []Right
	for grant := range d.given[to] {
		rights = append(rights, d.granted(grant, now)...)
	}
	return rights
}

// ComesWith are the rights, at a time, of a user as given here once active, without those that everybody has and those that
// follow from others by themselves.
func (d *Directory) ComesWith(user *v1alpha1.User, now time.Time) []Right {
	rights := d.HeldBy(user)
	for _, grant := range d.grantsFor(user) {
		rights = append(rights, d.granted(grant, now)...)
	}
	return rights
}

// Controls is all that falls to who has a user as given here in their hands, at a time: what the user may do, what the service
// accounts may do that the user answers for, and the secrets of those for whom the user may submit jobs.
func (d *Directory) Controls(user *v1alpha1.User, now time.Time) []Right {
	rights := d.ComesWith(user, now)
	for service := range d.owners[user.Name] {
		if service != user.Name {
			rights = append(rights, Right{Target: Named(User, service), Level: Manage, Why: Why{Owner: true}})
			rights = append(rights, d.ComesWith(d.users[service], now)...)
		}
	}
	for name, other := range d.users {
		if name == user.Name || !slices.Contains(other.Spec.Delegates, user.Name) {
			continue
		}
		for _, right := range d.ComesWith(other, now) {
			if right.Target.Scheme == Secret {
				rights = append(rights, right)
			}
		}
	}
	return rights
}

// Services is how many service accounts a user answers for.
func (d *Directory) Services(user string) int { return len(d.owners[user]) }

// Place says where a target of a scheme that lies in projects is: its cluster, organization and project, and the path there.
// It reports false for a target that is not in one project.
func (t Target) Place() (cluster, organization, project string, path []string, ok bool) {
	if !slices.Contains(InProjects, t.Scheme) || len(t.path) < inProject {
		return "", "", "", nil, false
	}
	return t.path[0], t.path[1], t.path[2], slices.Clone(t.path[inProject:]), true
}

// Segments are the parts of a target's path: for one that was read from a relative address, those within the project.
func (t Target) Segments() []string { return slices.Clone(t.path) }
