package main

import (
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func TestReplace(t *testing.T) {
	const markers = "<!-- generated: fields -->\nold\n<!-- end: fields -->"
	tests := map[string]struct {
		page, want string
		wantError  bool
	}{
		"between the markers alone": {page: "before\n" + markers + "\nafter\n", want: "before\n<!-- generated: fields -->\n\nnew\n<!-- end: fields -->\nafter\n"},
		"no beginning":              {page: "<!-- end: fields -->", wantError: true},
		"no end":                    {page: "<!-- generated: fields -->\n", wantError: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := replace([]byte(test.page), "fields", "new")
			if (err != nil) != test.wantError {
				t.Fatalf("replace() error = %v, want one: %t", err, test.wantError)
			}
			if string(got) != test.want {
				t.Errorf("replace() = %q, want %q", got, test.want)
			}
		})
	}
}

func TestFieldTables(t *testing.T) {
	most, least, longest := 8.0, 1.0, int64(63)
	root := &schema{
		XValidations: []apiextensionsv1.ValidationRule{{Message: "the name is short"}},
		Properties: map[string]schema{"spec": {
			Required: []string{"count"},
			Properties: map[string]schema{
				"count": {Type: "integer", Description: "how many", Minimum: &least, Maximum: &most},
				"items": {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &schema{
					Type: "object", Properties: map[string]schema{"name": {Type: "string", MaxLength: &longest}},
				}}},
			},
		}},
	}
	got := fieldTables("Thing", root)
	for _, want := range []string{
		"| `count` | integer, required | how many *(1 to 8)* |",
		"### `spec.items[]`",
		"*(at most 63 characters)*",
		"* the name is short",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("fieldTables() lacks %q:\n%s", want, got)
		}
	}
}

// What `kubectl explain` tells of a field is its description.
func TestEveryFieldIsDescribed(t *testing.T) {
	manifests, err := filepath.Glob(filepath.Join("..", "..", "..", "config", "crd", "*_*.yaml"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("no kinds are found: %v", err)
	}
	for _, manifest := range manifests {
		root, err := readCRD(filepath.Base(manifest), []string{filepath.Dir(manifest)})
		if err != nil {
			t.Fatal(err)
		}
		delete(root.Properties, "metadata") // the API server describes it
		for _, field := range undescribed(root) {
			t.Errorf("%s: %s has no description", filepath.Base(manifest), field)
		}
	}
}

// undescribed are the fields below a schema that have no description.
func undescribed(s *schema) []string {
	var found []string
	for name, field := range s.Properties {
		if field.Description == "" {
			found = append(found, "."+name)
		}
		for _, below := range undescribed(&field) {
			found = append(found, "."+name+below)
		}
	}
	if s.Items != nil && s.Items.Schema != nil {
		found = append(found, undescribed(s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		found = append(found, undescribed(s.AdditionalProperties.Schema)...)
	}
	return found
}
