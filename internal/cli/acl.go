package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	access "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// actionFlags are the actions as flags: --read, --write, --manage.
type actionFlags struct{ read, write, manage bool }

func (f *actionFlags) addTo(c *cobra.Command, verb string) {
	c.Flags().BoolVar(&f.read, "read", false, verb+" look at it")
	c.Flags().BoolVar(&f.write, "write", false, verb+" change, use and remove it, and look at it")
	c.Flags().BoolVar(&f.manage, "manage", false, verb+" do all that and let others")
	c.MarkFlagsMutuallyExclusive("read", "write", "manage")
}

// action is the one that is named, or empty.
func (f *actionFlags) action() v1alpha1.Action {
	switch {
	case f.read:
		return v1alpha1.ActionRead
	case f.write:
		return v1alpha1.ActionWrite
	case f.manage:
		return v1alpha1.ActionManage
	}
	return ""
}

func newShare(a *app) *cobra.Command {
	var out output
	var may actionFlags
	expires := ""
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
			spec := v1alpha1.GrantSpec{URI: uri, Action: may.action()}
			if spec.Action == "" {
				spec.Action = v1alpha1.ActionRead
			}
			return a.grant(c, at.project, spec, args[1], expires, &out)
		},
	}
	may.addTo(c, "let them")
	addExpires(c, &expires)
	out.addTo(c)
	return c
}

func addExpires(c *cobra.Command, expires *string) {
	c.Flags().StringVar(expires, "expires", "", "when it ends: 12h, 7d, 2026-12-31 (default: never)")
}

// grant gives somebody what a spec says, and says how to take it back.
func (a *app) grant(c *cobra.Command, project string, spec v1alpha1.GrantSpec, whom, expires string, out *output) error {
	var err error
	if spec.To, err = parseGrantee(whom); err != nil {
		return usageError(c, err)
	}
	until, err := parseUntil(expires, a.now())
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
	return a.printGiven(project, u, &spec, done, out)
}

func (a *app) printGiven(project string, u *unstructured.Unstructured, spec *v1alpha1.GrantSpec, done given, out *output) error {
	if !out.table() {
		return out.object(a.out, u)
	}
	fmt.Fprintf(a.err, "%s in project %s: %s\ntake it back with \"%s\"\n", grantText(spec), project, done, a.inProject(project, "acl revoke "+u.GetName()))
	_, err := fmt.Fprintln(a.out, u.GetName())
	return err
}

func newACL(a *app) *cobra.Command {
	c := &cobra.Command{Use: "acl", Short: "See, give and take back rights in a project"}
	c.AddCommand(newACLList(a), newACLGrant(a), newACLRevoke(a))
	return c
}

