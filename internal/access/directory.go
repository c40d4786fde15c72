package access

import (
	"maps"
	"slices"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// EveryoneRole is the name of the role that every user holds who is not disabled. Nobody holds more by default than it says.
const EveryoneRole = "everyone"

// ProjectFacts are what rights depend on of a project.
type ProjectFacts struct {
	// Organization that it belongs to; empty is DefaultOrganization.
	Organization string
	// Quotas are the names of its quota and of those above it: who works in the project may see them.
	Quotas []string
}

// Directory knows all users, roles, grants and projects, and finds from them who may do what. It is not safe for concurrent
// use while it is changed. The objects in it are not changed by it, and must not be by others.
type Directory struct {
	users    map[string]*v1alpha1.User
	roles    map[string]*v1alpha1.Role
	projects map[string]ProjectFacts
	grants   map[string]map[string]*v1alpha1.Grant // by project and name

	// What follows is found from the above, to be looked up.
	given      map[v1alpha1.Grantee]map[*v1alpha1.Grant]struct{}
	identities index[v1alpha1.Identity] // the users that claim it
	groups     index[string]            // the users in it
	holders    index[v1alpha1.HeldRole] // the users that hold it
	owners     index[string]            // the service accounts that somebody answers for
}

// index finds users by something of theirs.
type index[K comparable] map[K]map[string]struct{}

func (i index[K]) add(key K, user string) {
	if i[key] == nil {
		i[key] = map[string]struct{}{}
	}
	i[key][user] = struct{}{}
}

func (i index[K]) remove(key K, user string) {
	delete(i[key], user)
	if len(i[key]) == 0 {
		delete(i, key)
	}
}

// NewDirectory makes an empty directory.
func NewDirectory() *Directory {
	return &Directory{
		users: map[string]*v1alpha1.User{}, roles: map[string]*v1alpha1.Role{}, projects: map[string]ProjectFacts{},
		grants:     map[string]map[string]*v1alpha1.Grant{},
		given:      map[v1alpha1.Grantee]map[*v1alpha1.Grant]struct{}{},
		identities: index[v1alpha1.Identity]{}, groups: index[string]{}, holders: index[v1alpha1.HeldRole]{}, owners: index[string]{},
	}
}

// SetUser puts a user in place of the one of that name; nil takes it out.
func (d *Directory) SetUser(name string, user *v1alpha1.User) {
	if before := d.users[name]; before != nil {
		each(before, d.identities.remove, d.groups.remove, d.holders.remove, d.owners.remove)
	}
	if user == nil {
		delete(d.users, name)
		return
	}
	d.users[name] = user
	each(user, d.identities.add, d.groups.add, d.holders.add, d.owners.add)
}

// each calls the functions for all by which a user is found.
func each(user *v1alpha1.User, identity func(v1alpha1.Identity, string), group func(string, string), held func(v1alpha1.HeldRole, string), owner func(string, string)) {
	for _, key := range user.Spec.Identities {
		identity(key, user.Name)
	}
	for _, key := range user.Status.Groups {
		group(key, user.Name)
	}
	for _, key := range user.Spec.Roles {
		held(key, user.Name)
	}
	if user.Spec.Type == v1alpha1.UserServiceAccount {
		owner(user.Spec.Owner, user.Name)
	}
}

// SetRole puts a role in place of the one of that name; nil takes it out.
func (d *Directory) SetRole(name string, role *v1alpha1.Role) {
	if role == nil {
		delete(d.roles, name)
		return
	}
	d.roles[name] = role
}

// SetProject puts a project in place of the one of that name; nil takes it out.
func (d *Directory) SetProject(name string, project *ProjectFacts) {
	if project == nil {
		delete(d.projects, name)
		return
	}
	facts := *project
	if facts.Organization == "" {
		facts.Organization = DefaultOrganization
	}
	d.projects[name] = facts
}

// SetGrant puts a grant in place of the one of that name in the project; nil takes it out.
func (d *Directory) SetGrant(project, name string, grant *v1alpha1.Grant) {
	if before := d.grants[project][name]; before != nil {
		delete(d.given[before.Spec.To], before)
		if len(d.given[before.Spec.To]) == 0 {
			delete(d.given, before.Spec.To)
		}
		delete(d.grants[project], name)
	}
	if grant == nil {
		if len(d.grants[project]) == 0 {
			delete(d.grants, project)
		}
		return
	}
	if d.grants[project] == nil {
		d.grants[project] = map[string]*v1alpha1.Grant{}
	}
	d.grants[project][name] = grant
	if d.given[grant.Spec.To] == nil {
		d.given[grant.Spec.To] = map[*v1alpha1.Grant]struct{}{}
	}
	d.given[grant.Spec.To][grant] = struct{}{}
}

// User is the user of a name, or nil.
func (d *Directory) User(name string) *v1alpha1.User { return d.users[name] }

// Role is the role of a name, or nil.
func (d *Directory) Role(name string) *v1alpha1.Role { return d.roles[name] }

// Project is what is known of a project, and whether there is one.
func (d *Directory) Project(name string) (ProjectFacts, bool) {
	facts, found := d.projects[name]
	return facts, found
}

// Users are the names of all users, in order.
func (d *Directory) Users() []string { return slices.Sorted(maps.Keys(d.users)) }

// Projects are the names of all projects, in order.
func (d *Directory) Projects() []string { return slices.Sorted(maps.Keys(d.projects)) }

// Grant is the grant of a name in a project, or nil.
func (d *Directory) Grant(project, name string) *v1alpha1.Grant { return d.grants[project][name] }

// Accounts are the service accounts that a user answers for, in order.
func (d *Directory) Accounts(user string) []string { return slices.Sorted(maps.Keys(d.owners[user])) }

// Grants are the grants of a project, by name.
func (d *Directory) Grants(project string) []*v1alpha1.Grant {
	return slices.SortedFunc(maps.Values(d.grants[project]), byName)
}

func byName(a, b *v1alpha1.Grant) int {
	switch {
	case a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name:
		return -1
	case a.Namespace+"/"+a.Name > b.Namespace+"/"+b.Name:
		return 1
	}
	return 0
}

// ByIdentity is the name of the user who has the identity. Where several claim it, nobody has it.
func (d *Directory) ByIdentity(identity v1alpha1.Identity) (string, bool) {
	claims := d.identities[identity]
	if len(claims) != 1 {
		return "", false
	}
	for name := range claims {
		return name, true
	}
	return "", false
}

// Claimants are the names of the users who claim an identity, in order.
func (d *Directory) Claimants(identity v1alpha1.Identity) []string {
	return slices.Sorted(maps.Keys(d.identities[identity]))
}

// Active reports whether a user may do anything at all: it is there, is not being deleted and not disabled, and the same
// holds for who answers for it. An owner is a person.
func (d *Directory) Active(name string) bool {
	user := d.users[name]
	if user == nil || user.DeletionTimestamp != nil || user.IsDisabled() {
		return false
	}
	if user.Spec.Type != v1alpha1.UserServiceAccount {
		return true
	}
	owner := d.users[user.Spec.Owner]
	return owner != nil && owner.Spec.Type != v1alpha1.UserServiceAccount && d.Active(user.Spec.Owner)
}

// Tree is what a user may do at a time. Who is not active may do nothing.
func (d *Directory) Tree(name string, now time.Time) *Tree { return NewTree(d.Rights(name, now)) }

// Rights are what a user may do at a time, each with why.
func (d *Directory) Rights(name string, now time.Time) []Right {
	if !d.Active(name) {
		return nil
	}
	user := d.users[name]
	rights := d.ofEveryone()
	for _, held := range user.Spec.Roles {
		rights = append(rights, d.expand(held.Role, scope{organization: held.Organization}, Why{User: name, Organization: held.Organization})...)
	}
	for _, grant := range d.grantsFor(user) {
		rights = append(rights, d.granted(grant, now)...)
	}
	// They are kept for long, and what has grown has room left over.
	return slices.Concat(rights, d.implied(user, rights))
}

// ofEveryone are the rights of the role that everybody holds, and to see it.
func (d *Directory) ofEveryone() []Right {
	why := Why{Everyone: true}
	rights := d.expand(EveryoneRole, scope{}, why)
	held := map[string]struct{}{}
	d.include(EveryoneRole, held)
	for _, role := range slices.Sorted(maps.Keys(held)) {
		rights = append(rights, Right{Target: Named(Role, role), Level: Read, Why: why})
	}
	return rights
}

// grantsFor are the grants that reach a user: given to them, to a group of theirs, or to a role that they hold everywhere.
func (d *Directory) grantsFor(user *v1alpha1.User) []*v1alpha1.Grant {
	grantees := []v1alpha1.Grantee{{User: user.Name}}
	for _, group := range user.Status.Groups {
		grantees = append(grantees, v1alpha1.Grantee{Group: group})
	}
	for _, role := range d.holdsEverywhere(user) {
		grantees = append(grantees, v1alpha1.Grantee{Role: role})
	}
	var grants []*v1alpha1.Grant
	for _, grantee := range grantees {
		grants = slices.AppendSeq(grants, maps.Keys(d.given[grantee]))
	}
	slices.SortFunc(grants, byName)
	return grants
}

// HeldByAll reports whether everybody holds a role: everyone's own, or one that it includes.
func (d *Directory) HeldByAll(role string) bool {
	held := map[string]struct{}{}
	d.include(EveryoneRole, held)
	_, one := held[role]
	return one
}

// holdsEverywhere are the names of the roles that a user holds in no organization or project alone, included ones as well.
func (d *Directory) holdsEverywhere(user *v1alpha1.User) []string {
	held := map[string]struct{}{}
	for _, role := range user.Spec.Roles {
		if role.Organization == "" {
			d.include(role.Role, held)
		}
	}
	return slices.Sorted(maps.Keys(held))
}

// include collects a role and those that it includes. Roles that do not exist are left out, and circles end by themselves.
func (d *Directory) include(name string, into map[string]struct{}) {
	role := d.roles[name]
	if _, known := into[name]; known || role == nil {
		return
	}
	into[name] = struct{}{}
	for _, included := range role.Spec.Includes {
		d.include(included, into)
	}
}

// expand finds the rights of a role, and of those that it includes, where it is held.
func (d *Directory) expand(name string, where scope, why Why) []Right {
	var rights []Right
	seen := map[string]struct{}{}
	var visit func(name string, through []string)
	visit = func(name string, through []string) {
		role := d.roles[name]
		if _, known := seen[name]; known || role == nil {
			return
		}
		seen[name] = struct{}{}
		through = append(slices.Clip(through), name)
		for _, permission := range role.Spec.Grants {
			if target, ok := where.resolve(permission.URI); ok {
				because := why
				because.Roles = through
				rights = append(rights, Right{Target: target, Level: LevelOf(permission.Action), Why: because})
			}
		}
		for _, included := range role.Spec.Includes {
			visit(included, through)
		}
	}
	visit(name, nil)
	return rights
}

// granted are the rights of one grant at a time: none once it has ended, is being deleted, or its project is gone.
func (d *Directory) granted(grant *v1alpha1.Grant, now time.Time) []Right {
	project, found := d.projects[grant.Namespace]
	if !found || grant.DeletionTimestamp != nil || Expired(grant, now) {
		return nil
	}
	where := scope{organization: project.Organization, project: grant.Namespace}
	why := Why{Grant: grant}
	if grant.Spec.Role != "" {
		return d.expand(grant.Spec.Role, where, why)
	}
	target, ok := where.resolve(grant.Spec.URI)
	if !ok {
		return nil
	}
	return []Right{{Target: target, Level: LevelOf(grant.Spec.Action), Why: why}}
}

// Expired reports whether a grant has ended.
func Expired(grant *v1alpha1.Grant, now time.Time) bool {
	return grant.Spec.ExpiresAt != nil && !now.Before(grant.Spec.ExpiresAt.Time)
}

// implied are the rights that follow from others: one may see oneself and the roles that one holds, that the projects are there that
// one may do something in, and the quotas of those in which that is about more than a single thing.
func (d *Directory) implied(user *v1alpha1.User, rights []Right) []Right {
	implied := []Right{{Target: Named(User, user.Name), Level: Read, Why: Why{Self: true}}}
	held := map[string]struct{}{}
	for _, role := range user.Spec.Roles {
		d.include(role.Role, held)
	}
	for _, role := range slices.Sorted(maps.Keys(held)) {
		implied = append(implied, Right{Target: Named(Role, role), Level: Read, Why: Why{Self: true}})
	}
	for _, service := range d.Accounts(user.Name) {
		implied = append(implied, Right{Target: Named(User, service), Level: Manage, Why: Why{Owner: true}})
	}
	for _, name := range d.projectsOf(rights) {
		implied = append(implied, Right{Target: In(Project, Home, d.projects[name].Organization, name), Level: List, Why: Why{Project: name}})
	}
	for _, name := range d.projectsOf(slices.DeleteFunc(slices.Clone(rights), func(r Right) bool { return r.Target.Thing() != "" })) {
		for _, quota := range d.projects[name].Quotas {
			implied = append(implied, Right{Target: Named(Quota, quota), Level: Read, Why: Why{Project: name}})
		}
	}
	return implied
}

// projectsOf are the projects in which rights allow something, in order.
func (d *Directory) projectsOf(rights []Right) []string {
	found, organizations, all := map[string]struct{}{}, map[string]struct{}{}, false
	for i := range rights {
		path := rights[i].Target.path
		switch {
		case !slices.Contains(InProjects, rights[i].Target.Scheme):
		case len(path) >= inProject:
			if facts, known := d.projects[path[2]]; known && facts.Organization == path[1] {
				found[path[2]] = struct{}{}
			}
		case len(path) == 2:
			organizations[path[1]] = struct{}{}
		default:
			all = true
		}
	}
	if all || len(organizations) > 0 {
		for name, facts := range d.projects {
			if _, one := organizations[facts.Organization]; all || one {
				found[name] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
