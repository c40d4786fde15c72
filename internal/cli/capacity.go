package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/workload"
)

// room is how many jobs of a preset could start in a project.
type room struct {
	Project string `json:"project"`
	Cluster string `json:"cluster"`
	Preset  string `json:"preset"`
	// Startable is the smaller of the other two, of each GPU model by itself; none where nothing starts whatever is free.
	Startable int64  `json:"startable"`
	Nodes     int64  `json:"nodes"`
	Quota     int64  `json:"quota"`
	LimitedBy string `json:"limitedBy"`
	// Unknown is what is not told by which fewer may start; it is empty where all is.
	Unknown string `json:"unknown,omitempty"`
}

func newCapacity(a *app) *cobra.Command {
	var out output
	preset, allProjects := "", false
	c := &cobra.Command{
		Use: "capacity", Short: "See how many jobs of each preset could start now, and what limits that",
		Long: `See how many jobs of each preset could start now, of one replica each: as many as the nodes have room for and the
project's quota lets start. What is kept for jobs that wait is not counted: "soma queue" lists them.`,
		Example:           a.examples("capacity", "in the current project", "capacity --preset gpu-small -A", "of one preset, in all projects"),
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			return a.capacity(c.Context(), preset, allProjects, &out)
		},
	}
	c.Flags().StringVarP(&preset, "preset", "p", "", "of one preset")
	c.Flags().BoolVarP(&allProjects, "all-projects", "A", false, "of every project")
	completeFlag(c, "preset", a.presetNames())
	out.addTo(c)
	return c
}

func (a *app) capacity(ctx context.Context, preset string, allProjects bool, out *output) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	in, books, err := a.projectsAndBooks(ctx, c.project, allProjects)
	if err != nil {
		return err
	}
	of, err := a.list(ctx, clusters, "", metav1.ListOptions{}, 0)
	if err != nil {
		return err
	}
	user, err := a.whoAmI(ctx)
	if err != nil {
		return err
	}
	rooms, err := roomsIn(in, of, books, user, preset, time.Now())
	if err != nil {
		return err
	}
	return a.printRooms(rooms, preset, allProjects, out)
}

// projectsAndBooks reads a project, or all that the user may see, and how their quotas stand.
func (a *app) projectsAndBooks(ctx context.Context, project string, all bool) (*unstructured.UnstructuredList, *scheduling.Books, error) {
	if all {
		in, _, err := a.seen(ctx, projects, access.Project)
		if err != nil {
			return nil, nil, err
		}
		found, whole, err := a.seen(ctx, quotas, access.Quota)
		if err != nil {
			return nil, nil, err
		}
		return in, booksOf(found, whole), nil
	}
	u, err := a.get(ctx, projects, "", project)
	if err != nil {
		return nil, nil, err
	}
	in := &unstructured.UnstructuredList{Items: []unstructured.Unstructured{*u}}
	quota, _, err := unstructured.NestedString(u.Object, "spec", "quota")
	if err != nil || quota == "" {
		return in, scheduling.OpenBooks(nil, true), err
	}
	above, err := a.chainFrom(ctx, quota)
	if err != nil {
		return nil, nil, err
	}
	return in, above.books(), nil
}

// roomsIn tells of every preset, or of one, in each of the projects.
func roomsIn(in, of *unstructured.UnstructuredList, books *scheduling.Books, user, preset string, now time.Time) ([]room, error) {
	var rooms []room
	for i := range in.Items {
		project, err := decode[v1alpha1.Project](&in.Items[i])
		if err != nil {
			return nil, err
		}
		for k := range of.Items {
			cluster, err := decode[v1alpha1.Cluster](&of.Items[k])
			if err != nil {
				return nil, err
			}
			for _, p := range cluster.Spec.Presets {
				if preset == "" || p.Name == preset {
					rooms = append(rooms, roomIn(project, cluster, p.Name, books, user, now))
				}
			}
		}
	}
	slices.SortStableFunc(rooms, func(a, b room) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Cluster, b.Cluster))
	})
	return rooms, nil
}

