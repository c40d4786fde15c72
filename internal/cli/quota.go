package cli

import (
	"context"
	"fmt"
	"time"

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
used.`,
		Example: a.examples("quota", "yours, the project's and the organization's", "quota status", "the project's, and who uses it"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			return a.ownQuota(c, &out)
		},
	}
	out.addTo(c)
	listed := withBalance(quotaListing())
	listed.scheme, listed.part = access.Quota, new(quotaListing())
	c.AddCommand(
		newListing(a, listed),
		newShow(a, quotas, "Show a quota, that of the current project by default, and who uses it", a.currentQuota, once(a.objectNames(quotas), noMore), func(ctx context.Context, q *v1alpha1.Quota, _ bool) error {
			books, err := a.booksIfSeen(ctx)
			if err != nil {
				return err
			}
			return a.describeQuota(q, books)
		}),
	)
	return c
}

func quotaListing() listing[v1alpha1.Quota] {
	return listing[v1alpha1.Quota]{
		resource: quotas, short: "List quotas, each below its parent", order: asTree,
		none:    "There are no quotas that you may see: those of a project are shown to who reads it.",
		columns: []column{{name: "Name"}, {name: "Parent"}, {name: "Ready"}, {name: "GPUs used"}, {name: "CPU used"}, {name: "Memory used"}, {name: "Jobs"}, {name: "Waiting"}, {name: "Projects"}, {name: "Budget"}, {name: "Message", wide: true}},
		rows: func(q *v1alpha1.Quota, _ time.Time) [][]any {
			ready, why := readiness(q.Status.Conditions)
			of := map[string]string{}
			for _, s := range shares(q.Status.Used, &q.Spec.Nominal, "-") {
				of[s.resource] = s.used + "/" + s.limit
			}
			return [][]any{{q.Name, q.Spec.Parent, ready, of["gpus"], of["cpu"], of["memory"], of["running jobs"], fmt.Sprint(q.Status.WaitingJobs), fmt.Sprint(q.Status.Projects), fullest(q), why}}
		},
	}
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
	})
	fmt.Fprintln(a.out)
	balance := a.printQuotaUse
	if books != nil {
		balance = func(q *v1alpha1.Quota) error { return a.printBalance(q, books.Balance(q.Name)) }
	}
	if err := balance(q); err != nil {
		return err
	}
	if err := a.printBudgets(q); err != nil || len(q.Status.Users) == 0 {
		return err
	}
	fmt.Fprintln(a.out)
	t := &table{columns: []column{{name: "User"}, {name: "Uses"}}}
	for i := range q.Status.Users {
		t.add(q.Status.Users[i].Name, describeAmounts(&q.Status.Users[i].Used))
	}
	return t.print(a.out, false, true)
}
