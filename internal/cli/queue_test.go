package cli

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
	inQueue(list)
	if got := namesOf(list); got != "also-first first third impossible" {
		t.Error(got)
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
