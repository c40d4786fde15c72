package workload

import (
	"regexp"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func TestPageHost(t *testing.T) {
	tests := map[[2]string]string{
		{"train", "vision"}: "train--vision",
		{"a-b", "c-d"}:      "a-b--c-d",
		{"a--b", "c"}:       `a--b--0[0-9a-f]{12}`,
		{"a", "b--c"}:       `a--0[0-9a-f]{12}`,
		{"xn", "fiqs8s"}:    `0[0-9a-f]{12}`,
		{"j123456789j123456789j123456789j123456789", "p123456789p123456789p123"}: `j123456789j123456789j123456789j123456789--0[0-9a-f]{12}`,
	}
	for names, want := range tests {
		if got := PageHost(names[0], names[1]); !regexp.MustCompile("^" + want + "$").MatchString(got) {
			t.Errorf("job %s of %s: %s, want %s", names[0], names[1], got, want)
		}
	}
}

// No two jobs have one host, and every host is one.
func TestPageHostsDiffer(t *testing.T) {
	label := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	rapid.Check(t, func(rt *rapid.T) {
		job := rapid.StringMatching(`[a-z]([-a-z0-9]{0,38}[a-z0-9])?|xn|[ab](--[ab]){0,3}`)
		project := rapid.StringMatching(`[a-z]([-a-z0-9]{0,46}[a-z0-9])?|[ab](--[ab]){0,3}`)
		one, other := [2]string{job.Draw(rt, "job"), project.Draw(rt, "project")}, [2]string{job.Draw(rt, "other job"), project.Draw(rt, "other project")}
		a, b := PageHost(one[0], one[1]), PageHost(other[0], other[1])
		if (a == b) != (one == other) {
			rt.Fatalf("%v has %s, %v has %s", one, a, other, b)
		}
		if !label.MatchString(a) {
			rt.Fatalf("%v has %s", one, a)
		}
	})
}

func TestIngress(t *testing.T) {
	job := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "train", Namespace: "vision", UID: "uid-1"}}
	pages := &platformv1.JobPages{
		Domain: "jobs.example.org:8443", IngressClassName: "traefik", Annotations: map[string]platformv1.AnnotationValue{"asks": "the-gateway"},
	}
	if url := PageURL(job, pages); url != "" {
		t.Errorf("a job that serves nothing has a page: %s", url)
	}
	job.Spec.HTTP = &platformv1.HTTPPort{Port: 8080}
	if url := PageURL(job, nil); url != "" {
		t.Errorf("there is no place for pages, and one is at %s", url)
	}
	if url := PageURL(job, pages); url != "https://train--vision.jobs.example.org:8443/" {
		t.Errorf("the page is at %s", url)
	}
	if !NeedsIngress(job, pages) || NeedsIngress(job, nil) || NeedsIngress(job, &platformv1.JobPages{Domain: "jobs.example.org"}) || NeedsIngress(&platformv1.Job{}, pages) {
		t.Error("who gets an Ingress is not whose page a proxy carries")
	}
	ingress := Ingress(job, pages)
	rule := ingress.Spec.Rules[0]
	backend := rule.HTTP.Paths[0].Backend.Service
	if len(ingress.Spec.Rules) != 1 || rule.Host != "train--vision.jobs.example.org" || backend.Name != Service(job).Name || backend.Port.Name != Service(job).Spec.Ports[0].Name {
		t.Errorf("it leads from %s to %+v", rule.Host, backend)
	}
	if *ingress.Spec.IngressClassName != "traefik" || ingress.Annotations["asks"] != "the-gateway" || !metav1.IsControlledBy(ingress, job) {
		t.Errorf("%+v", ingress)
	}
}
