package cli

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// What is borrowed, lent and left follows from a quota and those above it: it is worked out here and stands in no status, as the
// start of one job would change that of every quota in its tree.

// booksOf are those of quotas, which may be all that there are.
func booksOf(found *unstructured.UnstructuredList, all bool) *scheduling.Books {
	var read []v1alpha1.Quota
	for i := range found.Items {
		if q, err := decode[v1alpha1.Quota](&found.Items[i]); err == nil {
			read = append(read, *q)
		}
	}
	return scheduling.OpenBooks(read, all)
}

// standingColumns are how a quota stands in a resource: what is used, what may be at most, its own and what it may borrow, and what of
// that is borrowed, lent and left.
var standingColumns = []column{{name: "Resource"}, {name: "Used"}, {name: "Of"}, {name: "Borrowed"}, {name: "Lent"}, {name: "Left"}}

// standing are the rows of a quota. missing is what is said where there is no limit.
func standing(q *v1alpha1.Quota, books *scheduling.Books, missing string) [][]any {
	b := books.Balance(q.Name)
	if b.Hidden != "" {
		missing = "?"
	}
	borrowed, lent, left := texts(&b.Borrowed), texts(&b.Lent), texts(&b.Left)
	var rows [][]any
	for _, s := range shares(q.Status.Used, &b.Most, missing) {
		rows = append(rows, []any{s.resource, s.used, s.limit, borrowed[s.resource], lent[s.resource], left[s.resource]})
	}
	return rows
}

// noteHidden says that what is told of a quota, and of those above it, is a bound where not all of them may be seen.
func (a *app) noteHidden(q *v1alpha1.Quota, books *scheduling.Books) {
	if hidden := books.Balance(q.Name).Hidden; hidden != "" {
		fmt.Fprintf(a.err, "Quota %s above %s is not shown to you: no more is left than is told, but it may be less, and more be lent.\n", hidden, q.Name)
	}
}

// noteUnready says why a quota is not ready, if so: nothing starts under one whose parent does not exist, whatever is left.
func (a *app) noteUnready(q *v1alpha1.Quota) {
	if ready, why := readiness(q.Status.Conditions); ready == "False" {
		fmt.Fprintf(a.err, "Quota %s is not ready: %s\n", q.Name, why)
	}
}

// printBalance prints how a quota stands, resource by resource.
func (a *app) printBalance(q *v1alpha1.Quota, books *scheduling.Books) error {
	a.noteHidden(q, books)
	t := &table{columns: standingColumns, rows: standing(q, books, "-")}
	return t.print(a.out, false, true)
}

// useText is how much of each resource of a quota is used, of what may be.
func useText(q *v1alpha1.Quota, books *scheduling.Books) map[string]string {
	b := books.Balance(q.Name)
	missing := "-"
	if b.Hidden != "" {
		missing = "?"
	}
	of := map[string]string{}
	for _, s := range shares(q.Status.Used, &b.Most, missing) {
		of[s.resource] = s.used + "/" + s.limit
	}
	return of
}

func quotaListing() *listing[v1alpha1.Quota] {
	books := scheduling.OpenBooks(nil, true)
	return &listing[v1alpha1.Quota]{
		resource: quotas, short: "List quotas, each below its parent", order: asTree,
		look: func(found *unstructured.UnstructuredList, all bool) { books = booksOf(found, all) },
		none: "There are no quotas that you may see: those of a project are shown to who reads it.",
		columns: []column{
			{name: "Name"}, {name: "Parent"}, {name: "Ready"}, {name: "GPUs used"}, {name: "CPU used"}, {name: "Memory used"}, {name: "Jobs"}, {name: "Waiting"},
			{name: "Projects"}, {name: "Budget"}, {name: "Message", wide: true}, {name: "GPUs left"}, {name: "GPUs borrowed", wide: true}, {name: "GPUs lent", wide: true},
		},
		rows: func(q *v1alpha1.Quota, _ time.Time) [][]any {
			ready, why := readiness(q.Status.Conditions)
			of, b := useText(q, books), books.Balance(q.Name)
			return [][]any{{
				q.Name, q.Spec.Parent, ready, of["gpus"], of["cpu"], of["memory"], of["running jobs"], fmt.Sprint(q.Status.WaitingJobs),
				fmt.Sprint(q.Status.Projects), fullest(q), why, count(b.Left.GPUs), count(b.Borrowed.GPUs), count(b.Lent.GPUs),
			}}
		},
	}
}
