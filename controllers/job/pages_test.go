package job

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// An Ingress of a job is there while the job holds a place on a cluster where the proxy carries pages, and not otherwise.
func TestIngressesGo(t *testing.T) {
	http := func(j *platformv1.Job) { j.Spec.HTTP = &platformv1.HTTPPort{Port: 8080} }
	carried := &platformv1.JobPages{Domain: "jobs.example.org"}
	proxied := &platformv1.JobPages{Domain: "jobs.example.org", IngressClassName: "traefik", Annotations: map[string]platformv1.AnnotationValue{"a": "b"}}
	tests := map[string]struct {
		job   *platformv1.Job
		pages *platformv1.JobPages
		want  bool
	}{
		"the proxy carries":        {running(http), proxied, false},
		"the gateway carries":      {running(http), carried, true},
		"there are no pages":       {running(http), nil, true},
		"the job holds no place":   {waiting(http), nil, true},
		"the job serves no longer": {running(), proxied, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			ingress := &metav1.PartialObjectMetadata{}
			if got := decide(facts{job: tc.job, pages: tc.pages, ingress: ingress, now: t0}).unroute; (got == ingress) != tc.want {
				t.Errorf("it goes: %t, want %t", got != nil, tc.want)
			}
			if decide(facts{job: tc.job, pages: tc.pages, now: t0}).unroute != nil {
				t.Error("what is not there goes")
			}
		})
	}
}
