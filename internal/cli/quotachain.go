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

// quotaChain reads the quota of the current project and those above it, as far as the user may see them.
func (a *app) quotaChain(ctx context.Context) (*unstructured.UnstructuredList, []*v1alpha1.Quota, error) {
	name, err := a.currentQuota(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, chain := &unstructured.UnstructuredList{}, []*v1alpha1.Quota(nil)
	for seen := map[string]bool{}; name != "" && !seen[name] && len(chain) < maxQuotas; {
		seen[name] = true
		u, err := a.get(ctx, quotas, "", name)
		if unseen(err) && len(chain) > 0 {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		quota, err := decode[v1alpha1.Quota](u)
		if err != nil {
			return nil, nil, err
		}
		found.Items, chain = append(found.Items, *u), append(chain, quota)
		name = quota.Spec.Parent
	}
	return found, chain, nil
}

// ownQuota shows what the user, the project and those above it use, and may.
func (a *app) ownQuota(c *cobra.Command, out *output) error {
	found, chain, err := a.quotaChain(c.Context())
	if err != nil {
		return err
	}
	if !out.table() {
		return out.list(a.out, found)
	}
	user, err := a.whoAmI(c.Context())
	if err != nil {
		return err
	}
	return a.quotaTable(user, a.clients.project, chain).print(a.out, out.wide(), true)
}

// quotaTable is what a user, a project and the quotas above it use, resource by resource, of what they may.
func (a *app) quotaTable(user, project string, chain []*v1alpha1.Quota) *table {
	t := &table{columns: []column{{name: "Whose"}, {name: "Quota"}, {name: "Resource"}, {name: "Used"}, {name: "Of"}}}
	add := func(whose, quota string, all []share) {
		if len(all) == 0 {
			t.add(whose, quota, "", "0", "no limit")
		}
		for _, s := range all {
			t.add(whose, quota, s.resource, s.used, s.limit)
		}
	}
	for i, quota := range chain {
		// In a quota without a limit for each user, what one uses oneself is told of the project's alone.
		if i == 0 || quota.Spec.PerUser != nil {
			used, told := usedBy(quota, user)
			all := shares(used, quota.Spec.PerUser, "no limit")
			for n := range all {
				if !told {
					all[n].used = fmt.Sprintf("less than %d others", v1alpha1.QuotaUsers)
				}
			}
			add("you", quota.Name, all)
		}
	}
	for i, quota := range chain {
		whose := "project " + project
		if i > 0 {
			whose = "above it"
		}
		add(whose, quota.Name, shares(quota.Status.Used, &quota.Spec.Nominal, "no limit"))
	}
	return t
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

// booksIfSeen are the books of all quotas, nil where the user may not see all of them.
func (a *app) booksIfSeen(ctx context.Context) (*scheduling.Books, error) {
	books, err := a.books(ctx)
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	return books, err
}

// printQuotaUse shows what a quota has and what of it is used, where what others borrow and lend may not be seen.
func (a *app) printQuotaUse(q *v1alpha1.Quota) error {
	fmt.Fprintln(a.err, "What is borrowed and lent follows from all quotas, which are not shown to you.")
	return a.printShares(shares(q.Status.Used, &q.Spec.Nominal, "-"))
}
