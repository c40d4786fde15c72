package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func listOf(objects ...map[string]any) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	for _, o := range objects {
		list.Items = append(list.Items, unstructured.Unstructured{Object: o})
	}
	return list
}

func namesOf(list *unstructured.UnstructuredList) string {
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].GetName())
	}
	return strings.Join(names, " ")
}

func TestJobsInQueue(t *testing.T) {
	job := func(name string, status map[string]any) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": name}, "status": status}
	}
	at := func(n int64) map[string]any { return map[string]any{"queue": map[string]any{"position": n}} }
	list := listOf(job("third", at(3)), job("impossible", nil), job("first", at(1)), job("starts", map[string]any{"reservation": map[string]any{"attempt": int64(1)}}),
		job("also-first", at(1)))
	inQueue(list, nil)
	if got := namesOf(list); got != "also-first first third impossible" {
		t.Error(got)
	}
}

// Places are those in one quota's order: the jobs of each come together.
func TestJobsInQueueByQuota(t *testing.T) {
	job := func(project, name string, place int64) map[string]any {
		return map[string]any{
			"metadata": map[string]any{"namespace": project, "name": name}, "status": map[string]any{"queue": map[string]any{"position": place}},
		}
	}
	list := listOf(job("vision", "v2", 2), job("speech", "s1", 1), job("vision", "v1", 1), job("robots", "r2", 2))
	inQueue(list, map[string]string{"vision": "research", "speech": "lab", "robots": "lab"})
	if got := namesOf(list); got != "s1 r2 v1 v2" {
		t.Error(got)
	}
}

func TestQueueTree(t *testing.T) {
	quota := func(name, parent string, waiting int64) map[string]any {
		return map[string]any{
			"metadata": map[string]any{"name": name}, "spec": map[string]any{"parent": parent, "nominal": map[string]any{"gpus": int64(8)}},
			"status": map[string]any{"waitingJobs": waiting, "used": map[string]any{"gpus": int64(3)}},
		}
	}
	job := func(project, name string) map[string]any {
		return map[string]any{"metadata": map[string]any{"namespace": project, "name": name}}
	}
	all := listOf(quota("idle", "lab", 0), quota("lab", "", 3), quota("team", "lab", 1), quota("others", "", 0), quota("far", "lab", 2))
	waiting := listOf(job("vision", "first"), job("vision", "second"), job("hidden", "third"), job("none", "fourth"), job("person", "fifth"))
	of := map[string]string{"vision": "team", "hidden": "unseen", "none": "", "person": "lab"}
	var lines []string
	for _, b := range treeOf(all, true, waiting, of) {
		line := strings.Repeat("-", b.depth) + b.Quota + " " + b.use["gpus"]
		for _, j := range b.Jobs {
			line += " " + j.Name
		}
		lines = append(lines, line)
	}
	if got, want := strings.Join(lines, "\n"), "lab 3/8 fifth\n-team 3/8 first second\n-far 3/8\nunseen  third\n  fourth"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := treeOf(listOf(), true, listOf(), nil); len(got) != 0 {
		t.Errorf("nothing is told as %v", got)
	}
}

func TestQuotasAsTree(t *testing.T) {
	quota := func(name, parent string) map[string]any {
		spec := map[string]any{}
		if parent != "" {
			spec["parent"] = parent
		}
		return map[string]any{"metadata": map[string]any{"name": name}, "spec": spec}
	}
	list := listOf(quota("a-team", "lab"), quota("egg", "hen"), quota("hen", "egg"), quota("lab", ""), quota("person", "a-team"), quota("lost", "gone"), quota("z-team", "lab"))
	asTree(list)
	if got := namesOf(list); got != "lab a-team person z-team lost hen egg" {
		t.Error(got)
	}
}

// A start that was expected is never told to be now once that is long ago.
func TestWhenAJobStarts(t *testing.T) {
	for name, tt := range map[string]struct {
		in                         time.Duration
		inQueue, inFull, neverSays string
	}{
		"soon":        {time.Hour, "in 60m", "at 2026-03-01 13:00:00 at the latest (in 60m), if nobody goes before it", "now"},
		"in a moment": {-30 * time.Second, "now", "in a moment, as far as can be told", "late"},
		"long ago":    {-time.Hour, "late", "later than was expected, which was at 2026-03-01 11:00:00 at the latest; when, nobody can tell yet", "now"},
	} {
		queue := &v1alpha1.QueueStatus{Position: 55, ExpectedStart: ptr(metav1.NewTime(noon.Add(tt.in)))}
		want := strings.NewReplacer("2026-03-01 13:00:00", noon.Add(time.Hour).Local().Format(time.DateTime),
			"2026-03-01 11:00:00", noon.Add(-time.Hour).Local().Format(time.DateTime)).Replace(tt.inFull)
		if got := expectedStart(queue, noon); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		row := fmt.Sprint(queueListing().rows(&v1alpha1.Job{Status: v1alpha1.JobStatus{Queue: queue}}, noon))
		if !strings.Contains(row, tt.inQueue) || strings.Contains(row, tt.neverSays) {
			t.Errorf("%s: %s", name, row)
		}
	}
	if got := expectedStart(&v1alpha1.QueueStatus{}, noon); got != "" {
		t.Error(got)
	}
}
