package access

import (
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accessv1 "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

const (
	// UserPrefix before a user's name is who Kubernetes takes the user for: what has the prefix is Soma's to name, so that no
	// user of ours is taken for one whom the cluster knows otherwise.
	UserPrefix = "soma:"
	// UsersGroup is the group of all users who are not disabled.
	UsersGroup = "soma:users"
	// SelfGroup is a group in which the gateway puts whoever changes their own User. RBAC lets it change users; admission lets it
	// change what everybody says of themselves.
	SelfGroup = "soma:self"

	// prefix is that of the names of all that is compiled.
	prefix = "soma:"
)

// CompiledRole is a role of Kubernetes and the users who are bound to it. Its name is that of the binding as well.
type CompiledRole struct {
	Name string
	// Rules of the role. There are none where a cluster role of the installation is bound.
	Rules []rbacv1.PolicyRule
	// Users are names of Soma's users, in order; Everyone stands for all of them.
	Users    []string
	Everyone bool
}

// Compiled is what users may do, as RBAC says it: in the namespace of a project, and in no namespace. Both are in the order
// of names.
type Compiled struct {
	Namespaced, Cluster []CompiledRole
}

// bundle is what comes together so often that one binding gives it.
type bundle struct {
	name   string
	levels map[Scheme]Level
	share  bool
}

// bundles are tried in this order: the first that a user has all of is bound, and what is beyond it by itself.
var bundles = []bundle{
	{name: prefix + "project-manager", levels: map[Scheme]Level{Job: Write, Secret: Write, Project: Read}, share: true},
	{name: prefix + "project-writer", levels: map[Scheme]Level{Job: Write, Secret: Write, Project: Read}},
	{name: prefix + "project-reader", levels: map[Scheme]Level{Job: Read, Project: Read}},
}

// shareName is the cluster role of who may make grants in a project.
const shareName = prefix + "share"

// schemeName is the cluster role for a level on all of a scheme in a project.
func schemeName(scheme Scheme, level Level) string {
	return prefix + string(scheme) + "-" + string(level.Action())
}

// ClusterRoles are those that the bindings in projects refer to. They are part of the installation.
func ClusterRoles() []rbacv1.ClusterRole {
	var roles []rbacv1.ClusterRole
	add := func(name string, rules []rbacv1.PolicyRule) {
		roles = append(roles, rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
			ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules,
		})
	}
	for _, b := range bundles {
		var rules []rbacv1.PolicyRule
		for _, scheme := range ProjectSchemes {
			rules = append(rules, ProjectRules(scheme, b.levels[scheme])...)
		}
		if b.share {
			rules = append(rules, ShareRules()...)
		}
		add(b.name, rules)
	}
	for _, scheme := range ProjectSchemes {
		for _, level := range []Level{Read, Write} {
			if rules := ProjectRules(scheme, level); len(rules) > len(ProjectRules(scheme, level-1)) {
				add(schemeName(scheme, level), rules)
			}
		}
	}
	add(shareName, ShareRules())
	return roles
}

// collection gathers users by the role that they are bound to.
type collection map[string]*CompiledRole

func (c collection) add(user, name string, rules []rbacv1.PolicyRule) {
	if c[name] == nil {
		c[name] = &CompiledRole{Name: name, Rules: rules}
	}
	c[name].Users = append(c[name].Users, user)
}

func (c collection) sorted() []CompiledRole {
	roles := make([]CompiledRole, 0, len(c))
	for _, name := range slices.Sorted(maps.Keys(c)) {
		role := *c[name]
		slices.Sort(role.Users)
		role.Users = slices.Compact(role.Users)
		roles = append(roles, role)
	}
	return roles
}

// CompileProject finds what the members of a project may do in it. The function names the pods of a job that the job has, or
// had and are there still.
func (m *Membership) CompileProject(name string, pods func(job string) []string) Compiled {
	facts, found := m.directory.projects[name]
	if !found {
		return Compiled{}
	}
	namespaced, cluster := collection{}, collection{}
	for _, user := range m.Members(name) {
		tree := m.Tree(user)
		base := m.bindScheme(namespaced, user, tree, facts.Organization, name)
		for _, scheme := range []Scheme{Job, Secret} {
			for object, level := range tree.Below(In(scheme, Home, facts.Organization, name)) {
				if level = min(level, Write); level <= base[scheme] {
					continue
				}
				if rules := ObjectRules(scheme, level, object, podsOf(scheme, object, pods)); len(rules) > 0 {
					namespaced.add(user, schemeName(scheme, level)+":"+object, rules)
				}
			}
		}
		see := NamedRules(Project, List, name)
		if slices.ContainsFunc(facts.Quotas, func(quota string) bool { return !tree.Allows(Named(Quota, quota), Read) }) {
			// Who has a single thing in it.
			cluster.add(user, prefix+"project:"+name+":list", see)
		} else {
			cluster.add(user, prefix+"project:"+name, slices.Concat(see, NamedRules(Quota, Read, facts.Quotas...)))
		}
		if level := base[Project]; level >= Write {
			cluster.add(user, prefix+"project:"+name+":"+string(level.Action()), NamedRules(Project, level, name))
		}
	}
	return Compiled{Namespaced: namespaced.sorted(), Cluster: cluster.sorted()}
}

func podsOf(scheme Scheme, job string, pods func(string) []string) []string {
	if scheme != Job || pods == nil {
		return nil
	}
	return pods(job)
}

