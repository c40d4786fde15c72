package main

import (
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
