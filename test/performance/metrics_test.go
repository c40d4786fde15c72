package main

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const leader = `
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12.5
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1e+08
# TYPE rest_client_requests_total counter
rest_client_requests_total{code="200",host="a",method="GET"} 1000
rest_client_requests_total{code="200",host="a",method="PATCH"} 30
rest_client_requests_total{code="409",host="a",method="POST"} 2
# TYPE soma_history_recorded_transitions_total counter
soma_history_recorded_transitions_total 77
# TYPE soma_history_lag_seconds gauge
soma_history_lag_seconds 0.25
# TYPE soma_history_backlog_objects gauge
soma_history_backlog_objects 3
# TYPE workqueue_depth gauge
workqueue_depth 5
`

func read(t *testing.T, text string) []point {
	t.Helper()
	points, err := parse(strings.NewReader(text), slices.Collect(maps.Keys(meterOf))...)
	if err != nil {
		t.Fatal(err)
	}
	return points
}

func TestParse(t *testing.T) {
	if points := read(t, leader); len(points) != 8 {
		t.Errorf("got %d points, want the 8 that were asked for: %+v", len(points), points)
	}
	if _, err := parse(strings.NewReader("<html>")); err == nil {
		t.Error("want an error for what is no metrics")
	}
}

func TestSampleAddsManagers(t *testing.T) {
	var s sample
	s.add(read(t, leader))
	// One that does not lead: it writes its lease and serves admission.
	s.add(read(t, strings.NewReplacer("12.5", "1.5", "1e+08", "6e+07", "} 30", "} 10", " 77", " 0", "0.25", "0", "objects 3", "objects 0").Replace(leader)))
	want := [meters]float64{writes: 44, cpu: 14, memory: 1e8, recorded: 77, lag: 0.25, backlog: 3}
	if s.values != want {
		t.Errorf("got %v, want %v", s.values, want)
	}
}

func TestWindow(t *testing.T) {
	start := time.Now()
	at := func(seconds int, value float64) sample {
		s := sample{at: start.Add(time.Duration(seconds) * time.Second)}
		s.values[cpu], s.values[memory] = value, 100-value
		return s
	}
	w := window{at(0, 10), at(1, 12), at(4, 20)}
	if got := []float64{w.grew(cpu), w.rate(cpu), w.peak(memory)}; !slices.Equal(got, []float64{10, 2.5, 90}) {
		t.Errorf("got %v", got)
	}
	if got := []float64{window(nil).grew(cpu), window(nil).rate(cpu), window(nil).peak(cpu), w[:1].rate(cpu)}; !slices.Equal(got, make([]float64, 4)) {
		t.Errorf("of no samples: got %v", got)
	}
}

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
			if got := writeOf(test.labels); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	before := counts{"create pods": 10, "patch jobs/status": 5}
	after := counts{"create pods": 14, "patch jobs/status": 13, "create jobs": 2, "create events": 0.1}
	grown := after.minus(before)
	if want := (counts{"create pods": 4, "patch jobs/status": 8, "create jobs": 2, "create events": 0.1}); !reflect.DeepEqual(grown, want) {
		t.Errorf("got %v, want %v", grown, want)
	}
	each := grown.each(2)
	if each.sum() != 7.05 || before["create pods"] != 10 {
		t.Errorf("got a sum of %v of %v", each.sum(), each)
	}
	if got, want := each.plus(each).each(2).frequent(1), []string{"create jobs", "patch jobs/status", "create pods"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