func roomIn(project *v1alpha1.Project, cluster *v1alpha1.Cluster, preset string, books *scheduling.Books, user string, now time.Time) room {
	r := room{Project: project.Name, Cluster: cluster.Name, Preset: preset}
	asks, refused := workload.Resolve(&v1alpha1.JobSpec{Preset: preset}, &cluster.Spec)
	if refused != nil {
		r.LimitedBy = refused.Message
		return r
	}
	there, told := v1alpha1.PresetRoom{}, false
	for i := range cluster.Status.Presets {
		if cluster.Status.Presets[i].Name == preset {
			there, told = cluster.Status.Presets[i], true
		}
	}
	r.Nodes = there.Startable
	bound := "the project has no quota"
	if project.Spec.Quota != "" {
		job := scheduling.Request{
			Replica:  scheduling.AmountsOf(asks.Replica.CPU, asks.Replica.Memory, int64(asks.Replica.GPUs)),
			Replicas: 1, Models: asks.Models,
		}
		nodes := byModel(&there, &job)
		inQuota, both := books.Startable(project.Spec.Quota, user, job, nil), books.Startable(project.Spec.Quota, user, job, nodes)
		r.Quota, bound = inQuota.Jobs, inQuota.Bound
		r.Startable, r.Unknown = both.Jobs, both.Doubt
	}
	closed := closed(cluster, books, project.Spec.Quota, now)
	if closed != "" {
		r.Startable, r.Unknown = 0, ""
	}
	switch {
	case closed != "":
		r.LimitedBy = closed
	case !told:
		r.LimitedBy = "the cluster does not tell yet what is free"
	case there.Limit == v1alpha1.RoomNoSuchNode:
		r.LimitedBy = "no node is of that kind, or so large"
	case r.Startable == r.Quota:
		r.LimitedBy = bound
	case r.Startable < r.Nodes:
		r.LimitedBy = "the GPUs that are free and those that the quota leaves are of different models"
	case there.Limit == v1alpha1.RoomFragmented:
		r.LimitedBy = "enough is free, but on no single node"
	case there.Limit == v1alpha1.RoomInUse:
		r.LimitedBy = "the nodes are in use"
	default:
		r.LimitedBy = "what is free on nodes"
	}
	return r
}

// closed is why nothing starts now under the quota on the cluster, whatever is free; empty where that is not so.
func closed(cluster *v1alpha1.Cluster, books *scheduling.Books, quota string, now time.Time) string {
	if cluster.DeletionTimestamp != nil || !meta.IsStatusConditionTrue(cluster.Status.Conditions, v1alpha1.ConditionReady) {
		return "the cluster is not ready"
	}
	for _, q := range books.From(quota) {
		if q.DeletionTimestamp != nil {
			return fmt.Sprintf("quota %q is being deleted", q.Name)
		}
	}
	return unpaid(books, quota, now)
}

// unpaid is the budget that lets nothing start under the quota now; empty for none.
func unpaid(books *scheduling.Books, quota string, now time.Time) string {
	for _, q := range books.From(quota) {
		for i := range q.Spec.Budgets {
			b := &q.Spec.Budgets[i]
			if why := accounting.Hinders(q.Name, b, accounting.StatusOf(q.Status.Budgets, b.Name), now); why != "" {
				return why
			}
		}
	}
	return ""
}

// byModel is how many jobs nodes have room for, by GPU model. A job that takes any takes those that there are, also of nodes that do
// not say of which model theirs are.
func byModel(there *v1alpha1.PresetRoom, job *scheduling.Request) map[string]int64 {
	nodes, rest := map[string]int64{}, there.Startable
	anyModel := len(job.Models) == 0
	for _, room := range there.Models {
		nodes[room.Model] = room.Startable
		rest -= room.Startable
		if anyModel {
			job.Models = append(job.Models, room.Model)
		}
	}
	if nodes[""] = rest; anyModel && rest > 0 && len(job.Models) > 0 {
		job.Models = append(job.Models, "")
	}
	return nodes
}

func (a *app) printRooms(rooms []room, preset string, allProjects bool, out *output) error {
	if !out.table() {
		names := make([]string, 0, len(rooms))
		for _, r := range rooms {
			names = append(names, r.Preset)
		}
		return out.data(a.out, strings.Join(names, "\n"), map[string]any{"items": rooms})
	}
	if len(rooms) == 0 && preset != "" {
		return fmt.Errorf("there is no preset %q; %s lists them", preset, a.command("preset ls"))
	}
	t := &table{columns: []column{{name: "Preset"}, {name: "Cluster"}, {name: "Can start"}, {name: "Limited by"}, {name: "On nodes", wide: true}, {name: "In quota", wide: true}}}
	if allProjects {
		t.columns = append([]column{{name: "Project"}}, t.columns...)
	}
	for _, r := range rooms {
		start, why := fmt.Sprint(r.Startable), r.LimitedBy
		if r.Unknown != "" {
			start, why = "up to "+start, why+"; not told is "+r.Unknown
		}
		cells := []any{r.Preset, r.Cluster, start, why, fmt.Sprint(r.Nodes), fmt.Sprint(r.Quota)}
		if allProjects {
			cells = append([]any{r.Project}, cells...)
		}
		t.add(cells...)
	}
	return t.print(a.out, out.wide(), true)
}
