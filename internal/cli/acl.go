package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func newACL(a *app) *cobra.Command {
	c := &cobra.Command{Use: "acl", Short: "See, give and take back rights in a project"}
	c.AddCommand(newACLList(a), newACLGrant(a), newACLRevoke(a))
	return c
}

func newACLRevoke(a *app) *cobra.Command {
	var may actionFlags
	wait := true
	c := &cobra.Command{
		Use: "revoke GRANT... | ADDRESS WHOM | WHOM ROLE", Short: "Take rights back that were given in the current project",
		Long: `Take rights back that were given in the current project: grants by their names, or by the words with which they were given.
Without --read, --write or --manage all that was shared of the address with WHOM is taken back.

What is revoked counts no more ` + soon + `, usually at once, which is waited for where a user had it; output, shells and forwarded ports that are open through the gateway end.
Somebody may have the same right by another way: "who-can" tells.`,
		Example: a.examples("acl revoke bob.read.job.train", "by name", "acl revoke job/train bob", "whatever bob may do with the job by a grant of its own",
			"acl revoke bob project-writer", "a role"),
		Args:              someArgs("the name of a grant"),
		ValidArgsFunction: a.grantNames(),
		RunE: func(c *cobra.Command, args []string) error {
			action, err := may.action()
			if err != nil {
				return usageError(c, err)
			}
			project, words, err := a.wanted(args, action)
			if err != nil {
				return usageError(c, err)
			}
			if words == nil {
				return a.revoke(c.Context(), project, args, wait)
			}
			return a.revokeWords(c.Context(), project, words, args, wait)
		},
	}
	may.addTo(c, "no more")
	addWaitForRights(c, &wait)
	return c
}

// wanted reads the words behind revoke: nil for names of grants.
func (a *app) wanted(args []string, action v1alpha1.Action) (string, *wanted, error) {
	project, err := a.currentProject(context.Background())
	if err != nil {
		return "", nil, err
	}
	w := &wanted{}
	if action != "" {
		w.actions = []v1alpha1.Action{action}
	}
	switch {
	case len(args) == 2 && isAddress(args[0]):
		at, err := a.place(args[0])
		if err != nil {
			return "", nil, err
		}
		project = at.project
		w.uri, _ = at.within()
		w.to, err = parseGrantee(args[1])
		return project, w, err
	case len(args) == 1 && isAddress(args[0]):
		return "", nil, fmt.Errorf("with whom it was shared is missing behind %s", args[0])
	case action != "":
		return "", nil, fmt.Errorf("--%s goes with an address and with whom it was shared", action)
	case len(args) == 2 && !strings.Contains(args[0], ".") && !strings.Contains(args[1], "."):
		w.role = args[1]
		w.to, err = parseGrantee(args[0])
		return project, w, err
	}
	return project, nil, nil
}

// revokeWords takes back what words mean. Two words can also be the names of two grants.
func (a *app) revokeWords(ctx context.Context, project string, w *wanted, args []string, wait bool) error {
	names, err := a.findGrants(ctx, project, w)
	switch {
	case err != nil:
		return err
	case len(names) > 0:
		return a.revoke(ctx, project, names, wait)
	case w.role != "" && a.areGrants(ctx, project, args):
		return a.revoke(ctx, project, args, wait)
	case w.role != "":
		return fmt.Errorf("%s has role %s by no grant in project %s\nsee the grants with \"%s\"", granteeText(w.to), w.role, project, a.inProject(project, "acl ls"))
	}
	return fmt.Errorf("nothing of %s was shared with %s in project %s\nsee the grants with \"%s\"", w.uri, granteeText(w.to), project, a.inProject(project, "acl ls"))
}

func (a *app) areGrants(ctx context.Context, project string, names []string) bool {
	for _, name := range names {
		if _, err := a.get(ctx, grants, project, name); err != nil {
			return false
		}
	}
	return true
}

// grantees offers the users whom one may see.
func (a *app) grantees() completer { return a.objectNames(users) }

// grantNames offers the grants of the current project.
func (a *app) grantNames() completer {
	return offer(func(ctx context.Context, _ []string, _ string) ([]string, error) {
		c, err := a.connect()
		if err != nil {
			return nil, err
		}
		table, err := a.printed(ctx, grants, c.project, "", "", maxCompletions)
		if err != nil {
			return nil, err
		}
		return cells(table, "Name"), nil
	})
}
