package manifests

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// TestProjectIsATrueRecord compares the kinds of PROJECT with those that are installed.
func TestProjectIsATrueRecord(t *testing.T) {
	recorded, err := os.ReadFile(filepath.Join(root, "PROJECT"))
	if err != nil {
		t.Fatal(err)
	}
	var project struct {
		Resources []struct {
			Kind string
			API  struct{ Namespaced bool }
		}
	}
	if err := yaml.Unmarshal(recorded, &project); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, r := range project.Resources {
		got[r.Kind] = r.API.Namespaced
	}
	want := map[string]bool{}
	for _, object := range kustomize(t, "crd") {
		kind, _, _ := unstructured.NestedString(object.Object, "spec", "names", "kind")
		scope, _, _ := unstructured.NestedString(object.Object, "spec", "scope")
		want[kind] = scope == "Namespaced"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("PROJECT does not say which kinds there are, and which are namespaced: %s", diff)
	}
}
