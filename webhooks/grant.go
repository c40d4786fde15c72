package webhooks

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// decideGrant decides about a grant that is made, or whose end is changed; before is empty for a new one. Nothing else of it
// can be changed.
func decideGrant(f facts, before, after *grant) (escalates bool, err error) {
	created := before.Name == ""
	if !created && before.Spec.ExpiresAt.Equal(after.Spec.ExpiresAt) {
		return false, nil
	}
	var p problems
	if ends := after.Spec.ExpiresAt; ends != nil && !ends.After(f.now) {
		p.add("spec.expiresAt", "the grant would have ended already, at %s", ends.UTC().Format(time.RFC3339))
	}
	if created {
		f.checkGrant(&p, after)
	}
	if err := p.err(); err != nil {
		return false, err
	}
	return f.pass(f.directory.GivenBy(after))
}

// checkGrant complains of what a new grant names and is not there, or is not in its project.
func (f facts) checkGrant(p *problems, g *grant) {
	facts, found := f.directory.Project(g.Namespace)
	if !found {
		p.add("metadata.namespace", "there is no project %q", g.Namespace)
		return
	}
	if name := g.Spec.Role; name != "" {
		f.findRole(p, "spec.role", name, func(*role) []access.Right { return f.directory.GivenBy(g) })
	} else if err := checkPlace(string(g.Spec.URI), facts.Organization, g.Namespace); err != nil {
		p.add("spec.uri", "%v", err)
	}
	if name := g.Spec.To.User; name != "" {
		f.findUser(p, "spec.to.user", name)
	}
	if group := g.Spec.To.Group; group != "" {
		checkGroup(p, group)
	}
	switch name := g.Spec.To.Role; {
	case name == "":
	case !f.sees(access.Named(access.Role, name)):
		p.add("spec.to.role", "there is no role %q that you may see", name)
	case f.directory.Role(name) == nil:
		p.add("spec.to.role", "there is no role %q", name)
	case f.directory.HeldByAll(name):
		p.add("spec.to.role", "everybody holds the role %q: give it to users, groups or another role, or write it into the role %q itself", name, access.EveryoneRole)
	}
}

// checkGroup complains of the name of a group that a person cannot tell from another's. Identity providers have spaces and
// signs in them.
func checkGroup(p *problems, group string) {
	switch {
	case strings.TrimSpace(group) != group:
		p.add("spec.to.group", "%q begins or ends with a space", group)
	case !norm.NFC.IsNormalString(group):
		p.add("spec.to.group", "%q is not in Unicode's normal form NFC: another name can look the same", group)
	case strings.ContainsFunc(group, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) }):
		p.add("spec.to.group", "%q has a character that cannot be seen", group)
	}
}

// checkPlace says what is wrong with the address of a grant in a project.
func checkPlace(address, organization, project string) error {
	target, relative, err := access.Parse(address)
	if err != nil || relative {
		return err
	}
	cluster, ofOrganization, ofProject, _, inOne := target.Place()
	switch {
	case !inOne || ofOrganization != organization || ofProject != project:
		return fmt.Errorf("address %q is not in this project: a grant gives what is below %s, or write it without '//'",
			address, access.In(target.Scheme, access.Home, organization, project))
	case cluster != access.Home && slices.Contains(objects, target.Scheme):
		return fmt.Errorf("address %q: every %s is below the cluster %s, wherever it runs", address, target.Scheme, access.Home)
	}
	return nil
}

// objects are the schemes of what is an object of Kubernetes.
var objects = []access.Scheme{access.Job, access.App, access.Flow, access.Disk, access.Secret, access.Project}

// thing is an object that a grant shares by its name.
type thing struct {
	scheme access.Scheme
	name   string
}

// objectKinds are the kinds of what in a project is an object of Kubernetes, by the scheme of their addresses. What is data, the API
// server does not know.
var objectKinds = map[access.Scheme]schema.GroupVersionKind{
	access.Job:    v1alpha1.GroupVersion.WithKind("JobList"),
	access.App:    v1alpha1.GroupVersion.WithKind("AppList"),
	access.Flow:   v1alpha1.GroupVersion.WithKind("FlowList"),
	access.Disk:   v1alpha1.GroupVersion.WithKind("DiskList"),
	access.Secret: secretList,
}

// shared is the object that a grant is about, if it is about one.
func shared(g *grant) (one thing, found bool, err error) {
	target, relative, err := access.Parse(string(g.Spec.URI))
	if _, isObject := objectKinds[target.Scheme]; g.Spec.URI == "" || err != nil || !isObject {
		return thing{}, false, nil
	}
	path := target.Segments()
	if !relative {
		_, _, _, path, _ = target.Place()
	}
	switch {
	case len(path) == 0:
		return thing{}, false, nil
	case len(path) > 1:
		return thing{}, false, invalid("spec.uri: address %q: there is nothing below a %s", g.Spec.URI, target.Scheme)
	}
	return thing{target.Scheme, path[0]}, true, nil
}

// decideGrantEnd decides about a grant that is deleted: by who gave it, who has it, or who could give it. By a token that is for
// less, only what could be given with it can be taken.
func decideGrantEnd(f facts, gone *grant) error {
	if !f.asker.ours() || !f.asker.scoped && (gone.Spec.GrantedBy == f.asker.name || gone.Spec.To == (v1alpha1.Grantee{User: f.asker.user})) {
		return nil
	}
	_, err := f.pass(f.directory.GivenBy(gone))
	return err
}

// recordGrant replaces whatever a new grant says of who made it. A changed one keeps what was recorded where it does not say
// it; another name is left for the schema to refuse.
func recordGrant(a asker, before, after *grant) {
	switch {
	case before.Name == "":
		after.Spec.GrantedBy = a.name
	case after.Spec.GrantedBy == "" || before.Spec.GrantedBy == "":
		after.Spec.GrantedBy = before.Spec.GrantedBy
	}
}
