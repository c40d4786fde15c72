package access

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	historyv1 "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// rbac decides as Kubernetes does: somebody may do what a rule of a role allows that they are bound to.
type rbac struct {
	cluster    []CompiledRole
	namespaced map[string][]CompiledRole
}

func compileAll(d *Directory) rbac {
	m := NewMembership(d)
	m.Update(noon, d.Users()...)
	all := rbac{cluster: m.CompilePlatform(), namespaced: map[string][]CompiledRole{}}
	for _, project := range d.Projects() {
		compiled := m.CompileProject(project, func(job string) []string { return []string{job + "-1-0"} })
		all.cluster = append(all.cluster, compiled.Cluster...)
		all.namespaced[project] = compiled.Namespaced
	}
	return all
}

// fixed are the rules of the cluster roles of the installation, by name.
var fixed = func() map[string][]rbacv1.PolicyRule {
	rules := map[string][]rbacv1.PolicyRule{}
	for _, role := range ClusterRoles() {
		rules[role.Name] = role.Rules
	}
	return rules
}()

// of are the rules that count for a user, by namespace; those for all namespaces stand at "".
func (r rbac) of(user string, active bool) map[string][]rbacv1.PolicyRule {
	rules := map[string][]rbacv1.PolicyRule{}
	collect := func(namespace string, roles []CompiledRole) {
		for _, role := range roles {
			if !slices.Contains(role.Users, user) && !(role.Everyone && active) {
				continue
			}
			rules[namespace] = slices.Concat(rules[namespace], role.Rules, fixed[role.Name])
		}
	}
	collect("", r.cluster)
	for namespace, roles := range r.namespaced {
		collect(namespace, roles)
	}
	return rules
}

func allows(rules map[string][]rbacv1.PolicyRule, request Request) bool {
	allowed := func(rule rbacv1.PolicyRule) bool { return matches(rule, request) }
	return slices.ContainsFunc(rules[""], allowed) || request.Namespace != "" && slices.ContainsFunc(rules[request.Namespace], allowed)
}

func matches(rule rbacv1.PolicyRule, r Request) bool {
	resource := r.Resource
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	return slices.Contains(rule.Verbs, r.Verb) && slices.Contains(rule.APIGroups, r.Group) && slices.Contains(rule.Resources, resource) &&
		(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, r.Name))
}

// requests are all that can be asked of the kinds in question: each verb, on all and on one.
func requests() []Request {
	type kind struct{ group, resource, subresource string }
	namespaced := []kind{
		{v1alpha1.GroupName, "jobs", ""}, {v1alpha1.GroupName, "jobs", "status"}, {v1alpha1.GroupName, "grants", ""},
		{historyv1.GroupName, "jobrecords", ""}, {"", "secrets", ""}, {"", "pods", ""}, {"", "pods", "log"}, {"", "pods", "exec"},
		{"", "pods", "portforward"}, {"", "pods", "attach"}, {"", "events", ""}, {"", "configmaps", ""}, {"", "serviceaccounts", "token"},
		{"rbac.authorization.k8s.io", "rolebindings", ""}, {"", "pods", "ephemeralcontainers"},
	}
	cluster := []kind{
		{v1alpha1.GroupName, "clusters", ""}, {v1alpha1.GroupName, "roles", ""}, {v1alpha1.GroupName, "users", ""},
		{v1alpha1.GroupName, "quotas", ""}, {v1alpha1.GroupName, "projects", ""}, {"", "namespaces", ""}, {"", "nodes", ""},
		{v1alpha1.GroupName, "users", "status"},
	}
	var all []Request
	for _, verb := range slices.Concat(look, change) {
		for _, k := range namespaced {
			for _, namespace := range []string{"", "vision", "robots", "loner", "kube-system"} {
				for _, name := range []string{"", "train"} {
					if name == "" == (verb == "get" || verb == "patch" || verb == "update" || verb == "delete") || verb == "create" && name != "" && k.subresource == "" ||
						verb == "deletecollection" && name != "" || namespace == "" && name != "" {
						continue
					}
					r := Request{Verb: verb, Group: k.group, Resource: k.resource, Subresource: k.subresource, Namespace: namespace, Name: name}
					if k.resource == "pods" && name != "" {
						r.Name, r.Job = name+"-1-0", name
					}
					all = append(all, r)
				}
			}
		}
		for _, k := range cluster {
			for _, name := range []string{"", "vision", "reader", "bob", "east", "acme"} {
				if name == "" == (verb == "get" || verb == "patch" || verb == "update" || verb == "delete") || (verb == "create" || verb == "deletecollection") && name != "" {
					continue
				}
				all = append(all, Request{Verb: verb, Group: k.group, Resource: k.resource, Subresource: k.subresource, Name: name})
			}
		}
	}
	return all
}

