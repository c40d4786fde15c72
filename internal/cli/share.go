package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// actionFlags are the actions as flags: --read, --write, --manage.
type actionFlags struct{ read, write, manage bool }

func (f *actionFlags) addTo(c *cobra.Command, verb string) {
	c.Flags().BoolVar(&f.read, "read", false, verb+" look at it")
	c.Flags().BoolVar(&f.write, "write", false, verb+" change, use and remove it, and look at it")
	c.Flags().BoolVar(&f.manage, "manage", false, verb+" do all that and let others")
}

// action is the one that is named, or empty.
func (f *actionFlags) action() (v1alpha1.Action, error) {
	var named []v1alpha1.Action
	for action, given := range map[v1alpha1.Action]bool{v1alpha1.ActionRead: f.read, v1alpha1.ActionWrite: f.write, v1alpha1.ActionManage: f.manage} {
		if given {
			named = append(named, action)
		}
	}
	switch len(named) {
	case 0:
		return "", nil
	case 1:
		return named[0], nil
	}
	return "", errors.New("one of --read, --write and --manage is given: each includes those before it")
}

func newShare(a *app) *cobra.Command {
	var out output
	var may actionFlags
	var terms terms
	c := &cobra.Command{
		Use: "share ADDRESS WHOM", Short: "Let somebody see or use something of a project",
		Long: `Let somebody see or use something of a project: a job, a folder, all jobs. WHOM is the name of a user, group:NAME or role:NAME.
Without --write or --manage they may look at it.

It makes a Grant in the project. The same again changes nothing but when it ends. You may share what you may manage.`,
		Example: a.examples("share job/train bob --read", "its status, its output and its page", "share job/train group:ml --write --expires 7d", "for a week",
			"share storage/results bob", "a folder and all that lies in it", "acl revoke job/train bob", "take it back"),
		Args:              twoArgs("an address", "to whom"),
		ValidArgsFunction: once(a.addresses(), once2(a.grantees())),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			at, err := a.place(args[0])
			if err != nil {
				return usageError(c, err)
			}
			uri, ok := at.within()
			if !ok {
				return usageError(c, fmt.Errorf("%s lies in no project, or in several, and cannot be shared: it is given by a role (%s)", at, a.command("role ls")))
			}
			action, err := may.action()
			if err != nil {
				return usageError(c, err)
			}
			spec := v1alpha1.GrantSpec{URI: uri, Action: cmp.Or(action, v1alpha1.ActionRead)}
			return a.grant(c, at.project, spec, args[1], &terms, &out)
		},
	}
	may.addTo(c, "let them")
	terms.addTo(c)
	out.addTo(c)
	return c
}

// terms are the flags of what is given.
type terms struct {
	expires string
	wait    bool
}

func (t *terms) addTo(c *cobra.Command) {
	c.Flags().StringVar(&t.expires, "expires", "", "when it ends: 12h, 7d, 2026-12-31 (default: never)")
	addWaitForRights(c, &t.wait)
}

// grant gives somebody what a spec says, and says how to take it back.
func (a *app) grant(c *cobra.Command, project string, spec v1alpha1.GrantSpec, whom string, terms *terms, out *output) error {
	var err error
	if spec.To, err = parseGrantee(whom); err != nil {
		return usageError(c, err)
	}
	until, err := parseUntil(terms.expires, a.now())
	if err != nil {
		return usageError(c, fmt.Errorf("--expires: %w", err))
	}
	if !until.IsZero() {
		spec.ExpiresAt = &metav1.Time{Time: until}
	}
	u, done, err := a.give(c.Context(), project, spec)
	if err != nil {
		return err
	}
	if out.table() {
		fmt.Fprintf(a.err, "%s in project %s: %s\ntake it back with \"%s\"\n", grantText(&spec), project, done, a.inProject(project, "acl revoke "+u.GetName()))
	}
	if terms.wait {
		if u, err = a.awaitGrant(c.Context(), u); err != nil {
			return err
		}
	}
	if !out.table() {
		return out.object(a.out, u)
	}
	_, err = fmt.Fprintln(a.out, u.GetName())
	return err
}

// awaitGrant waits until a grant counts, and says where it does not.
func (a *app) awaitGrant(ctx context.Context, made *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	u, settled := a.settled(ctx, made)
	if !settled {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		fmt.Fprintf(a.err, "%s it is not seen to count yet; it will %s\n", a.style.warn("warning:"), soon)
		return u, nil
	}
	grant, err := decode[v1alpha1.Grant](u)
	if err != nil {
		return nil, err
	}
	if ready, why := readiness(grant.Status.Conditions); ready != string(metav1.ConditionTrue) {
		fmt.Fprintf(a.err, "%s it gives nothing as it is: %s\n", a.style.warn("warning:"), why)
	}
	return u, nil
}

func newACLGrant(a *app) *cobra.Command {
	var out output
	var terms terms
	c := &cobra.Command{
		Use: "grant WHOM ROLE", Short: "Give somebody a role in the current project",
		Long: `Give somebody a role in the current project. WHOM is the name of a user, group:NAME or role:NAME: who holds that role everywhere.

The same again changes nothing but when it ends. You may give what you may manage, and see the roles with "role ls".`,
		Example:           a.examples("acl grant bob project-writer", "bob works in the project", "acl grant group:ml project-reader --expires 30d", "a group looks at it for a month"),
		Args:              twoArgs("to whom", "a role"),
		ValidArgsFunction: once(a.grantees(), once2(a.objectNames(roles))),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			project, err := a.currentProject(c.Context())
			if err != nil {
				return err
			}
			return a.grant(c, project, v1alpha1.GrantSpec{Role: args[1]}, args[0], &terms, &out)
		},
	}
	terms.addTo(c)
	out.addTo(c)
	return c
}
