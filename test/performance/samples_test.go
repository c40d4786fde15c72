package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/soma-platform/soma/test/performance/scrape"
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

func read(t *testing.T, text string) []scrape.Point {
	t.Helper()
	points, err := scrape.Parse(strings.NewReader(text), slices.Collect(maps.Keys(meterOf))...)
	if err != nil {
		t.Fatal(err)
	}
	return points
}

func TestParse(t *testing.T) {
	if points := read(t, leader); len(points) != 8 {
		t.Errorf("got %d points, want the 8 that were asked for: %+v", len(points), points)
	}
	if _, err := scrape.Parse(strings.NewReader("<html>")); err == nil {
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