// exceptions are what RBAC cannot say as the tree does: docs/access.md has them all. Each is decided by admission, or shown by
// the gateway.
func exception(tree *Tree, user string, r Request) bool {
	switch {
	case r.Resource == "grants" && slices.Contains(slices.Concat(look, changeOne, []string{"create"}), r.Verb):
		return true // who may share anything may make grants; which, admission decides
	case r.Resource == "users" && r.Verb == "create":
		return true // service accounts of one's own
	case r.Resource == "users" && r.Name == user && slices.Contains(look, r.Verb):
		return true // oneself: the gateway shows it
	case r.Resource == "projects" && r.Verb == "create":
		return tree.Most(Root(Project)) == Manage // in which organization, admission decides
	}
	return false
}

func TestRBACIsTheTree(t *testing.T) {
	compare(t, company())
}

// Kubernetes lets do exactly what the tree does, whatever roles, users and grants there are.
func TestRBACIsTheTreeOfAnyDirectory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { compare(rt, anyDirectory(rt)) })
}

type failing interface{ Fatalf(string, ...any) }

var all = requests()

func compare(t failing, d *Directory) {
	compiled := compileAll(d)
	for _, user := range append(d.Users(), "stranger") {
		tree := d.Tree(user, noon)
		rules := compiled.of(user, d.Active(user))
		for _, request := range all {
			want := false
			if target, level, known := d.Requirement(request); known {
				want = tree.Allows(target, level)
			}
			if got := allows(rules, request); got != want && !exception(tree, user, request) {
				target, level, _ := d.Requirement(request)
				t.Fatalf("%s: %+v: RBAC %t, the tree %t (%s on %s); rights: %v", user, request, got, want, level.Action(), target, tree.Rights())
			}
		}
	}
}

func anyDirectory(rt *rapid.T) *Directory {
	d := NewDirectory()
	names := []string{"r0", "r1", "r2", "r3", EveryoneRole}
	addresses := []string{
		"job:", "job:train", "secret:", "secret:train", "project:", "job://", "job://local", "job://local/acme", "job://local/acme/vision",
		"job://local/acme/vision/train", "job://east/acme/vision", "project://local/acme", "project://", "project://local/acme/vision",
		"secret://local/default/loner/train", "storage:", "storage://local/acme/vision/data", "cluster://", "cluster://east", "user://",
		"user://bob", "role://", "role://reader", "quota://", "quota://acme",
	}
	action := rapid.SampledFrom([]string{"list", "read", "write", "manage"})
	for _, name := range names {
		var permissions []string
		for _, address := range rapid.SliceOfNDistinct(rapid.SampledFrom(addresses), 0, 3, rapid.ID[string]).Draw(rt, name+" grants") {
			permissions = append(permissions, action.Draw(rt, "action")+" "+address)
		}
		d.SetRole(name, role(name, rapid.SliceOfNDistinct(rapid.SampledFrom(names[:4]), 0, 2, rapid.ID[string]).Draw(rt, name+" includes"), permissions...))
	}
	d.SetProject("vision", &ProjectFacts{Organization: "acme", Quotas: []string{"acme"}})
	d.SetProject("robots", &ProjectFacts{Organization: "acme"})
	d.SetProject("loner", &ProjectFacts{})
	for _, name := range []string{"bob", "carol", "dave"} {
		u := user(name, nil)
		for i := range rapid.IntRange(0, 2).Draw(rt, name+" roles") {
			u.Spec.Roles = append(u.Spec.Roles, v1alpha1.HeldRole{
				Role:         rapid.SampledFrom(names).Draw(rt, fmt.Sprint(name, " role ", i)),
				Organization: rapid.SampledFrom([]string{"", "acme", "default", "none"}).Draw(rt, "organization"),
			})
		}
		if rapid.IntRange(0, 9).Draw(rt, name+" is disabled") == 0 {
			u.Spec.Disabled = new(true)
		}
		u.Status.Groups = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"ml", "ops"}), 0, 2, rapid.ID[string]).Draw(rt, name+" groups")
		d.SetUser(name, u)
	}
	for i := range rapid.IntRange(0, 4).Draw(rt, "grants") {
		spec := v1alpha1.GrantSpec{To: rapid.SampledFrom([]v1alpha1.Grantee{{User: "bob"}, {User: "carol"}, {Group: "ml"}, {Role: "r0"}, {Role: "r3"}}).Draw(rt, "to")}
		if rapid.Bool().Draw(rt, "of a role") {
			spec.Role = rapid.SampledFrom(names).Draw(rt, "role")
		} else {
			spec.URI = v1alpha1.Address(rapid.SampledFrom(addresses[:17]).Draw(rt, "uri"))
			spec.Action = v1alpha1.Action(action.Draw(rt, "action"))
		}
		name := fmt.Sprint("grant-", i)
		d.SetGrant(rapid.SampledFrom([]string{"vision", "robots", "loner", "gone"}).Draw(rt, "project"), name, nil)
		g := grant(rapid.SampledFrom([]string{"vision", "robots", "loner", "gone"}).Draw(rt, "project"), name, spec)
		d.SetGrant(g.Namespace, name, g)
	}
	return d
}

