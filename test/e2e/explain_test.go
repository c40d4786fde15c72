package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes"
)

// described is as much of a schema as says whether kubectl can explain it.
type described struct {
	Description          string               `json:"description"`
	Properties           map[string]described `json:"properties"`
	Items                *described           `json:"items"`
	AdditionalProperties json.RawMessage      `json:"additionalProperties"`
}

var _ = Describe("kubectl explain", func() {
	It("has words for every field of every kind", func(ctx context.Context) {
		core, err := kubernetes.NewForConfig(config)
		Expect(err).NotTo(HaveOccurred())
		for group, kinds := range map[string][]string{
			"platform.soma.dev": {"Cluster", "Job", "Project", "Quota"}, "history.soma.dev": {"JobRecord"},
		} {
			text, err := core.RESTClient().Get().AbsPath("/openapi/v3/apis/" + group + "/v1alpha1").DoRaw(ctx)
			Expect(err).NotTo(HaveOccurred())
			document := struct {
				Components struct {
					Schemas map[string]described `json:"schemas"`
				} `json:"components"`
			}{}
			Expect(json.Unmarshal(text, &document)).To(Succeed())
			schemas := document.Components.Schemas
			for _, kind := range kinds {
				at := slices.IndexFunc(slices.Collect(maps.Keys(schemas)), func(name string) bool { return strings.HasSuffix(name, "."+kind) })
				Expect(at).NotTo(Equal(-1), "%s is not described", kind)
			}
			for name, schema := range schemas {
				if strings.Contains(name, "soma") { // the others are Kubernetes' own
					Expect(silent(name, schema)).To(BeEmpty(), "fields without a description")
				}
			}
		}
	})
})

// silent are the fields at and below a schema that have no description, other than those of schemas that it refers to.
func silent(path string, s described) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field, below := s.Properties[name], path+"."+name
		if field.Description == "" {
			found = append(found, below)
		}
		found = append(found, silent(below, field)...)
	}
	if s.Items != nil {
		found = append(found, silent(path+"[]", *s.Items)...)
	}
	values := described{}
	if len(s.AdditionalProperties) > 0 && json.Unmarshal(s.AdditionalProperties, &values) == nil {
		found = append(found, silent(path+"{}", values)...)
	}
	return found
}
