package webhooks

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

const (
	// maxTokenLife is how far ahead a token may end.
	maxTokenLife = 366 * 24 * time.Hour
	// maxServices is how many service accounts somebody has who may not make users.
	maxServices = 64
)

// decideUser decides about a user who is made or changed; before is empty for a new one.
func decideUser(f facts, before, after *user) (escalates bool, err error) {
	created := before.Name == ""
	switch {
	case created:
		if err := f.mayMakeUser(after); err != nil {
			return false, err
		}
	case f.asker.ours() && !f.asker.tree.Allows(access.Named(access.User, after.Name), access.Write) && !sameButDelegates(before, after):
		// The gateway lets everybody change themselves, RBAC those who may write users.
		return false, lacking(access.Write, []access.Target{access.Named(access.User, after.Name)}, "without it, one says of oneself alone who may submit jobs on one's behalf: spec.delegates")
	}
	var p problems
	f.checkIdentities(&p, before, after)
	f.checkRoles(&p, before, after)
	checkTokens(&p, f.now, before.Spec.Tokens, after.Spec.Tokens)
	f.checkPeople(&p, before, after)
	if err := p.err(); err != nil {
		return false, err
	}
	switch {
	case created:
		// A name that was somebody's before may still be in grants, delegates and service accounts. Of what, who asks may not know.
		if escalates, err = f.pass(f.directory.Controls(after, f.now)); err != nil {
			return false, forbidden("metadata.name: with the name %q would come what was given to who had it before, and what you may not let others have: take another name", after.Name)
		}
		return escalates, nil
	case f.addsHands(before, after):
		// What comes to the user later comes to those hands as well, so that it is not enough that there is nothing yet.
		if err := f.needs(access.Manage, access.Named(access.User, after.Name), "only who manages a user says who else comes as them, or for them"); err != nil {
			return false, err
		}
	case !comesBack(before, after):
		return f.pass(access.Beyond(f.directory.ComesWith(before, f.now), f.directory.ComesWith(after, f.now)))
	}
	return f.pass(append(f.directory.Controls(before, f.now), f.directory.Controls(after, f.now)...))
}

// mayMakeUser refuses who makes a user and may not: everybody may make service accounts of their own.
func (f facts) mayMakeUser(after *user) error {
	if !f.asker.ours() {
		return nil
	}
	if f.directory.User(after.Name) != nil {
		// What would be refused otherwise tells what that user has.
		return invalid("metadata.name: a user %q exists already", after.Name)
	}
	if f.asker.tree.Allows(access.Root(access.User), access.Write) {
		return nil
	}
	if after.Spec.Type != v1alpha1.UserServiceAccount || after.Spec.Owner != f.asker.user {
		return lacking(access.Write, []access.Target{access.Root(access.User)}, "without it, one makes service accounts that one owns oneself")
	}
	if f.directory.Services(f.asker.user) >= maxServices {
		return forbidden("you have %d service accounts already: delete those that are not used any more", maxServices)
	}
	return nil
}

// sameButDelegates reports whether a change is of delegates alone.
func sameButDelegates(before, after *user) bool {
	was := before.DeepCopy()
	was.Spec.Delegates = after.Spec.Delegates
	return equality.Semantic.DeepEqual(was.Spec, after.Spec) && equality.Semantic.DeepEqual(was.Labels, after.Labels) &&
		equality.Semantic.DeepEqual(was.Annotations, after.Annotations) && equality.Semantic.DeepEqual(was.Finalizers, after.Finalizers)
}

// addsHands reports whether a change puts the user into other hands, by what says who comes as the user, or who else for the user. Who
// answers for a service account may say so of its tokens and delegates, and everybody of their own delegates.
func (f facts) addsHands(before, after *user) bool {
	then, now := &before.Spec, &after.Spec
	owner := f.asker.ours() && f.asker.user == now.Owner && f.asker.tree.Allows(access.Named(access.User, after.Name), access.Manage)
	self := f.asker.ours() && f.asker.user == after.Name && f.asker.tree.Allows(access.Named(access.User, after.Name), access.Read)
	switch {
	case !equality.Semantic.DeepEqual(then.Identities, now.Identities):
		return true
	case !equality.Semantic.DeepEqual(then.Tokens, now.Tokens) && !owner:
		return true
	}
	return !owner && !self && slices.ContainsFunc(now.Delegates, func(name string) bool { return !slices.Contains(then.Delegates, name) })
}

// comesBack reports whether by a change somebody may come who could not, as whom they came before: after the user was disabled, or
// with a session that had ended.
func comesBack(before, after *user) bool {
	return !before.Spec.NotBefore.Equal(after.Spec.NotBefore) || before.IsDisabled() && !after.IsDisabled()
}

// checkIdentities complains of new identities that another user has. Whose they are is told to those alone who may see that
// user.
func (f facts) checkIdentities(p *problems, before, after *user) {
	for i, identity := range after.Spec.Identities {
		if slices.Contains(before.Spec.Identities, identity) {
			continue
		}
		for _, other := range f.directory.Claimants(identity) {
			if other == after.Name {
				continue
			}
			whose := "another user"
			if f.sees(access.Named(access.User, other)) {
				whose = fmt.Sprintf("user %q", other)
			}
			p.add(fmt.Sprintf("spec.identities[%d]", i), "the subject %q of %s is %s already: nobody is two users", identity.Subject, identity.Issuer, whose)
			break
		}
	}
}

// checkRoles complains of new roles that do not exist.
func (f facts) checkRoles(p *problems, before, after *user) {
	for i, held := range after.Spec.Roles {
		if slices.Contains(before.Spec.Roles, held) {
			continue
		}
		f.findRole(p, fmt.Sprintf("spec.roles[%d].role", i), held.Role, func(*role) []access.Right {
			holder := &user{Spec: v1alpha1.UserSpec{Roles: []v1alpha1.HeldRole{held}}}
			return f.directory.ComesWith(holder, f.now)
		})
	}
}

// checkPeople complains of an owner and of delegates who do not exist.
func (f facts) checkPeople(p *problems, before, after *user) {
	if owner := after.Spec.Owner; owner != before.Spec.Owner {
		switch found := f.directory.User(owner); {
		case found == nil || found.Spec.Type == v1alpha1.UserServiceAccount:
			p.add("spec.owner", "there is no person %q: a person answers for a service account", owner)
		default:
			f.findUser(p, "spec.owner", owner)
		}
	}
	for i, name := range after.Spec.Delegates {
		if !slices.Contains(before.Spec.Delegates, name) {
			f.findUser(p, fmt.Sprintf("spec.delegates[%d]", i), name)
		}
	}
}

// checkTokens complains of tokens that are new, or not as they were, and should not be so.
func checkTokens(p *problems, now time.Time, before, after []token) {
	for i := range after {
		one := &after[i]
		if slices.ContainsFunc(before, func(b token) bool { return equality.Semantic.DeepEqual(b, *one) }) {
			continue
		}
		field := fmt.Sprintf("spec.tokens[%d]", i)
		switch ends := one.ExpiresAt.Time; {
		case !ends.After(now):
			p.add(field+".expiresAt", "the token would have ended already, at %s", ends.UTC().Format(time.RFC3339))
		case ends.After(now.Add(maxTokenLife)):
			p.add(field+".expiresAt", "a token ends within a year: %s is later", ends.UTC().Format(time.RFC3339))
		}
		checkAddresses(p, field+".scope", nil, one.Scope, true)
	}
}
