package cli

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// What is borrowed, lent and left follows from all quotas and what they say is in use: it is worked out here and stands in no status,
// as the start of one job would change that of every quota in its tree.

// books are those of all quotas.
func (a *app) books(ctx context.Context) (*scheduling.Books, error) {
	found, err := a.list(ctx, quotas, "", metav1.ListOptions{}, 0)
	if err != nil {
		return nil, err
	}
	return booksOf(found), nil
}

func booksOf(found *unstructured.UnstructuredList) *scheduling.Books {
	var all []v1alpha1.Quota
	for i := range found.Items {
		if q, err := decode[v1alpha1.Quota](&found.Items[i]); err == nil && q.DeletionTimestamp == nil {
			all = append(all, *q)
		}
	}
	return scheduling.OpenBooks(all)
}

// withBalance adds to a list of quotas what they have left, and by -o wide what they have borrowed and lent.
func withBalance(l listing[v1alpha1.Quota]) listing[v1alpha1.Quota] {
	books := scheduling.OpenBooks(nil)
	order, rows := l.order, l.rows
	l.columns = append(l.columns, column{name: "GPUs left"}, column{name: "GPUs borrowed", wide: true}, column{name: "GPUs lent", wide: true})
	l.order = func(found *unstructured.UnstructuredList) {
		books = booksOf(found)
		order(found)
	}
	l.rows = func(q *v1alpha1.Quota, now time.Time) [][]any {
		b := books.Balance(q.Name)
		all := rows(q, now)
		for i := range all {
			all[i] = append(all[i], count(b.Left.GPUs), count(b.Borrowed.GPUs), count(b.Lent.GPUs))
		}
		return all
	}
	return l
}

// printBalance prints how a quota stands, resource by resource.
func (a *app) printBalance(q *v1alpha1.Quota, b scheduling.Balance) error {
	amount := func(of *v1alpha1.ResourceAmounts) map[string]string {
		texts := map[string]string{}
		for _, s := range shares(of, nil, "") {
			texts[s.resource] = s.used
		}
		return texts
	}
	borrowed, lent, left := amount(&b.Borrowed), amount(&b.Lent), amount(&b.Left)
	t := &table{columns: []column{{name: "Resource"}, {name: "Used"}, {name: "Of"}, {name: "Borrowed"}, {name: "Lent"}, {name: "Left"}}}
	for _, s := range shares(q.Status.Used, &q.Spec.Nominal, "-") {
		t.add(s.resource, s.used, s.limit, borrowed[s.resource], lent[s.resource], left[s.resource])
	}
	return t.print(a.out, false, true)
}