func newACLList(a *app) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "ls [ADDRESS]", Aliases: []string{"list"}, Short: "List the grants of the current project",
		Long: `List the grants of the current project. With ADDRESS, those that are about it, or something above or below it, and the roles
that are given in the project. Who in the end may do something with it, "who-can" tells.

Who may not see the grants is shown their own rights in the project.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: once(a.addresses(), noMore),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			at, err := a.place("project:")
			if len(args) > 0 && err == nil {
				if at, err = a.place(args[0]); err != nil {
					return usageError(c, err)
				}
			}
			if err != nil {
				return err
			}
			found, err := a.list(c.Context(), grants, at.project, metav1.ListOptions{}, 0)
			if apierrors.IsForbidden(err) {
				return a.ownRights(c.Context(), at.project, &out, err)
			}
			if err != nil {
				return err
			}
			if len(args) > 0 {
				about(found, at)
			}
			if len(found.Items) == 0 && out.table() {
				fmt.Fprintf(a.err, "There are no grants about %s.\n", at)
				return nil
			}
			return grantListing().print(a.out, found, &out, a.now())
		},
	}
	out.addTo(c)
	return c
}

func grantListing() *listing[v1alpha1.Grant] {
	return &listing[v1alpha1.Grant]{
		resource: grants,
		columns: []column{{name: "Name"}, {name: "To"}, {name: "May"}, {name: "On"}, {name: "Role"}, {name: "Until"}, {name: "Granted by"}, {name: "Age"},
			{name: "Ready", wide: true}, {name: "Message", wide: true}},
		rows: func(g *v1alpha1.Grant, now time.Time) [][]any {
			until := ""
			if at := g.Spec.ExpiresAt; at != nil {
				until = clock(at.Time)
			}
			ready, why := readiness(g.Status.Conditions)
			return [][]any{{g.Name, granteeText(g.Spec.To), string(g.Spec.Action), string(g.Spec.URI), g.Spec.Role, until, g.Spec.GrantedBy,
				ago(g.CreationTimestamp.Time, now), ready, why}}
		},
	}
}

// about leaves of grants those that are about an address, or something above or below it, and those of roles.
func about(found *unstructured.UnstructuredList, at place) {
	wanted, _ := at.within()
	kept := found.Items[:0]
	for _, u := range found.Items {
		grant, err := decode[v1alpha1.Grant](&u)
		if err == nil && grant.Spec.Role == "" {
			uri, _ := place{uri: grant.Spec.URI}.within()
			if !above(uri, wanted) && !above(wanted, uri) {
				continue
			}
		}
		kept = append(kept, u)
	}
	found.Items = kept
}

// above reports whether a relative address is another, or above it.
func above(upper, lower v1alpha1.Address) bool {
	rest, found := strings.CutPrefix(string(lower), string(upper))
	return found && (rest == "" || rest[0] == '/' || strings.HasSuffix(string(upper), ":"))
}

// ownRights shows what the user may do in a project to whom its grants are not shown.
func (a *app) ownRights(ctx context.Context, project string, out *output, refusal error) error {
	answer, u, err := askRights[access.SelfReview](ctx, a, selfReviews, &access.SelfReview{TypeMeta: reviewType("SelfReview")})
	if err != nil {
		return refusal
	}
	if !out.table() {
		return out.object(a.out, u)
	}
	var own []access.HeldRight
	for _, right := range answer.Status.Rights {
		if p, err := parsePlace(strings.Replace(right.URI, "://*/", "://local/", 1), ""); err == nil && p.project == project {
			own = append(own, right)
		}
	}
	if len(own) == 0 {
		return refusal
	}
	fmt.Fprintf(a.err, "The grants of project %s are not shown to you. Your own rights in it:\n", project)
	return a.printRights(own, 0, out.wide())
}

func newACLGrant(a *app) *cobra.Command {
	var out output
	expires := ""
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
			return a.grant(c, project, v1alpha1.GrantSpec{Role: args[1]}, args[0], expires, &out)
		},
	}
	addExpires(c, &expires)
	out.addTo(c)
	return c
}

func newACLRevoke(a *app) *cobra.Command {
	var may actionFlags
	c := &cobra.Command{
		Use: "revoke GRANT... | ADDRESS WHOM | WHOM ROLE", Short: "Take rights back that were given in the current project",
		Long: `Take rights back that were given in the current project: grants by their names, or by the words with which they were given.
Without --read, --write or --manage all that was shared of the address with WHOM is taken back.

What is revoked counts no more within 30 seconds; output, shells and forwarded ports that are open through the gateway end.
Somebody may have the same right by another way: "who-can" tells.`,
		Example: a.examples("acl revoke bob.read.job.train", "by name", "acl revoke job/train bob", "whatever bob may do with the job by a grant of its own",
			"acl revoke bob project-writer", "a role"),
		Args:              someArgs("the name of a grant"),
		ValidArgsFunction: a.grantNames(),
		RunE: func(c *cobra.Command, args []string) error {
			project, words, err := a.wanted(args, may.action())
			if err != nil {
				return usageError(c, err)
			}
			if words == nil {
				return a.revoke(c.Context(), project, args)
			}
			return a.revokeWords(c.Context(), project, words, args)
		},
	}
	may.addTo(c, "no more")
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
func (a *app) revokeWords(ctx context.Context, project string, w *wanted, args []string) error {
	names, err := a.findGrants(ctx, project, w)
	switch {
	case err != nil:
		return err
	case len(names) > 0:
		return a.revoke(ctx, project, names)
	case w.role != "" && a.areGrants(ctx, project, args):
		return a.revoke(ctx, project, args)
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
