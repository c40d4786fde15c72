package cli

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

func newQueue(a *app) *cobra.Command {
	var out output
	allProjects, tree := false, false
	c := &cobra.Command{
		Use: "queue", Short: "List the jobs that wait, in their order, with when they start (and, with -o wide, who holds what they wait for)",
		Long: `List the jobs that wait for their start: each quota has its own order, in which jobs are looked at. A job whose reason says
that it cannot start comes last: it waits for somebody to change something.

When a job starts is an upper bound: every job runs for as long as it may, and none is submitted that goes before it. Late is a job that
should have started by now and was not told anew.

With --tree each job stands below its quota, and that below its parent, with how much of what each may use is in use, and how many jobs
wait under it, also those of projects that are not shown.`,
		Example: a.examples("queue", "what waits in the current project", "queue -A -o wide", "in all projects, with who holds what they wait for",
			"queue --tree", "below the project's quota and those above it", "queue --tree -A", "below all quotas"),
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			return a.queue(c.Context(), allProjects, tree, &out)
		},
	}
	c.Flags().BoolVarP(&allProjects, "all-projects", "A", false, "of every project")
	c.Flags().BoolVar(&tree, "tree", false, "below the quotas that they wait in")
	out.addTo(c)
	return c
}

func (a *app) queue(ctx context.Context, allProjects, tree bool, out *output) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	in := &unstructured.UnstructuredList{}
	switch {
	case allProjects:
		if in, _, err = a.seen(ctx, projects, access.Project); apierrors.IsForbidden(err) {
			in, err = &unstructured.UnstructuredList{}, nil // who may list all jobs need not see projects
		}
	case tree:
		var u *unstructured.Unstructured
		if u, err = a.get(ctx, projects, "", c.project); err == nil {
			in.Items = append(in.Items, *u)
		}
	}
	if err != nil {
		return err
	}
	waiting, err := a.waiting(ctx, in, allProjects)
	if err != nil {
		return err
	}
	of := quotasByProject(in)
	inQueue(waiting, of)
	if tree {
		return a.queueTree(ctx, waiting, of, allProjects, out)
	}
	if len(waiting.Items) == 0 && out.table() {
		fmt.Fprintln(a.err, "nothing waits here; "+a.command("queue -A")+" looks at every project")
	}
	l := queueListing()
	if allProjects {
		l = withQuota(l, of)
	}
	return l.print(a.out, waiting, out, a.now())
}

// waiting reads the pending jobs of the current project, or of all that may be seen: who may not list those of all is shown those of
// each of the projects that they may see.
func (a *app) waiting(ctx context.Context, in *unstructured.UnstructuredList, allProjects bool) (*unstructured.UnstructuredList, error) {
	pending := metav1.ListOptions{FieldSelector: "status.phase=" + string(v1alpha1.JobPending)}
	if !allProjects {
		return a.list(ctx, jobs, a.clients.project, pending, 0)
	}
	found, err := a.list(ctx, jobs, "", pending, 0)
	if !apierrors.IsForbidden(err) || len(in.Items) == 0 {
		return found, err
	}
	found = &unstructured.UnstructuredList{}
	for i := range in.Items {
		some, err := a.list(ctx, jobs, in.Items[i].GetName(), pending, 0)
		if unseen(err) { // they may see something else in it
			continue
		}
		if err != nil {
			return nil, err
		}
		found.Items = append(found.Items, some.Items...)
	}
	return found, nil
}

// quotasByProject are the names of the quotas of projects.
func quotasByProject(in *unstructured.UnstructuredList) map[string]string {
	of := map[string]string{}
	for i := range in.Items {
		name, _, _ := unstructured.NestedString(in.Items[i].Object, "spec", "quota") //nolint:errcheck // what is no string is none
		of[in.Items[i].GetName()] = name
	}
	return of
}

// inQueue leaves the jobs that wait for their start, quota by quota as far as those of their projects are given, in the order of their
// places; who has none is last.
func inQueue(found *unstructured.UnstructuredList, of map[string]string) {
	found.Items = slices.DeleteFunc(found.Items, func(u unstructured.Unstructured) bool {
		_, holds, _ := unstructured.NestedMap(u.Object, "status", "reservation") //nolint:errcheck // what is not a map is none
		return holds
	})
	place := func(u *unstructured.Unstructured) int64 {
		n, _, _ := unstructured.NestedInt64(u.Object, "status", "queue", "position") //nolint:errcheck // what is no number is none
		if n == 0 {
			return math.MaxInt64
		}
		return n
	}
	slices.SortStableFunc(found.Items, func(a, b unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(of[a.GetNamespace()], of[b.GetNamespace()]), cmp.Compare(place(&a), place(&b)),
			cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
}

// queued is a waiting job in words.
type queued struct{ place, waits, starts, held string }

func queuedText(j *v1alpha1.Job, now time.Time) queued {
	q := j.Status.Queue
	if q == nil {
		return queued{}
	}
	text := queued{held: strings.ReplaceAll(heldBy(q), "\n", "; ")}
	if q.Position > 0 {
		text.place = count(&q.Position)
	}
	if q.Since != nil && !q.Since.After(now) {
		text.waits = ago(q.Since.Time, now)
	}
	text.starts = startsIn(q, now)
	return text
}

func queueListing() *listing[v1alpha1.Job] {
	return &listing[v1alpha1.Job]{
		resource: jobs,
		columns: []column{
			{name: "Place"}, {name: "Name"}, {name: "Project"}, {name: "Owner"}, {name: "Priority"}, {name: "Waits"}, {name: "Starts"},
			{name: "Reason"}, {name: "Held by", wide: true}, {name: "Message", wide: true},
		},
		rows: func(j *v1alpha1.Job, now time.Time) [][]any {
			text := queuedText(j, now)
			return [][]any{{
				text.place, j.Name, j.Namespace, j.Spec.SubmittedBy, string(cmp.Or(j.Spec.Priority, v1alpha1.PriorityNormal)), text.waits, text.starts,
				string(j.Status.Reason), text.held, j.Status.Message,
			}}
		},
	}
}

// withQuota begins each row with the quota of the job's project: places are those in its order.
func withQuota(l *listing[v1alpha1.Job], of map[string]string) *listing[v1alpha1.Job] {
	rows := l.rows
	l.columns = append([]column{{name: "Quota"}}, l.columns...)
	l.rows = func(j *v1alpha1.Job, now time.Time) [][]any {
		all := rows(j, now)
		for i := range all {
			all[i] = append([]any{of[j.Namespace]}, all[i]...)
		}
		return all
	}
	return l
}

// startsIn says in how long a waiting job starts, as far as that is known.
func startsIn(q *v1alpha1.QueueStatus, now time.Time) string {
	switch {
	case q.ExpectedStart == nil:
		return ""
	case overdue(q, now):
		return "late"
	case !q.ExpectedStart.After(now):
		return "now"
	}
	return "in " + ago(now, q.ExpectedStart.Time)
}
