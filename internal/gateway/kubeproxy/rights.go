package kubeproxy

import (
	"slices"
	"strings"
	"time"

	historyv1 "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/caller"
)

// tree is what a caller may do: what the user may, cut to what a token is for.
func (p *Proxy) tree(c *caller.Caller) *access.Tree {
	tree := p.authority.Tree(c.User)
	if c.Scope != nil {
		tree = tree.Within(c.Scope)
	}
	return tree
}

// callerAs is a request on behalf of a caller: whoever the API server asks is told what bounds their token.
func callerAs(c *caller.Caller) onBehalf {
	as := onBehalf{user: c.User}
	if c.Scope != nil {
		as.token = c.TokenID
	}
	return as
}

// requirement is what somebody must be allowed for a request, and whether Soma knows.
func (p *Proxy) requirement(r access.Request) (target access.Target, level access.Level, known bool) {
	p.authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) { target, level, known = d.Requirement(r) })
	return target, level, known
}

// free reports whether anybody who is known may make the request: what APIs there are, and questions about oneself.
func (a *attributes) free() bool {
	return !a.resource && (a.Verb == "get" || a.Verb == "head") || a.self()
}

// inScope decides whether what the caller came with is for this request. Whether the user may do it, the API server says.
func (p *Proxy) inScope(c *caller.Caller, tree *access.Tree, a *attributes, f *filter) *refusal {
	if c.Scope == nil || a.free() || f != nil || a.shares() && c.TokenID != "" {
		return nil
	}
	target, level, known := p.requirement(a.Request)
	if known && tree.Allows(target, level) {
		return nil
	}
	if p.hidden(tree, a) {
		return absent(a)
	}
	// Where the caller sees nothing, the address would tell of what there is.
	return outOfScope(a, target, level, known && p.sees(tree, a))
}

// hidden reports whether the request is about one thing that the caller may not know of. It is so as well where it does not
// exist.
func (p *Proxy) hidden(tree *access.Tree, a *attributes) bool {
	return a.Name != "" && a.Verb != "list" && a.Verb != "watch" && ours(a) && !p.sees(tree, a)
}

// sees reports whether the caller may know of what the request is about, or of the project that it would be in. In a project
// that does not exist sees only who sees all there is, and that a pod does not exist, or is of no job, who may look at all jobs.
func (p *Proxy) sees(tree *access.Tree, a *attributes) bool {
	look := a.Request
	look.Verb, look.Subresource = "get", ""
	target, level, known := p.requirement(look)
	if known && p.placed(a) && (!a.namesPod() || a.Job != "") {
		level = access.List
	}
	return known && tree.Allows(target, level)
}

// placed reports whether the project that the request is about, or lies in, exists.
func (p *Proxy) placed(a *attributes) bool {
	project := a.Namespace
	if project == "" && a.Group == v1alpha1.GroupName && a.Resource == "projects" {
		project = a.Name
	}
	exists := project == ""
	if !exists {
		p.authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) { _, exists = d.Project(project) })
	}
	return exists
}

// ours reports whether a request is about what rights of Soma's can be about.
func ours(a *attributes) bool {
	switch a.Group {
	case v1alpha1.GroupName, historyv1.GroupName:
		return a.resource
	case "":
		return a.resource && a.Namespace != "" && slices.Contains([]string{"events", "pods", "secrets"}, a.Resource)
	}
	return a.resource && a.Namespace != "" && a.Group == "events.k8s.io"
}

// filter shows of a list what a user may see, where they may not see all of it.
type filter struct {
	resource  string
	group     string
	namespace string
	scheme    access.Scheme
}

// filtered are the kinds of which the gateway shows some where RBAC, which has no filtered lists, would refuse all.
var filtered = map[string]access.Scheme{
	"clusters": access.Cluster, "jobs": access.Job, "projects": access.Project, "quotas": access.Quota, "roles": access.Role,
	"users": access.User,
}

