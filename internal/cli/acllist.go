package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	access "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

func newACLList(a *app) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "ls [ADDRESS]", Aliases: []string{"list"}, Short: "List the grants of the current project",
		Long: `List the grants of the current project. With ADDRESS, those that are about it, or something above or below it, and the roles
that are given in the project. Who in the end may do something with it, "who-can" tells.

Who may not see the grants is shown their own rights in the project.`,
		Args:              atMostOneArg,
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
		columns: []column{{name: "Name"}, {name: "To"}, {name: "May"}, {name: "On"}, {name: "Role"}, {name: "Until"}, {name: "Counts"}, {name: "Granted by"}, {name: "Age"},
			{name: "Message", wide: true}},
		rows: func(g *v1alpha1.Grant, now time.Time) [][]any {
			until := ""
			if at := g.Spec.ExpiresAt; at != nil {
				until = clock(at.Time)
			}
			_, why := readiness(g.Status.Conditions)
			return [][]any{{g.Name, granteeText(g.Spec.To), string(g.Spec.Action), string(g.Spec.URI), g.Spec.Role, until, countsText(g, now), g.Spec.GrantedBy,
				ago(g.CreationTimestamp.Time, now), why}}
		},
	}
}

// countsText says whether a grant counts, and in a word why not; nothing where Soma has not looked at it yet.
func countsText(g *v1alpha1.Grant, now time.Time) string {
	if at := g.Spec.ExpiresAt; at != nil && !now.Before(at.Time) {
		return "no, " + endText(at.Time, now)
	}
	ready := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return ""
	case ready.Status == metav1.ConditionTrue:
		return "yes"
	}
	return "no, " + ready.Reason
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