// What is found anew for those whom a change can concern is what is found anew for all.
// Who comes to an API server with a token of the identity provider is not in the group to which it is bound what everybody may: the role
// can be bound to them by name.
func TestEveryoneCanBeHeld(t *testing.T) {
	d := NewDirectory()
	d.SetRole(EveryoneRole, &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Name: EveryoneRole}, Spec: v1alpha1.RoleSpec{
		Grants: []v1alpha1.Permission{{URI: "cluster://", Action: v1alpha1.ActionRead}},
	}})
	for name, roles := range map[string][]v1alpha1.HeldRole{"ann": {{Role: EveryoneRole}}, "ben": nil} {
		d.SetUser(name, &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.UserSpec{Roles: roles}})
	}
	for name, want := range map[string]bool{"ann": true, "ben": false} {
		bound := slices.ContainsFunc(compileAll(d).cluster, func(role CompiledRole) bool {
			return slices.Contains(role.Users, name) && slices.ContainsFunc(role.Rules, func(rule rbacv1.PolicyRule) bool {
				return slices.Contains(rule.Resources, "clusters") && slices.Contains(rule.Verbs, "list") && rule.ResourceNames == nil
			})
		})
		if bound != want {
			t.Errorf("%s: bound by name to look at clusters: %t, want %t", name, bound, want)
		}
	}
}

func TestMembershipFollowsChanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d, other := anyDirectory(rt), anyDirectory(rt)
		m := NewMembership(d)
		m.Update(noon, d.Users()...)
		for range rapid.IntRange(1, 4).Draw(rt, "changes") {
			var concerned []string
			switch rapid.IntRange(0, 3).Draw(rt, "what changes") {
			case 0:
				name := rapid.SampledFrom(other.Users()).Draw(rt, "user")
				concerned = d.OfUser(name)
				d.SetUser(name, other.User(name))
				concerned = append(concerned, d.OfUser(name)...)
			case 1:
				name := rapid.SampledFrom(slices.Sorted(maps.Keys(other.roles))).Draw(rt, "role")
				concerned = d.OfRole(name)
				d.SetRole(name, other.Role(name))
				concerned = append(concerned, d.OfRole(name)...)
			case 2:
				project := rapid.SampledFrom([]string{"vision", "robots", "loner"}).Draw(rt, "project")
				for _, g := range d.Grants(project) {
					concerned = append(concerned, d.OfGrant(g)...)
					d.SetGrant(project, g.Name, nil)
				}
				for _, g := range other.Grants(project) {
					d.SetGrant(project, g.Name, g)
					concerned = append(concerned, d.OfGrant(g)...)
				}
			case 3:
				name := rapid.SampledFrom([]string{"vision", "new"}).Draw(rt, "project")
				concerned = m.OfProject(name, "acme")
				d.SetProject(name, &ProjectFacts{Organization: "default"})
				concerned = append(concerned, m.OfProject(name, "default")...)
			}
			m.Update(noon, concerned...)
		}
		fresh := NewMembership(d)
		fresh.Update(noon, d.Users()...)
		for _, project := range d.Projects() {
			if got, want := m.Members(project), fresh.Members(project); !slices.Equal(got, want) {
				rt.Fatalf("members of %s: %v, want %v", project, got, want)
			}
		}
		for _, name := range d.Users() {
			if got, want := fmt.Sprint(m.Tree(name).Rights()), fmt.Sprint(fresh.Tree(name).Rights()); got != want {
				rt.Fatalf("%s: %s, want %s", name, got, want)
			}
		}
	})
}