// bindScheme binds a user to what they may do with all of a scheme in a project, by as few bindings as there can be, and
// returns the levels.
func (m *Membership) bindScheme(into collection, user string, tree *Tree, organization, project string) map[Scheme]Level {
	has := map[Scheme]Level{}
	share := false
	for _, scheme := range InProjects {
		target := In(scheme, Home, organization, project)
		has[scheme] = tree.Level(target)
		share = share || tree.Most(target) == Manage || scheme == Project && has[scheme] >= Write
	}
	covered := bundle{}
	for _, b := range bundles {
		if b.within(has, share) {
			covered = b
			into.add(user, b.name, nil)
			break
		}
	}
	for _, scheme := range ProjectSchemes {
		level := min(has[scheme], Write)
		for level > None && len(ProjectRules(scheme, level)) == len(ProjectRules(scheme, level-1)) {
			level--
		}
		if level > covered.levels[scheme] {
			into.add(user, schemeName(scheme, level), nil)
		}
	}
	if share && !covered.share {
		into.add(user, shareName, nil)
	}
	return has
}

// within reports whether somebody has all of the bundle.
func (b bundle) within(has map[Scheme]Level, share bool) bool {
	if b.share && !share {
		return false
	}
	for scheme, level := range b.levels {
		if has[scheme] < level {
			return false
		}
	}
	return true
}

// CompilePlatform finds what users may do with what lies in no project: clusters, quotas, users, roles and projects as such.
// What all may do is bound to their group, but for looking at oneself: that is the gateway's to show, as it would take a
// role for each user.
func (m *Membership) CompilePlatform() []CompiledRole {
	roles := collection{}
	for user, outside := range m.outside {
		for name, rules := range outside {
			roles.add(user, name, rules)
		}
	}
	everyone := CompiledRole{Name: prefix + "everyone", Everyone: true, Rules: []rbacv1.PolicyRule{
		// Whose service accounts they may make, admission decides.
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"users"}, Verbs: []string{"create"}},
		// What they may do, and in what is theirs others. They are answered alone what they may know.
		{APIGroups: []string{accessv1.GroupName}, Resources: accessv1.Resources(), Verbs: []string{"create"}},
	}}
	all := platformRules(m.directory.ofEveryone(), true)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		everyone.Rules = append(everyone.Rules, all[name]...)
	}
	return append(roles.sorted(), everyone)
}

// platformRules are what rights allow of what lies in no project, by the name of the role for it: those that everyone has,
// or those that one has beyond. They do not depend on projects: what follows from working in one is bound with it.
func platformRules(rights []Right, ofEveryone bool) map[string][]rbacv1.PolicyRule {
	rules := map[string][]rbacv1.PolicyRule{}
	add := func(name string, of []rbacv1.PolicyRule) {
		if len(of) > 0 {
			rules[prefix+name] = of
		}
	}
	counts := func(r *Right) bool { return r.Why.Everyone == ofEveryone && r.Why.Project == "" }
	for scheme, kind := range kinds {
		level := levelOf(rights, platformRoot(scheme), counts)
		add(kind+":"+string(level.Action()), PlatformRules(scheme, level))
	}
	add("jobs:read", Everywhere(levelOf(rights, platformRoot(Job), counts)))
	for i := range rights {
		right := &rights[i]
		path := right.Target.path
		switch {
		case !counts(right), right.Why.Self && right.Target.Scheme == User:
		case slices.Contains(ByName, right.Target.Scheme) && len(path) == 1:
			level := levelOf(rights, right.Target, counts)
			add(strings.Join([]string{string(right.Target.Scheme), path[0], string(level.Action())}, ":"), NamedRules(right.Target.Scheme, level, path[0]))
		case right.Target.Scheme == Project && len(path) == 2 && right.Level == Manage:
			// Of which organization, admission decides.
			add("projects:create", []rbacv1.PolicyRule{
				{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"projects"}, Verbs: []string{"create"}},
			})
		}
	}
	return rules
}

// platformRoot is the target for all of a kind: of those that lie in projects, all that are addressed under the platform's
// own cluster.
func platformRoot(scheme Scheme) Target {
	if slices.Contains(InProjects, scheme) {
		return Target{Scheme: scheme, path: []string{Home}}
	}
	return Root(scheme)
}

// levelOf is the most that those of the rights allow at a target that a function picks, without what is only on the way.
func levelOf(rights []Right, target Target, pick func(*Right) bool) Level {
	level := None
	for i := range rights {
		if rights[i].Target.covers(target) && pick(&rights[i]) {
			level = max(level, rights[i].Level)
		}
	}
	return level
}

// Subjects are those whom Kubernetes may take a user for: by the name that the gateway gives, and by the identities that an
// API server finds in a token itself, in the form that it gives them by default.
func (d *Directory) Subjects(user string) []rbacv1.Subject {
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: UserPrefix + user}}
	if found := d.users[user]; found != nil {
		for _, identity := range found.Spec.Identities {
			if owner, one := d.ByIdentity(identity); one && owner == user {
				subjects = append(subjects, rbacv1.Subject{
					Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: identity.Issuer + "#" + identity.Subject,
				})
			}
		}
	}
	return subjects
}

// ByUsername is the name of the user whom Kubernetes calls by a name, and whether it is one of ours.
func (d *Directory) ByUsername(username string) (string, bool) {
	if name, ours := strings.CutPrefix(username, UserPrefix); ours {
		return name, true
	}
	issuer, subject, found := strings.Cut(username, "#")
	if !found {
		return "", false
	}
	return d.ByIdentity(v1alpha1.Identity{Issuer: issuer, Subject: subject})
}
