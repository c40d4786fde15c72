package admission

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

// shown is what kubectl shows of an object: what stands below each heading.
func shown(clients kubernetes.Interface, path, name string) map[string]string {
	GinkgoHelper()
	raw, err := clients.Discovery().RESTClient().Get().AbsPath("/apis/platform.soma.dev/v1alpha1", path).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(harness.Ctx)
	Expect(err).NotTo(HaveOccurred())
	table := &metav1.Table{}
	Expect(yaml.Unmarshal(raw, table)).To(Succeed())
	for _, row := range table.Rows {
		if row.Cells[0] != name {
			continue
		}
		cells := map[string]string{}
		for i, column := range table.ColumnDefinitions {
			if row.Cells[i] != nil {
				cells[column.Name] = fmt.Sprint(row.Cells[i])
			}
		}
		return cells
	}
	Fail("there is no row " + name)
	return nil
}

var _ = Describe("kubectl", func() {
	It("shows users, roles and grants among all that is Soma's, and what one asks first", func() {
		clients, err := kubernetes.NewForConfig(harness.Server.Config)
		Expect(err).NotTo(HaveOccurred())
		resources, err := clients.Discovery().ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
		Expect(err).NotTo(HaveOccurred())
		categories := map[string][]string{}
		for _, resource := range resources.APIResources {
			categories[resource.Name] = resource.Categories
		}
		for _, kind := range []string{"users", "roles", "grants"} {
			Expect(categories[kind]).To(ContainElement("soma"), kind)
		}

		g := grant("vision", "shown", bob, "read job:train")
		ends := metav1.NewTime(time.Now().Add(time.Hour).UTC().Truncate(time.Second))
		g.Spec.ExpiresAt = &ends
		Expect(as("soma:carol").Create(harness.Ctx, g)).To(Succeed())
		DeferCleanup(func() { harness.Remove(g) })
		Expect(shown(clients, "namespaces/vision/grants", "shown")).To(And(
			HaveKeyWithValue("User", "bob"), HaveKeyWithValue("URI", "job:train"), HaveKeyWithValue("Action", "read"),
			HaveKeyWithValue("Granted by", "carol"), HaveKeyWithValue("Expires", ends.Format(time.RFC3339))))
		Expect(shown(clients, "roles", "writer")).To(HaveKeyWithValue("Includes", `["reader"]`))
		Expect(shown(clients, "users", "bob")).To(HaveKeyWithValue("Type", "Person"))
	})
})