// filterFor finds whether a request is a list or watch of which the caller may not see all.
func (p *Proxy) filterFor(c *caller.Caller, tree *access.Tree, a *attributes) *filter {
	if !a.resource || a.Subresource != "" || a.Verb != "list" && a.Verb != "watch" || a.upgrade != "" || strings.HasPrefix(a.path, "/apis/"+a.Group+"/"+a.version+"/watch/") {
		return nil
	}
	scheme, known := filtered[a.Resource]
	if known && a.Group != v1alpha1.GroupName || !known && (a.Group != "" || a.Resource != "pods" || a.Namespace == "") {
		return nil
	}
	if !known {
		scheme = access.Job
	}
	// A list of one by its name RBAC can allow; only oneself it does not know.
	if a.Name != "" && (scheme != access.User || a.Name != c.User) {
		if target, level, known := p.requirement(a.Request); known && tree.Allows(target, level) {
			return nil
		}
	}
	all := a.Request
	all.Name, all.Job = "", ""
	target, level, known := p.requirement(all)
	if !known || tree.Allows(target, level) {
		return nil
	}
	// Of all there is, who sees nothing of it is shown that nothing is theirs. Of a place that they name they are refused, and by a token
	// that is for other things.
	if a.Namespace != "" && !p.placed(a) || (a.Namespace != "" || c.Scope != nil) && tree.Level(target) < access.List {
		return nil
	}
	return &filter{resource: a.Resource, group: a.Group, namespace: a.Namespace, scheme: scheme}
}

// shows reports whether one of a list may be seen.
func (p *Proxy) shows(f *filter, tree *access.Tree, item *itemMeta) bool {
	request := access.Request{Verb: "get", Group: f.group, Resource: f.resource, Namespace: item.Namespace, Name: item.Name}
	if f.resource == "pods" {
		request.Job = item.Labels[v1alpha1.LabelJob]
	}
	target, level, known := p.requirement(request)
	return known && tree.Allows(target, level)
}

// sight tells what may be seen of a scheme: another text is another sight.
func sight(tree *access.Tree, scheme access.Scheme) string {
	var lines []string
	rights := tree.Rights()
	for i := range rights {
		if rights[i].Target.Scheme == scheme {
			lines = append(lines, rights[i].Target.String()+" "+string(rights[i].Level.Action()))
		}
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}

// isSelf reports whether the request is about the caller's own User, of which RBAC has no word.
func isSelf(c *caller.Caller, a *attributes) bool {
	return a.Group == v1alpha1.GroupName && a.Resource == "users" && a.Subresource == "" && a.Name == c.User
}

// looksAtSelf reports whether it is to look at it, and RBAC would not let them.
func looksAtSelf(c *caller.Caller, tree *access.Tree, a *attributes) bool {
	return isSelf(c, a) && a.Verb == "get" && tree.Allows(access.Named(access.User, c.User), access.Read) && !tree.Allows(access.Root(access.User), access.Read)
}

// changesSelf reports whether it is to change it, and RBAC would not let them. What of it they may change, admission decides. By a
// token that is for less nobody says who else acts for them.
func changesSelf(c *caller.Caller, tree *access.Tree, a *attributes) bool {
	return isSelf(c, a) && (a.Verb == "patch" || a.Verb == "update") && c.Scope == nil && !tree.Allows(access.Named(access.User, c.User), access.Write)
}

// verdict is what becomes of a stream.
type verdict int

const (
	keep verdict = iota
	// ask the API server whether it still allows it.
	ask
	cut
)

// judge decides, from what is known here, what becomes of a stream whose caller still is who they were. It is by the tree
// where the tree allowed it, and by the API server where that did.
func (p *Proxy) judge(s *ongoing, tree *access.Tree) (verdict, error) {
	if s.filter != nil {
		if now := sight(tree, s.filter.scheme); now != s.sight {
			return cut, errChanged
		}
		return keep, nil
	}
	if s.request.free() {
		return keep, nil
	}
	target, level, known := p.requirement(s.request.Request)
	switch {
	case known && tree.Allows(target, level):
		return keep, nil
	case s.byTree || s.caller.Scope != nil:
		return cut, errRevoked
	}
	return ask, nil
}
