package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/scheduling"
)

// branch is a quota in the tree, and the jobs that wait in it.
type branch struct {
	Quota  string `json:"quota"`
	Parent string `json:"parent,omitempty"`
	// Used is what is in use under the quota, Most what may be.
	Used *v1alpha1.ResourceAmounts `json:"used,omitempty"`
	Most *v1alpha1.ResourceAmounts `json:"most,omitempty"`
	// Waiting is how many jobs wait under the quota; it is not given where the quota may not be seen.
	Waiting *int32       `json:"waiting,omitempty"`
	Jobs    []waitingJob `json:"jobs,omitempty"`

	depth int
	use   map[string]string
	jobs  []*v1alpha1.Job
}

// waitingJob is a job of a branch.
type waitingJob struct {
	Place         int32              `json:"place,omitempty"`
	Project       string             `json:"project"`
	Name          string             `json:"name"`
	User          string             `json:"user"`
	Reason        v1alpha1.JobReason `json:"reason"`
	ExpectedStart *metav1.Time       `json:"expectedStart,omitempty"`
}

// queueTree prints the waiting jobs below the quotas of their projects: those of the current project's chain, or all that may be seen.
func (a *app) queueTree(ctx context.Context, waiting *unstructured.UnstructuredList, of map[string]string, allProjects bool, out *output) error {
	found, whole := &unstructured.UnstructuredList{}, true
	var err error
	switch quota := of[a.clients.project]; {
	case allProjects:
		if found, whole, err = a.seen(ctx, quotas, access.Quota); apierrors.IsForbidden(err) {
			found, whole, err = &unstructured.UnstructuredList{}, false, nil
		}
	case quota != "":
		var above *chain
		if above, err = a.chainFrom(ctx, quota); err == nil {
			found, whole = above.found, above.whole
		}
	}
	if err != nil && !unseen(err) {
		return err
	}
	return a.printTree(treeOf(found, whole, waiting, of), out)
}

// treeOf puts the jobs, which are in their order, below their quotas. A quota under which nothing waits is left out; one that may not be
// seen comes last, without its figures, and so do those jobs whose project has none.
func treeOf(found *unstructured.UnstructuredList, whole bool, waiting *unstructured.UnstructuredList, of map[string]string) []*branch {
	asTree(found)
	books := booksOf(found, whole)
	var all []*branch
	byName := map[string]*branch{}
	add := func(b *branch) *branch {
		all, byName[b.Quota] = append(all, b), b
		return b
	}
	for i := range found.Items {
		q, err := decode[v1alpha1.Quota](&found.Items[i])
		if err != nil { // one bad object does not hide the others
			continue
		}
		add(branchOf(q, books, byName[q.Spec.Parent]))
	}
	for i := range waiting.Items {
		job, err := decode[v1alpha1.Job](&waiting.Items[i])
		if err != nil {
			continue
		}
		b := byName[of[job.Namespace]]
		if b == nil {
			b = add(&branch{Quota: of[job.Namespace]})
		}
		b.add(job)
	}
	kept := map[string]bool{}
	for i := len(all) - 1; i >= 0; i-- { // children come after their parents
		b := all[i]
		if len(b.Jobs) > 0 || b.Waiting != nil && *b.Waiting > 0 || kept[b.Quota] {
			kept[b.Quota], kept[b.Parent] = true, true
		}
	}
	var tree []*branch
	for _, b := range all {
		if kept[b.Quota] {
			tree = append(tree, b)
		}
	}
	return tree
}

func branchOf(q *v1alpha1.Quota, books *scheduling.Books, parent *branch) *branch {
	balance := books.Balance(q.Name)
	b := &branch{Quota: q.Name, Parent: q.Spec.Parent, Used: q.Status.Used, Most: &balance.Most, Waiting: &q.Status.WaitingJobs, use: useText(q, books)}
	if parent != nil {
		b.depth = parent.depth + 1
	}
	return b
}

func (b *branch) add(job *v1alpha1.Job) {
	w := waitingJob{Project: job.Namespace, Name: job.Name, User: job.Spec.SubmittedBy, Reason: job.Status.Reason}
	if q := job.Status.Queue; q != nil {
		w.Place, w.ExpectedStart = q.Position, q.ExpectedStart
	}
	b.Jobs, b.jobs = append(b.Jobs, w), append(b.jobs, job)
}

func (a *app) printTree(tree []*branch, out *output) error {
	if !out.table() {
		var names []string
		for _, b := range tree {
			for _, job := range b.Jobs {
				names = append(names, fmt.Sprintf("%s.%s/%s", singular(jobs), jobs.Group, job.Name))
			}
		}
		return out.data(a.out, strings.Join(names, "\n"), map[string]any{"items": tree})
	}
	if len(tree) == 0 {
		fmt.Fprintln(a.err, "nothing waits here; "+a.command("queue --tree -A")+" looks at every project")
	}
	return treeTable(tree, a.now()).print(a.out, out.wide(), true)
}

// indent is that of one level of the tree.
const indent = "  "

func treeTable(tree []*branch, now time.Time) *table {
	t := &table{columns: []column{
		{name: "Quota / job"}, {name: "GPUs"}, {name: "CPU"}, {name: "Memory"}, {name: "Waiting"}, {name: "Place"}, {name: "Project"}, {name: "Owner"},
		{name: "Reason"}, {name: "Starts"}, {name: "Held by", wide: true}, {name: "Message", wide: true},
	}}
	for _, b := range tree {
		name, margin := b.Quota, strings.Repeat(indent, b.depth)
		if name == "" {
			name = "(no quota)"
		}
		t.add(margin+name, b.use["gpus"], b.use["cpu"], b.use["memory"], count(b.Waiting), "", "", "", "", "", "", "")
		for _, job := range b.jobs {
			text := queuedText(job, now)
			t.add(margin+indent+job.Name, "", "", "", "", text.place, job.Namespace, job.Spec.SubmittedBy, string(job.Status.Reason), text.starts, text.held, job.Status.Message)
		}
	}
	return t
}
