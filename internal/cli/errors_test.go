package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	validation "k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/signin"
)

func TestDescribeError(t *testing.T) {
	namespaces := schema.GroupResource{Resource: "namespaces"}
	tests := map[string]struct {
		err  error
		want []string
	}{
		"no job":      {apierrors.NewNotFound(jobs.GroupResource(), "train"), []string{`job "train" in project "vision" does not exist`, `soma ps -a`}},
		"no project":  {apierrors.NewNotFound(namespaces, "vision"), []string{`project "vision" does not exist`, "soma project ls"}},
		"no Soma":     {apierrors.NewNotFound(jobs.GroupResource(), ""), []string{"does not know the resource jobs.platform.soma.dev"}},
		"taken":       {apierrors.NewAlreadyExists(jobs.GroupResource(), "train"), []string{"exists already", "another name"}},
		"not allowed": {apierrors.NewForbidden(jobs.GroupResource(), "train", errors.New("no role")), []string{"refused:", "no role", `ask who manages project "vision"`}},
		"not valid": {
			apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind("Job").GroupKind(), "train", validation.ErrorList{validation.Required(validation.NewPath("spec", "image"), "say which")}),
			[]string{`job "train" is not valid:`, "spec.image: Required value: say which"},
		},
		"out of bounds": {
			apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind("Job").GroupKind(), "train", validation.ErrorList{validation.Invalid(validation.NewPath("spec", "resources", "gpu", "count"), 100,
				"spec.resources.gpu.count in body should be less than or equal to 64")}),
			[]string{"  spec.resources.gpu.count: 100 should be at most 64"},
		},
		"no answer": {&url.Error{Op: "Get", URL: "https://c", Err: errors.New("connection refused")}, []string{"https://cluster does not answer", "connection refused"}},
		"too slow":  {context.DeadlineExceeded, []string{"does not answer"}},
		"barred": {&apierrors.StatusError{ErrStatus: metav1.Status{
			Reason: metav1.StatusReasonUnauthorized, Code: 401, Message: "no User has your identity, issuer \"i\" and subject \"s\": send both to an administrator, who can make one",
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: signin.CauseBarred}}},
		}}, []string{"https://cluster does not let you in: no User has your identity", `subject "s"`, "administrator"}},
		"not signed in": {&url.Error{Op: "Get", URL: "https://c", Err: errors.New("getting credentials: exec: executable soma failed with exit code 1")}, []string{"gives no credentials", "soma login"}},
		"signed out":    {apierrors.NewUnauthorized("who?"), []string{"does not accept your credentials"}},
		"no manager":    {apierrors.NewInternalError(errors.New(`failed calling webhook "jobs.platform.soma.dev": no endpoints`)), []string{"manager does not answer", "no endpoints", "try again"}},
		"changed":       {apierrors.NewConflict(jobs.GroupResource(), "train", errors.New("old")), []string{"changed by somebody else", "try again"}},
	}
	admitted := apierrors.NewBadRequest(`admission webhook "grants.platform.soma.dev" denied the request: spec.uri: there is no job "train"`)
	if got := describeError(admitted, jobs, "vision", "train", "soma", "https://cluster"); got != `refused: spec.uri: there is no job "train"` {
		t.Errorf("what admission says becomes %q", got)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := describeError(tt.err, jobs, "vision", "train", "soma", "https://cluster")
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in %q", want, got)
				}
			}
		})
	}
}

// refusedTo is what the API server says by its roles.
func refusedTo(verb, resource, group, name string) error {
	return apierrors.NewForbidden(schema.GroupResource{Group: group, Resource: strings.Split(resource, "/")[0]}, name,
		fmt.Errorf(`User "soma:bob" cannot %s resource %q in API group %q in the namespace "vision"`, verb, resource, group))
}

func TestMissingRights(t *testing.T) {
	const group = "platform.soma.dev"
	tests := map[string]struct {
		err       error
		gvr       schema.GroupVersionResource
		namespace string
		name      string
		want      []string
	}{
		"a list":       {refusedTo("list", "jobs", group, ""), jobs, "vision", "", []string{`refused: you may not list the jobs in project "vision": missing read on job: in project vision`, `ask who manages project "vision"`, `"soma can-i read job:" names them`}},
		"a change":     {refusedTo("patch", "jobs", group, "train"), jobs, "vision", "train", []string{`you may not change job "train" in project "vision": missing write on job:train in project vision`}},
		"a new one":    {refusedTo("create", "jobs", group, ""), jobs, "vision", "train", []string{"missing write on job: in project vision"}},
		"a shell":      {refusedTo("create", "pods/exec", "", "train-0a1b2c3d-1-0"), pods, "vision", "train-0a1b2c3d-1-0", []string{"missing write on job:train in project vision"}},
		"output":       {refusedTo("get", "pods/log", "", "my-job-0a1b2c3d-1-0"), pods, "vision", "my-job-0a1b2c3d-1-0", []string{"read on job:my-job in project vision"}},
		"secrets":      {refusedTo("list", "secrets", "", ""), secrets, "vision", "", []string{"missing read on secret: in project vision"}},
		"a grant":      {refusedTo("create", "grants", group, ""), grants, "vision", "bob.read.job.train", []string{"missing manage on what is shared in project vision"}},
		"a quota":      {refusedTo("get", "quotas", group, "research"), quotas, "", "research", []string{`quota "research" does not exist, or you may not see it (read on quota://research)`}},
		"all users":    {refusedTo("list", "users", group, ""), users, "", "", []string{"missing read on user://", "ask an administrator"}},
		"a project":    {refusedTo("delete", "projects", group, "vision"), projects, "", "vision", []string{"missing manage on project: in project vision"}},
		"by a webhook": {apierrors.NewForbidden(users.GroupResource(), "x", errors.New(`admission webhook "users.platform.soma.dev" denied the request: you lack write on user://`)), users, "", "x", []string{"refused: you lack write on user://\nask an administrator"}},
		"by admission": {apierrors.NewForbidden(grants.GroupResource(), "x", errors.New("you lack manage on job://local/acme/vision/train: to share it")), grants, "vision", "x", []string{"you lack manage on job://local/acme/vision/train"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := describeError(tt.err, tt.gvr, tt.namespace, tt.name, "soma", "https://cluster")
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in %q", want, got)
				}
			}
		})
	}
}

// What one may not see is told as what is not there, word by word.
func TestForbiddenLooksAbsent(t *testing.T) {
	for name, gvr := range map[string]schema.GroupVersionResource{"job": jobs, "secret": secrets, "quota": quotas, "role": roles, "user": users, "cluster": clusters} {
		namespace := "vision"
		if gvr != jobs && gvr != secrets {
			namespace = ""
		}
		absent := describeError(apierrors.NewNotFound(gvr.GroupResource(), "train"), gvr, namespace, "train", "soma", "")
		forbidden := describeError(refusedTo("get", gvr.Resource, gvr.Group, "train"), gvr, namespace, "train", "soma", "")
		if absent != forbidden {
			t.Errorf("%s: %q is not %q", name, absent, forbidden)
		}
	}
}
