package webhooks

import (
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/soma-platform/soma/internal/access"
)

// foreignPrefix marks, where it is recorded who did something, a user of the cluster who is no user of ours but has the name
// of one.
const foreignPrefix = "kubernetes:"

// asker is who a request comes from.
type asker struct {
	// user is the name of a user of ours; it is empty for others whom the cluster knows: administrators, controllers, Argo CD.
	user string
	// name is what is recorded of who asks.
	name string
	// tree is what a user of ours may do. Of others Kubernetes is asked.
	tree *access.Tree
	// scoped: they came with a token that is for less than all that they may.
	scoped bool
}

// ours reports whether a user of ours asks.
func (a asker) ours() bool { return a.user != "" }

// facts are what is decided from.
type facts struct {
	directory *access.Directory
	// trees are what users may do now.
	trees func(user string) *access.Tree
	now   time.Time
	asker asker
}

// who finds out who asks, and refuses a user of ours who may do nothing.
func (f facts) who(info authenticationv1.UserInfo) (asker, error) {
	name, ours := f.directory.ByUsername(info.Username)
	if !ours {
		known := asker{name: info.Username, tree: &access.Tree{}}
		if f.directory.User(known.name) != nil {
			known.name = foreignPrefix + known.name
		}
		if len(known.name) > maxUserName {
			return asker{}, forbidden("the user name has %d characters; %d can be recorded", len(known.name), maxUserName)
		}
		return known, nil
	}
	if !f.directory.Active(name) {
		return asker{}, forbidden("there is no user %q who is not disabled", name)
	}
	tree, scoped, err := f.limited(name, info.Extra[access.TokenExtra])
	return asker{user: name, name: name, tree: tree, scoped: scoped}, err
}

// limited is what a user may do, less what the tokens that they came with are not made for, if they are for less.
func (f facts) limited(user string, tokens []string) (tree *access.Tree, scoped bool, err error) {
	tree = f.trees(user)
	for _, id := range tokens {
		all := f.directory.User(user).Spec.Tokens
		i := slices.IndexFunc(all, func(t token) bool { return t.ID == id })
		if i < 0 || !f.now.Before(all[i].ExpiresAt.Time) {
			return nil, true, forbidden("the token %q has ended", id)
		}
		if len(all[i].Scope) > 0 {
			tree, scoped = tree.Within(all[i].Scope), true
		}
	}
	return tree, scoped, nil
}

// sees reports whether who asks may know that something is there. Others than users of ours may, where they can name it.
func (f facts) sees(target access.Target) bool {
	return !f.asker.ours() || f.asker.tree.Allows(target, access.List)
}

// pass refuses a user of ours who may not let others have what a change gives. For others it reports whether there is
// anything at all that is given: of them Kubernetes is asked.
func (f facts) pass(given []access.Right) (escalates bool, err error) {
	if !f.asker.ours() {
		return len(given) > 0, nil
	}
	missing := f.asker.tree.Unpassable(given)
	if len(missing) == 0 {
		return false, nil
	}
	targets := make([]access.Target, 0, len(missing))
	for i := range missing {
		targets = append(targets, missing[i].Target)
	}
	return false, lacking(access.Manage, targets, "only who manages something may let others have rights to it")
}

// needs refuses a user of ours who has not a level somewhere. Of others Kubernetes has been asked already.
func (f facts) needs(level access.Level, target access.Target, purpose string) error {
	if !f.asker.ours() || f.asker.tree.Allows(target, level) {
		return nil
	}
	return lacking(level, []access.Target{target}, purpose)
}

// findRole complains where a name is not that of a role. One that who asks may not see looks as if it did not exist, unless
// they may give all that it brings.
func (f facts) findRole(p *problems, field, name string, brings func(*role) []access.Right) {
	found := f.directory.Role(name)
	switch {
	case f.sees(access.Named(access.Role, name)):
		if found == nil {
			p.add(field, "there is no role %q", name)
		}
	case found == nil || len(f.asker.tree.Unpassable(brings(found))) > 0:
		p.add(field, "there is no role %q that you may give", name)
	}
}

// findUser complains where a name is not that of a user who stays: what is given to who is being deleted would be left to a later
// user of the name.
func (f facts) findUser(p *problems, field, name string) {
	switch found := f.directory.User(name); {
	case found == nil:
		p.add(field, "there is no user %q", name)
	case found.DeletionTimestamp != nil:
		p.add(field, "the user %q is being deleted", name)
	}
}
