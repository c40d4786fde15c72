package cli

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// update writes the golden files anew: go test ./internal/cli -run TestGolden -update.
var update = flag.Bool("update", false, "write the golden files anew")

// objects are those of testdata/objects.yaml that have the kind, as a list of the API server.
func objects(t *testing.T, kind string) *unstructured.UnstructuredList {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "objects.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all, of := &unstructured.UnstructuredList{}, &unstructured.UnstructuredList{}
	if text, err = yaml.YAMLToJSON(text); err == nil {
		err = all.UnmarshalJSON(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range all.Items {
		if u.GetKind() == kind {
			of.Items = append(of.Items, u)
		}
	}
	return of
}

// first is the first object of the kind, as it is read and as its Go type.
func first[T any](t *testing.T, kind string) (*unstructured.Unstructured, *T) {
	t.Helper()
	u := &objects(t, kind).Items[0]
	object, err := decode[T](u)
	if err != nil {
		t.Fatal(err)
	}
	return u, object
}

// What programs read, and what people read in a pipe, is a contract: a change of it shows here.
func TestGolden(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })

	printJobs := func(a *app, out *output) error {
		f := &psFlags{output: *out}
		var live, records []row
		for _, u := range objects(t, "Job").Items {
			live = append(live, liveRow(&u))
		}
		for _, u := range objects(t, "JobRecord").Items {
			records = append(records, recordRow(&u))
		}
		return a.printRows(context.Background(), f, mergeRows(live, records), true, noon)
	}
	of := quotasByProject(objects(t, "Project"))
	pending := func() *unstructured.UnstructuredList {
		found := objects(t, "Job")
		found.Items = slices.DeleteFunc(found.Items, func(u unstructured.Unstructured) bool { return liveRow(&u).phase != v1alpha1.JobPending })
		inQueue(found, of)
		return found
	}
	commands := map[string]func(a *app, out *output) error{
		"ps": printJobs,
		"ps -A": func(a *app, out *output) error {
			f := &psFlags{output: *out, allProjects: true}
			return a.printRows(context.Background(), f, []row{liveRow(&objects(t, "Job").Items[0])}, false, noon)
		},
		"status": func(a *app, out *output) error {
			u, job := first[v1alpha1.Job](t, "Job")
			return a.printJob(job, u, out)
		},
		"status of a failed job": func(a *app, out *output) error {
			u := &objects(t, "Job").Items[2]
			job, err := decode[v1alpha1.Job](u)
			if err != nil {
				return err
			}
			return a.printJob(job, u, out)
		},
		"project ls": func(a *app, out *output) error {
			l := a.projectListing()
			return l.print(a.out, objects(t, "Project"), out, noon)
		},
		"project status": func(a *app, out *output) error {
			u, project := first[v1alpha1.Project](t, "Project")
			_, quota := first[v1alpha1.Quota](t, "Quota")
			return printedAs(a, out, u, func() error {
				return a.describeProject(project, &chain{quotas: []v1alpha1.Quota{*quota}, whole: true})
			})
		},
		"queue": func(a *app, out *output) error { return queueListing().print(a.out, pending(), out, noon) },
		"queue -A": func(a *app, out *output) error {
			return withQuota(queueListing(), of).print(a.out, pending(), out, noon)
		},
		"quota ls": func(a *app, out *output) error {
			l, found := quotaListing(), objects(t, "Quota")
			l.order(found)
			l.look(found, true)
			return l.print(a.out, found, out, noon)
		},
		"quota status": func(a *app, out *output) error {
			u, quota := first[v1alpha1.Quota](t, "Quota")
			return printedAs(a, out, u, func() error { return a.describeQuota(quota, booksOf(objects(t, "Quota"), true)) })
		},
		"cluster ls": func(a *app, out *output) error {
			l := clusterListing()
			return l.print(a.out, objects(t, "Cluster"), out, noon)
		},
		"cluster status": func(a *app, out *output) error {
			u, cl := first[v1alpha1.Cluster](t, "Cluster")
			return printedAs(a, out, u, func() error { return a.describeCluster(cl, out.wide()) })
		},
		"preset ls": func(a *app, out *output) error {
			l := presetListing()
			return l.print(a.out, objects(t, "Cluster"), out, noon)
		},
	}
	formats := map[string]string{"table": "", "wide": "wide", "json": "json", "yaml": "yaml", "name": "name", "jsonpath": "jsonpath={..metadata.name}"}
	for name, run := range commands {
		for format, flag := range formats {
			t.Run(name+"/"+format, func(t *testing.T) {
				var out, errOut bytes.Buffer
				a := &app{program: "soma", out: &out, err: &errOut, now: func() time.Time { return noon }, clients: &clients{project: "vision"},
					style: styleFor(&errOut, func(string) string { return "" })}
				if err := run(a, &output{format: flag}); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(out.String()+errOut.String(), "\x1b") || errOut.Len() > 0 {
					t.Errorf("a pipe gets colours, or standard error something: %q", errOut.String())
				}
				golden(t, strings.ReplaceAll(name, " ", "-")+"."+format, out.Bytes())
			})
		}
	}
}

