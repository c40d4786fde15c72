package cli

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// A job that names whose it is, and would become that of who submits it, is not submitted. One that admission leaves so is.
func TestSubmittedBy(t *testing.T) {
	for name, test := range map[string]struct{ recorded, want string }{
		"who lets one":         {"alice", ""},
		"who does not let one": {"ci", "the job would be yours, ci, and not that of alice\nalice has to let you by \"soma user delegate add NAME\", and to have the right to run jobs in project \"vision\""},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []bool
			api := fake.NewSimpleDynamicClient(runtime.NewScheme())
			api.PrependReactor("create", "jobs", func(action clienttesting.Action) (bool, runtime.Object, error) {
				create := action.(clienttesting.CreateActionImpl) //nolint:forcetypeassert // of nothing else it is told
				asked = append(asked, len(create.CreateOptions.DryRun) > 0)
				u := create.GetObject().(*unstructured.Unstructured).DeepCopy() //nolint:forcetypeassert // as above
				return true, u, unstructured.SetNestedField(u.Object, test.recorded, "spec", "submittedBy")
			})
			var out bytes.Buffer
			a := &app{program: "soma", out: &out, err: &out, clients: &clients{project: "vision", dynamic: api, config: &rest.Config{}}}
			job := &v1alpha1.Job{Spec: v1alpha1.JobSpec{Image: "busybox", SubmittedBy: "alice"}}
			job.Name = "train"
			err := a.submit(t.Context(), &submitFlags{detach: true}, job)
			checkError(t, err, test.want)
			if made := len(asked) == 2 && asked[0] && !asked[1]; made != (test.want == "") {
				t.Errorf("asked for the job %d times, without making it: %v", len(asked), asked)
			}
			if test.want == "" && strings.TrimSpace(out.String()) != "train" {
				t.Errorf("got %s", out.String())
			}
		})
	}
}
