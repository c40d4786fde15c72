package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/scheduling"
)

func newQuota(a *app) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "quota", Aliases: []string{"quotas"}, Short: "See what may be used, and what is",
		Long: `See what you, the current project and the quotas above it, such as its organization's, may use at the same time, and what of it is
used, borrowed, lent and left; and how their budgets stand.

What may be used is a quota's own and what it may borrow. What is left is what further jobs may hold now; what is lent is what of its
own a quota could not have now, as others hold it.`,
		Example: a.examples("quota", "yours, the project's and the organization's", "quota status", "the project's, and who uses it"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			return a.ownQuota(c, &out)
		},
	}
	out.addTo(c)
	listed := quotaListing()
	listed.scheme = access.Quota
	c.AddCommand(
		newListing(a, *listed),
		newShow(a, quotas, "Show a quota, that of the current project by default, and who uses it", a.currentQuota, once(a.objectNames(quotas), noMore), func(ctx context.Context, q *v1alpha1.Quota, _ bool) error {
			chain, err := a.chainFrom(ctx, q.Name)
			if err != nil {
				return err
			}
			return a.describeQuota(q, chain.books())
		}),
	)
	return c
}

// asTree puts every quota behind its parent. Those whose parents go in a circle come last.
func asTree(found *unstructured.UnstructuredList) {
	parent := func(u *unstructured.Unstructured) string {
		name, _, _ := unstructured.NestedString(u.Object, "spec", "parent") //nolint:errcheck // what is no string is none
		return name
	}
	exists, below := map[string]bool{}, map[string][]unstructured.Unstructured{}
	for _, u := range found.Items {
		exists[u.GetName()] = true
	}
	for _, u := range found.Items {
		at := parent(&u)
		if !exists[at] {
			at = ""
		}
		below[at] = append(below[at], u)
	}
	var ordered []unstructured.Unstructured
	var walk func(name string)
	walk = func(name string) {
		children := below[name]
		delete(below, name)
		for _, u := range children {
			ordered = append(ordered, u)
			walk(u.GetName())
		}
	}
	walk("")
	for _, u := range found.Items {
		walk(u.GetName())
	}
	found.Items = ordered
}

// currentQuota is the name of the current project's quota.
func (a *app) currentQuota(ctx context.Context) (string, error) {
	c, err := a.connect()
	if err != nil {
		return "", err
	}
	u, err := a.get(ctx, projects, "", c.project)
	if err != nil {
		return "", err
	}
	p, err := decode[v1alpha1.Project](u)
	if err == nil && p.Spec.Quota == "" {
		err = fmt.Errorf("project %q has no quota, so nothing may run in it\nask an administrator to give it one", c.project)
	}
	if err != nil {
		return "", err
	}
	return p.Spec.Quota, nil
}

func (a *app) describeQuota(q *v1alpha1.Quota, books *scheduling.Books) error {
	ready, why := readiness(q.Status.Conditions)
	a.printFields(a.out, []field{
		{"Name", q.Name}, {"Description", q.Spec.Description}, {"Parent", q.Spec.Parent}, {"Ready", ready}, {"Message", why},
		{"Projects", fmt.Sprint(q.Status.Projects)}, {"Waiting jobs", fmt.Sprint(q.Status.WaitingJobs)},
		{"Borrows at most", describeAmounts(q.Spec.Borrowing)}, {"Lends at most", describeAmounts(q.Spec.Lending)},
		{"Each user", describeAmounts(q.Spec.PerUser)},
		{"Fair share", describeFairShare(q)}, {"Gives way", describeGivingWay(q)},
	})
	fmt.Fprintln(a.out)
	if err := a.printBalance(q, books); err != nil {
		return err
	}
	budgets := budgetTable(false)
	budgets.addBudgets(q)
	if err := a.printBudgetTable(budgets); err != nil || len(q.Status.Users) == 0 {
		return err
	}
	fmt.Fprintln(a.out)
	t := &table{columns: []column{{name: "User"}, {name: "Uses"}}}
	for i := range q.Status.Users {
		t.add(q.Status.Users[i].Name, describeAmounts(&q.Status.Users[i].Used))
	}
	return t.print(a.out, false, true)
}
