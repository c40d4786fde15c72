package access

import (
	"slices"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// MayPass reports whether who has the tree may let others have a right: who manages what it is about, and, as writing a
// project is to say who works in it, who may write a project may let others see and write it.
func (t *Tree) MayPass(right Right) bool {
	level := t.Level(right.Target)
	return level == Manage || right.Target.Scheme == Project && level == Write && right.Level <= Write
}

// Unpassable are those of the rights that who has the tree may not let others have.
func (t *Tree) Unpassable(rights []Right) []Right {
	return slices.DeleteFunc(slices.Clone(rights), t.MayPass)
}

// GivenBy are the rights that a grant gives, whether or not it has ended. They are none where its project is not known.
func (d *Directory) GivenBy(grant *v1alpha1.Grant) []Right {
	lasting := grant.DeepCopy()
	lasting.Spec.ExpiresAt = nil
	return d.granted(lasting, time.Time{})
}

// HeldBy are the rights that come with the roles of a user's spec, whether or not the user is active.
func (d *Directory) HeldBy(user *v1alpha1.User) []Right {
	var rights []Right
	for _, held := range user.Spec.Roles {
		rights = append(rights, d.expand(held.Role, scope{organization: held.Organization}, Why{User: user.Name, Organization: held.Organization})...)
	}
	return rights
}

// Circle is a way from a role as it is given here over its includes back to itself, or nil if there is none.
func (d *Directory) Circle(role *v1alpha1.Role) []string {
	seen := map[string]struct{}{}
	var visit func(name string, includes, path []string) []string
	visit = func(name string, includes, path []string) []string {
		path = append(slices.Clip(path), name)
		for _, next := range includes {
			if next == role.Name {
				return append(path, next)
			}
			if _, known := seen[next]; known || d.roles[next] == nil {
				continue
			}
			seen[next] = struct{}{}
			if circle := visit(next, d.roles[next].Spec.Includes, path); circle != nil {
				return circle
			}
		}
		return nil
	}
	return visit(role.Name, role.Spec.Includes, nil)
}