// What explain says is no object: programs read its lines as a map.
func TestGoldenExplain(t *testing.T) {
	job := &v1alpha1.Job{Status: v1alpha1.JobStatus{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonQuotaExceeded, Message: `quota "research" is in use: the job asks for 4 GPUs, 1 of 4 GPUs are held`}}
	job.Name = "train-x7k2p"
	_, quota := first[v1alpha1.Quota](t, "Quota")
	fields := explainJob(job, &chain{quotas: []v1alpha1.Quota{*quota}, whole: true}, "soma", noon)
	for name, format := range map[string]string{"json": "json", "yaml": "yaml", "name": "name", "jsonpath": "jsonpath={.toDo}"} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := (&output{format: format}).data(&out, job.Name, fieldMap(fields)); err != nil {
				t.Fatal(err)
			}
			golden(t, "explain."+name, out.Bytes())
		})
	}
	var out bytes.Buffer
	(&app{program: "soma", out: &out, err: &out}).printFields(&out, fields)
	golden(t, "explain.table", out.Bytes())
}

// Nor is what capacity says.
func TestGoldenCapacity(t *testing.T) {
	rooms, err := roomsIn(objects(t, "Project"), objects(t, "Cluster"), booksOf(objects(t, "Quota"), true), "ada", "", time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for name, format := range map[string]string{"table": "", "wide": "wide", "json": "json", "yaml": "yaml", "name": "name", "jsonpath": "jsonpath={.items[*].startable}"} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := (&app{program: "soma", out: &out, err: &out}).printRooms(rooms, "", true, &output{format: format}); err != nil {
				t.Fatal(err)
			}
			golden(t, "capacity."+name, out.Bytes())
		})
	}
}

// Nor is the tree of the queue.
func TestGoldenQueueTree(t *testing.T) {
	team := unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "team"},
		"spec":     map[string]any{"parent": "research", "nominal": map[string]any{"gpus": int64(2)}, "borrowing": map[string]any{"gpus": int64(1)}},
		"status":   map[string]any{"waitingJobs": int64(1), "used": map[string]any{"gpus": int64(1)}},
	}}
	all, waiting := objects(t, "Quota"), objects(t, "Job")
	all.Items = append(all.Items, team)
	waiting.Items = waiting.Items[1:2]
	tree := treeOf(all, true, waiting, map[string]string{"vision": "team"})
	for name, format := range map[string]string{"table": "", "wide": "wide", "json": "json", "yaml": "yaml", "name": "name", "jsonpath": "jsonpath={.items[*].quota}"} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := (&app{program: "soma", out: &out, err: &out, now: func() time.Time { return noon }}).printTree(tree, &output{format: format}); err != nil {
				t.Fatal(err)
			}
			golden(t, "queue--tree."+name, out.Bytes())
		})
	}
}

// printedAs prints an object as the command `status` of its kind does.
func printedAs(a *app, out *output, u *unstructured.Unstructured, describe func() error) error {
	if !out.table() {
		return out.object(a.out, u)
	}
	return describe()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-update writes it anew): %s", file, diff)
	}
}
