package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// quotaMatters reports whether a quota, or its budget, is the reason.
func quotaMatters(reason v1alpha1.JobReason) bool {
	return reason == v1alpha1.JobReasonQuotaExceeded || reason == v1alpha1.JobReasonQuotaTooSmall || budgetMatters(reason)
}

func budgetMatters(reason v1alpha1.JobReason) bool {
	return reason == v1alpha1.JobReasonBudgetExhausted || reason == v1alpha1.JobReasonQuotaExhausted
}

// quotaOf reads the quota of a project and those above it, nil where it has none.
func (a *app) quotaOf(ctx context.Context, project string) (*chain, error) {
	u, err := a.get(ctx, projects, "", project)
	if err != nil {
		return nil, err
	}
	p, err := decode[v1alpha1.Project](u)
	if err != nil || p.Spec.Quota == "" {
		return nil, err
	}
	return a.chainFrom(ctx, p.Spec.Quota)
}

// describeQuotas says in lines how that quota of a chain stands which is the reason, or the user's share of it; or how budgets do, of
// which any may be it. It says nothing of a quota that may not be seen.
func describeQuotas(of *chain, job *v1alpha1.Job) (lines []string) {
	user := job.Spec.SubmittedBy
	says := func(bound string) bool { return strings.HasPrefix(job.Status.Message, bound) }
	for i := range of.quotas {
		quota := &of.quotas[i]
		switch {
		case budgetMatters(job.Status.Reason):
			if budgets := describeBudgets(quota); len(budgets) > 0 {
				lines = append(append(lines, quota.Name), budgets...)
			}
		case says(scheduling.BoundName(quota.Name, "")):
			return append([]string{quota.Name}, usesOf(describeUse(quota, of.books()))...)
		case says(scheduling.BoundName(quota.Name, user)):
			return append([]string{fmt.Sprintf("the share of %s in %s", user, quota.Name)}, usesOf(shareUse(quota, user))...)
		}
	}
	return lines
}

// describeUse is what of a quota is in use.
func describeUse(quota *v1alpha1.Quota, books *scheduling.Books) []share {
	b := books.Balance(quota.Name)
	missing := "no limit"
	if b.Hidden != "" {
		missing = "what is not shown to you"
	}
	return shares(quota.Status.Used, &b.Most, missing)
}

func usesOf(all []share) []string {
	lines := make([]string, 0, len(all))
	for _, s := range all {
		lines = append(lines, fmt.Sprintf("%s: %s of %s in use", s.resource, s.used, s.limit))
	}
	return lines
}
