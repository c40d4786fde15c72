package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func newQueue(a *app) *cobra.Command {
	var out output
	allProjects := false
	c := &cobra.Command{
		Use: "queue", Short: "List the jobs that wait, in their order, with when they start and who holds what they wait for",
		Long: `List the jobs that wait for their start: each quota has its own order, in which jobs are looked at. A job whose reason says
that it cannot start comes last: it waits for somebody to change something.

When a job starts is an upper bound: every job runs for as long as it may, and none is submitted that goes before it.`,
		Example:           a.examples("queue", "what waits in the current project", "queue -A -o wide", "in all projects, with who holds what they wait for"),
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			return a.queue(c.Context(), allProjects, &out)
		},
	}
	c.Flags().BoolVarP(&allProjects, "all-projects", "A", false, "of every project")
	out.addTo(c)
	return c
}

func (a *app) queue(ctx context.Context, allProjects bool, out *output) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	namespace := c.project
	if allProjects {
		namespace = ""
	}
	pending := metav1.ListOptions{FieldSelector: "status.phase=" + string(v1alpha1.JobPending)}
	found, err := a.list(ctx, jobs, namespace, pending, 0)
	if err != nil {
		return err
	}
	inQueue(found)
	if len(found.Items) == 0 && out.table() {
		fmt.Fprintln(a.err, "nothing waits here; "+a.command("queue -A")+" looks at every project")
	}
	return queueListing().print(a.out, found, out, a.now())
}

// inQueue leaves the jobs that wait for their start, in the order of their places; who has none is last.
func inQueue(found *unstructured.UnstructuredList) {
	found.Items = slices.DeleteFunc(found.Items, func(u unstructured.Unstructured) bool {
		_, holds, _ := unstructured.NestedMap(u.Object, "status", "reservation") //nolint:errcheck // what is not a map is none
		return holds
	})
	place := func(u *unstructured.Unstructured) int64 {
		n, _, _ := unstructured.NestedInt64(u.Object, "status", "queue", "position") //nolint:errcheck // what is no number is none
		return n
	}
	slices.SortStableFunc(found.Items, func(a, b unstructured.Unstructured) int {
		x, y := place(&a), place(&b)
		switch {
		case x == 0 && y != 0:
			return 1
		case x != 0 && y == 0:
			return -1
		}
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
}

func queueListing() *listing[v1alpha1.Job] {
	return &listing[v1alpha1.Job]{
		resource: jobs,
		columns: []column{
			{name: "Place"}, {name: "Name"}, {name: "Project"}, {name: "Owner"}, {name: "Priority"}, {name: "Waits"}, {name: "Starts"},
			{name: "Reason"}, {name: "Held by", wide: true}, {name: "Message", wide: true},
		},
		rows: func(j *v1alpha1.Job, now time.Time) [][]any {
			place, waits, starts, held := "", "", "", ""
			if q := j.Status.Queue; q != nil {
				if q.Position > 0 {
					place = count(&q.Position)
				}
				if q.Since != nil && !q.Since.After(now) {
					waits = ago(q.Since.Time, now)
				}
				if q.ExpectedStart != nil {
					starts = "now"
					if q.ExpectedStart.After(now) {
						starts = "in " + ago(now, q.ExpectedStart.Time)
					}
				}
				held = strings.ReplaceAll(heldBy(q), "\n", "; ")
			}
			return [][]any{{
				place, j.Name, j.Namespace, j.Spec.SubmittedBy, string(cmp.Or(j.Spec.Priority, v1alpha1.PriorityNormal)), waits, starts,
				string(j.Status.Reason), held, j.Status.Message,
			}}
		},
	}
}
