// Command docs writes the generated parts of docs/reference: the fields of each kind, from the schema in config/crd, and
// the conditions and reasons, from the comments of their constants in api/v1alpha1. What stands outside the markers is
// written by hand and left alone. Kinds that another server than the cluster's own serves are not installed as CRDs: their
// schemas are in a folder of their own.
//
//	go -C hack/manifests run ./docs ../.. SCHEMAS
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// page is a page of the reference about one kind.
type page struct {
	kind, crd, file string
	// conditions name the groups of constants that the page lists, by a part of the first sentence of their comments. A kind
	// without conditions has none.
	conditions []string
}

var pages = []page{
	{kind: "Project", crd: "platform.soma.dev_projects.yaml", file: "project.md", conditions: []string{"that every kind has", "of a Project", "more than one kind"}},
	{kind: "Quota", crd: "platform.soma.dev_quotas.yaml", file: "quota.md", conditions: []string{"that every kind has", "of a Quota", "more than one kind"}},
	{kind: "Cluster", crd: "platform.soma.dev_clusters.yaml", file: "cluster.md", conditions: []string{"that every kind has", "of a Cluster", "more than one kind"}},
	{kind: "Job", crd: "platform.soma.dev_jobs.yaml", file: "job.md", conditions: []string{"that every kind has", "of a Job", "more than one kind", "that waits", "that runs or is suspended", "job's end"}},
	{kind: "User", crd: "platform.soma.dev_users.yaml", file: "user.md", conditions: []string{"that every kind has", "Role, a User and a Grant", "more than one kind"}},
	{kind: "Role", crd: "platform.soma.dev_roles.yaml", file: "role.md", conditions: []string{"that every kind has", "Role, a User and a Grant", "more than one kind"}},
	{kind: "Grant", crd: "platform.soma.dev_grants.yaml", file: "grant.md", conditions: []string{"that every kind has", "Role, a User and a Grant", "more than one kind"}},
	{kind: "JobRecord", crd: "history.soma.dev_jobrecords.yaml", file: "jobrecord.md"},
	{kind: "AccessReview", crd: "access.soma.dev_accessreviews.yaml", file: "accessreview.md"},
	{kind: "HoldersReview", crd: "access.soma.dev_holdersreviews.yaml", file: "holdersreview.md"},
	{kind: "SelfReview", crd: "access.soma.dev_selfreviews.yaml", file: "selfreview.md"},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("name the repository's folder and the one with the schemas of kinds that are not installed")
	}
	root := args[0]
	folders := []string{filepath.Join(root, "config", "crd"), args[1]}
	groups, err := readConstants(filepath.Join(root, "api", "v1alpha1"))
	if err != nil {
		return err
	}
	for _, p := range pages {
		if err := write(root, folders, p, groups); err != nil {
			return fmt.Errorf("%s: %w", p.file, err)
		}
	}
	return nil
}

// write renews the generated parts of a page.
func write(root string, folders []string, p page, groups []group) error {
	crd, err := readCRD(p.crd, folders)
	if err != nil {
		return err
	}
	path := filepath.Join(root, "docs", "reference", p.file)
	old, err := os.ReadFile(path) //nolint:gosec // a page of this repository
	if err != nil {
		return err
	}
	parts := map[string]string{"fields": fieldTables(p.kind, crd)}
	if len(p.conditions) > 0 {
		parts["reasons"] = reasonTables(p.conditions, groups)
	}
	renewed := old
	for name, text := range parts {
		if renewed, err = replace(renewed, name, text); err != nil {
			return err
		}
	}
	if bytes.Equal(old, renewed) {
		return nil
	}
	return os.WriteFile(path, renewed, 0o644) //nolint:gosec // a page of the documentation
}

// replace puts text between the markers of the name.
func replace(page []byte, name, text string) ([]byte, error) {
	begin, end := []byte("<!-- generated: "+name+" -->\n"), []byte("<!-- end: "+name+" -->")
	before, rest, found := bytes.Cut(page, begin)
	if !found {
		return nil, fmt.Errorf("the line %q is missing", bytes.TrimSpace(begin))
	}
	_, after, found := bytes.Cut(rest, end)
	if !found {
		return nil, fmt.Errorf("the line %q is missing", end)
	}
	return bytes.Join([][]byte{before, begin, []byte("\n" + text + "\n"), end, after}, nil), nil
}
