package webhooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// decideRole decides about a role that is made or changed; before is empty for a new one. What it was before is not
// complained of: a role that it includes may have gone since.
//
// A role may bring more than it says: what grants give to those who hold it, or one that it includes. A new role may find
// such grants, and users who hold it, if one of its name was there before.
func decideRole(f facts, before, after *role) (escalates bool, err error) {
	var p problems
	checkAddresses(&p, "spec.grants", before.Spec.Grants, after.Spec.Grants, false)
	for i, name := range after.Spec.Includes {
		if !slices.Contains(before.Spec.Includes, name) {
			f.findRole(&p, fmt.Sprintf("spec.includes[%d]", i), name, func(found *role) []access.Right {
				return f.directory.Added(&role{}, found, f.now)
			})
		}
	}
	if circle := f.directory.Circle(after); circle != nil && len(p) == 0 {
		p.add("spec.includes", "the roles would include each other in a circle: %s", strings.Join(circle, " → "))
	}
	if err := p.err(); err != nil {
		return false, err
	}
	return f.pass(f.directory.Added(before, after, f.now))
}

// decideRoleEnd decides about a role that is deleted: with one that is in use others lose what they were given.
func decideRoleEnd(f facts, gone *role) error {
	d := f.directory
	if len(d.GrantsOf(gone.Name)) == 0 && len(d.OfRole(gone.Name)) == 0 && len(d.Including(gone.Name)) == 1 {
		return nil
	}
	return f.needs(access.Manage, access.Named(access.Role, gone.Name), "only who manages a role deletes it while users, grants or other roles name it")
}

// checkAddresses complains of addresses that are no way of writing one, unless they were there before.
func checkAddresses(p *problems, field string, before, after []v1alpha1.Permission, absolute bool) {
	for i, permission := range after {
		if slices.ContainsFunc(before, func(b v1alpha1.Permission) bool { return b.URI == permission.URI }) {
			continue
		}
		_, relative, err := access.Parse(string(permission.URI))
		switch {
		case err != nil:
			p.add(fmt.Sprintf("%s[%d].uri", field, i), "%v", err)
		case relative && absolute:
			p.add(fmt.Sprintf("%s[%d].uri", field, i), "address %q is relative; a token is made for absolute ones, as job://local/acme/vision", permission.URI)
		}
	}
}
