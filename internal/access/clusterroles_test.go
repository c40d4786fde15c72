package access

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"sigs.k8s.io/yaml"
)

// hack/generate runs the test with it.
var update = flag.Bool("update", false, "write config/rbac/access.yaml")

// What is installed is what bindings refer to.
func TestClusterRolesAreInstalled(t *testing.T) {
	const path = "../../config/rbac/access.yaml"
	var want bytes.Buffer
	want.WriteString("# What the bindings in projects refer to. Generated from internal/access: see `make generate`.\n")
	for i, role := range ClusterRoles() {
		text, err := yaml.Marshal(role)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			want.WriteString("---\n")
		}
		want.Write(text)
	}
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not current: run `make generate`", path)
	}
}
