package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// maxQuotas bounds how far up the tree of quotas is gone.
const maxQuotas = 16

// chain is a quota and those above it. Who works in a project may read these by their names, and how the quota stands follows from
// them alone.
type chain struct {
	found  *unstructured.UnstructuredList
	quotas []v1alpha1.Quota
	// whole reports that all that there are may be seen.
	whole bool
}

// chainFrom reads a quota and those above it, as far as the user may see them.
func (a *app) chainFrom(ctx context.Context, name string) (*chain, error) {
	c := &chain{found: &unstructured.UnstructuredList{}, whole: true}
	for seen := map[string]bool{}; name != "" && !seen[name]; {
		if len(c.quotas) == maxQuotas {
			c.whole = false
			break
		}
		seen[name] = true
		u, err := a.get(ctx, quotas, "", name)
		if unseen(err) && len(c.quotas) > 0 {
			c.whole = apierrors.IsNotFound(err)
			break
		}
		if err != nil {
			return nil, err
		}
		quota, err := decode[v1alpha1.Quota](u)
		if err != nil {
			return nil, err
		}
		c.found.Items, c.quotas = append(c.found.Items, *u), append(c.quotas, *quota)
		name = quota.Spec.Parent
	}
	return c, nil
}

func (c *chain) books() *scheduling.Books { return scheduling.OpenBooks(c.quotas, c.whole) }

// ownQuota shows what the user, the project and those above it use, and may.
func (a *app) ownQuota(c *cobra.Command, out *output) error {
	name, err := a.currentQuota(c.Context())
	if err != nil {
		return err
	}
	chain, err := a.chainFrom(c.Context(), name)
	if err != nil {
		return err
	}
	if !out.table() {
		return out.list(a.out, chain.found)
	}
	user, err := a.whoAmI(c.Context())
	if err != nil {
		return err
	}
	return a.printOwnQuota(user, a.clients.project, chain, out.wide())
}

func (a *app) printOwnQuota(user, project string, chain *chain, wide bool) error {
	books := chain.books()
	a.noteHidden(&chain.quotas[0], books)
	a.noteUnready(&chain.quotas[0])
	if err := quotaTable(user, project, chain, books).print(a.out, wide, true); err != nil {
		return err
	}
	budgets := budgetTable(true)
	for i := range chain.quotas {
		budgets.addBudgets(&chain.quotas[i])
	}
	return a.printBudgetTable(budgets)
}

// quotaTable is what a user, a project and the quotas above it use, resource by resource, of what they may.
func quotaTable(user, project string, chain *chain, books *scheduling.Books) *table {
	t := &table{columns: append([]column{{name: "Whose"}, {name: "Quota"}}, standingColumns...)}
	add := func(whose, quota string, rows [][]any) {
		if len(rows) == 0 {
			rows = [][]any{{"", "0", "no limit"}}
		}
		for _, row := range rows {
			t.add(append([]any{whose, quota}, row...)...)
		}
	}
	for i := range chain.quotas {
		// In a quota without a limit for each user, what one uses oneself is told of the project's alone.
		if quota := &chain.quotas[i]; i == 0 || quota.Spec.PerUser != nil {
			add("you", quota.Name, shareRows(quota, user, books.Share(quota.Name, user)))
		}
	}
	for i := range chain.quotas {
		whose := "project " + project
		if i > 0 {
			whose = "above it"
		}
		add(whose, chain.quotas[i].Name, standing(&chain.quotas[i], books, "no limit"))
	}
	return t
}

// shareRows are what a user holds under a quota of what a single one may, and what of it is left.
func shareRows(quota *v1alpha1.Quota, user string, left v1alpha1.ResourceAmounts) [][]any {
	rest := texts(&left)
	var rows [][]any
	for _, s := range shareUse(quota, user) {
		rows = append(rows, []any{s.resource, s.used, s.limit, "", "", rest[s.resource]})
	}
	return rows
}

// shareUse is what a user holds under a quota of what a single one may.
func shareUse(quota *v1alpha1.Quota, user string) []share {
	used, told := usedBy(quota, user)
	all := shares(used, quota.Spec.PerUser, "no limit")
	if !told {
		for i := range all {
			all[i].used = fmt.Sprintf("less than %d others", v1alpha1.QuotaUsers)
		}
	}
	return all
}

// usedBy is what a user's jobs hold under a quota. The status tells of those who hold most; of whoever is not among them it does
// not say where it is full.
func usedBy(quota *v1alpha1.Quota, user string) (used *v1alpha1.ResourceAmounts, told bool) {
	for i := range quota.Status.Users {
		if quota.Status.Users[i].Name == user {
			return &quota.Status.Users[i].Used, true
		}
	}
	return nil, len(quota.Status.Users) < v1alpha1.QuotaUsers
}
