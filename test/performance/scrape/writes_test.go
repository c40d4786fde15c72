package scrape

import (
	"reflect"
	"slices"
	"testing"
)

func TestWriteOf(t *testing.T) {
	for name, test := range map[string]struct {
		labels map[string]string
		want   string
	}{
		"a pod":                       {map[string]string{"verb": "POST", "resource": "pods"}, "create pods"},
		"its binding":                 {map[string]string{"verb": "POST", "resource": "pods", "subresource": "binding"}, "create pods/binding"},
		"the status of a job":         {map[string]string{"verb": "PATCH", "group": "platform.soma.dev", "resource": "jobs", "subresource": "status"}, "patch jobs.platform.soma.dev/status"},
		"another's":                   {map[string]string{"verb": "PUT", "group": "batch", "resource": "jobs", "subresource": "status"}, "update jobs.batch/status"},
		"an event of the newer group": {map[string]string{"verb": "POST", "group": "events.k8s.io", "resource": "events"}, "create events"},
		"many at once":                {map[string]string{"verb": "DELETECOLLECTION", "resource": "pods"}, "delete pods"},
		"a read":                      {map[string]string{"verb": "LIST", "resource": "pods"}, ""},
		"a try":                       {map[string]string{"verb": "POST", "resource": "pods", "dry_run": "All"}, ""},
		"a lease":                     {map[string]string{"verb": "PUT", "group": "coordination.k8s.io", "resource": "leases"}, ""},
		"a heart-beat of a node":      {map[string]string{"verb": "PATCH", "resource": "nodes", "subresource": "status"}, ""},
		"a question of rights":        {map[string]string{"verb": "POST", "group": "authorization.k8s.io", "resource": "subjectaccessreviews"}, ""},
		"a token":                     {map[string]string{"verb": "POST", "resource": "serviceaccounts", "subresource": "token"}, ""},
		"no resource":                 {map[string]string{"verb": "POST"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := WriteOf(test.labels); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	before := Counts{"create pods": 10, "patch jobs/status": 5}
	after := Counts{"create pods": 14, "patch jobs/status": 13, "create jobs": 2, "create events": 0.1}
	grown := after.Minus(before)
	if want := (Counts{"create pods": 4, "patch jobs/status": 8, "create jobs": 2, "create events": 0.1}); !reflect.DeepEqual(grown, want) {
		t.Errorf("got %v, want %v", grown, want)
	}
	perJob := grown.Each(2)
	if perJob.Sum() != 7.05 || before["create pods"] != 10 {
		t.Errorf("got a sum of %v of %v", perJob.Sum(), perJob)
	}
	if got, want := perJob.Plus(perJob).Each(2).Frequent(1), []string{"create jobs", "patch jobs/status", "create pods"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
