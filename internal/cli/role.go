package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

func newRole(a *app) *cobra.Command {
	c := &cobra.Command{Use: "role", Aliases: []string{"roles"}, Short: "See roles, and what they allow"}
	listed := roleListing()
	listed.scheme = access.Role
	c.AddCommand(newListing(a, listed), newGet(a, listed, "Show a role", false, nil), newRoleDescribe(a))
	return c
}

func roleListing() listing[v1alpha1.Role] {
	return listing[v1alpha1.Role]{
		resource: roles, short: "List roles",
		none:    "There are no roles that you may see.",
		columns: []column{{name: "Name"}, {name: "Includes"}, {name: "Description"}, {name: "Ready", wide: true}, {name: "Age", wide: true}, {name: "Message", wide: true}},
		rows: func(r *v1alpha1.Role, now time.Time) [][]any {
			ready, why := readiness(r.Status.Conditions)
			return [][]any{{r.Name, strings.Join(r.Spec.Includes, ", "), shorten(r.Spec.Description, 100), ready, ago(r.CreationTimestamp.Time, now), why}}
		},
	}
}

// newGet makes the command `get NAME` of a kind: one object as a list shows it, or as describe does. Of users it is oneself by default.
func newGet[T any](a *app, l listing[T], short string, self bool, describe func(context.Context, *T) error) *cobra.Command {
	var out output
	use, args := "get NAME", oneArg("the name")
	if self {
		use, args = "get [NAME]", atMostOneArg
	}
	c := &cobra.Command{
		Use: use, Short: short, Args: args,
		ValidArgsFunction: once(a.objectNames(l.resource), noMore),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			name, err := "", error(nil)
			if len(args) == 1 {
				name = args[0]
			} else if name, err = a.whoAmI(c.Context()); err != nil {
				return err
			}
			u, err := a.get(c.Context(), l.resource, "", name)
			if err != nil {
				return err
			}
			if !out.table() {
				return out.object(a.out, u)
			}
			object, err := decode[T](u)
			if err != nil {
				return err
			}
			if describe != nil {
				return describe(c.Context(), object)
			}
			t := &table{columns: l.columns}
			for _, row := range l.rows(object, a.now()) {
				t.add(row...)
			}
			return t.print(a.out, out.wide(), true)
		},
	}
	out.addTo(c)
	return c
}

func newRoleDescribe(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "describe NAME", Short: "Show all that a role allows, and by which roles that it includes",
		Long: `Show all that a role allows, and by which roles that it includes.

Addresses without // count for the project in which the role is given, or for all projects of the organization in which it is held.`,
		Args: oneArg("the name of the role"), ValidArgsFunction: once(a.objectNames(roles), noMore),
		RunE: func(c *cobra.Command, args []string) error {
			tree := map[string]*v1alpha1.Role{}
			if err := a.rolesBelow(c.Context(), args[0], tree); err != nil {
				return err
			}
			describeRole(a.out, args[0], tree, "", map[string]bool{})
			return nil
		},
	}
}

// maxRoles bounds how many roles one description reads.
const maxRoles = 500

// rolesBelow reads a role and those that it includes. Included ones that cannot be seen are left out.
func (a *app) rolesBelow(ctx context.Context, name string, into map[string]*v1alpha1.Role) error {
	u, err := a.get(ctx, roles, "", name)
	if unseen(err) && len(into) > 0 {
		into[name] = nil
		return nil
	}
	if err != nil {
		return err
	}
	role, err := decode[v1alpha1.Role](u)
	if err != nil {
		return err
	}
	into[name] = role
	for _, included := range role.Spec.Includes {
		if _, known := into[included]; known || len(into) >= maxRoles {
			continue
		}
		if err := a.rolesBelow(ctx, included, into); err != nil {
			return err
		}
	}
	return nil
}

// describeRole writes a role, and below it those that it includes. One that was written already is named alone.
func describeRole(w io.Writer, name string, tree map[string]*v1alpha1.Role, indent string, written map[string]bool) {
	role := tree[name]
	switch {
	case role == nil:
		fmt.Fprintf(w, "%s%s (does not exist, or you may not see it)\n", indent, name)
		return
	case written[name]:
		fmt.Fprintf(w, "%s%s (as above)\n", indent, name)
		return
	}
	written[name] = true
	text := name
	if role.Spec.Description != "" {
		text += ": " + shorten(role.Spec.Description, 200)
	}
	fmt.Fprintf(w, "%s%s\n", indent, text)
	for _, permission := range role.Spec.Grants {
		fmt.Fprintf(w, "%s  %-6s on %s\n", indent, permission.Action, permission.URI)
	}
	for _, included := range role.Spec.Includes {
		describeRole(w, included, tree, indent+"  ", written)
	}
}
