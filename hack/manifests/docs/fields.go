package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

type schema = apiextensionsv1.JSONSchemaProps

// readCRD reads the schema of a kind's only version, from the first folder that has the file.
func readCRD(file string, folders []string) (*schema, error) {
	var path string
	var data []byte
	err := os.ErrNotExist
	for i := 0; i < len(folders) && errors.Is(err, os.ErrNotExist); i++ {
		path = filepath.Join(folders[i], file)
		data, err = os.ReadFile(path) //nolint:gosec // a manifest of this repository
	}
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &crd); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(crd.Spec.Versions) != 1 {
		return nil, fmt.Errorf("%s has %d versions; the reference describes one", path, len(crd.Spec.Versions))
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema, nil
}

// fieldTables renders a table for spec and for status, and one for each struct below them.
func fieldTables(kind string, root *schema) string {
	var text strings.Builder
	for _, name := range []string{"spec", "status"} {
		if top, found := root.Properties[name]; found {
			fieldTable(&text, name, &top)
		}
	}
	if rules := ruleList(root); rules != "" {
		fmt.Fprintf(&text, "### Rules of the whole %s\n\n%s\n", kind, rules)
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// fieldTable renders the fields of one struct, then those of the structs in it.
func fieldTable(text *strings.Builder, path string, s *schema) {
	fmt.Fprintf(text, "### `%s`\n\n| Field | Type | Meaning |\n|---|---|---|\n", path)
	names := slices.Sorted(maps.Keys(s.Properties))
	for _, name := range names {
		field := s.Properties[name]
		required := ""
		if slices.Contains(s.Required, name) {
			required = ", required"
		}
		fmt.Fprintf(text, "| `%s` | %s%s | %s |\n", name, typeName(&field), required, cell(meaning(&field)))
	}
	text.WriteString("\n")
	if rules := ruleList(s); rules != "" {
		fmt.Fprintf(text, "Rules:\n\n%s\n", rules)
	}
	for _, name := range names {
		field := s.Properties[name]
		below := path + "." + name
		inner := &field
		if field.Items != nil && field.Items.Schema != nil {
			below, inner = below+"[]", field.Items.Schema
		}
		// What every kind of Kubernetes has alike is described there, and the spec of a job on its own page.
		if len(inner.Properties) > 0 && name != "conditions" && name != "jobSpec" {
			fieldTable(text, below, inner)
		}
	}
}

// typeName is a field's type as a person says it.
func typeName(s *schema) string {
	switch {
	case s.XIntOrString:
		return "quantity"
	case s.Items != nil && s.Items.Schema != nil:
		return "list of " + typeName(s.Items.Schema)
	case s.Type == "object":
		return "struct"
	case s.Format == "date-time":
		return "time"
	}
	return s.Type
}

// meaning is a field's description with its bounds.
func meaning(s *schema) string {
	text := strings.Join(strings.Fields(s.Description), " ")
	var bounds []string
	if len(s.Enum) > 0 {
		values := make([]string, 0, len(s.Enum))
		for _, value := range s.Enum {
			values = append(values, "`"+strings.Trim(string(value.Raw), `"`)+"`")
		}
		bounds = append(bounds, "one of "+strings.Join(values, ", "))
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		bounds = append(bounds, fmt.Sprintf("%.0f to %.0f", *s.Minimum, *s.Maximum))
	case s.Minimum != nil:
		bounds = append(bounds, fmt.Sprintf("at least %.0f", *s.Minimum))
	}
	if s.MaxLength != nil {
		bounds = append(bounds, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	if s.MaxItems != nil {
		bounds = append(bounds, fmt.Sprintf("at most %d", *s.MaxItems))
	}
	if s.Pattern != "" && !s.XIntOrString {
		bounds = append(bounds, "pattern `"+s.Pattern+"`")
	}
	if len(bounds) > 0 {
		text += " *(" + strings.Join(bounds, "; ") + ")*"
	}
	return text
}

// ruleList renders the messages of a struct's CEL rules.
func ruleList(s *schema) string {
	var text strings.Builder
	for _, rule := range s.XValidations {
		if rule.Message != "" {
			fmt.Fprintf(&text, "* %s\n", rule.Message)
		}
	}
	return text.String()
}

// cell makes a text fit for a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
