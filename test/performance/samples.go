package main

import (
	"slices"
	"time"

	"github.com/soma-platform/soma/test/performance/scrape"
)

// meter is what is watched of the manager.
type meter int

const (
	// writes are its requests to the API server that do not only read.
	writes meter = iota
	// cpu is in seconds, memory in bytes.
	cpu
	memory
	// recorded are the transitions that it wrote to the history.
	recorded
	// lag is for how long, in seconds, the object has waited that waits longest to be recorded; backlog is how many wait.
	lag
	backlog
	meters
)

// meterOf is the meter that each metric is for.
var meterOf = map[string]meter{
	"rest_client_requests_total":              writes,
	"process_cpu_seconds_total":               cpu,
	"process_resident_memory_bytes":           memory,
	"soma_history_recorded_transitions_total": recorded,
	"soma_history_lag_seconds":                lag,
	"soma_history_backlog_objects":            backlog,
}

// sample is what the meters showed at a time.
type sample struct {
	at     time.Time
	values [meters]float64
}

// add counts in what one of the managers tells: what was done is summed, of what is the worst counts, which is the leader's.
func (s *sample) add(points []scrape.Point) {
	var one [meters]float64
	for _, p := range points {
		m, known := meterOf[p.Metric]
		if !known || (m == writes && p.Labels["method"] == "GET") {
			continue
		}
		one[m] += p.Value
	}
	for m, value := range one {
		switch meter(m) {
		case memory, lag, backlog:
			s.values[m] = max(s.values[m], value)
		default:
			s.values[m] += value
		}
	}
}

// window is the samples of a time, in order.
type window []sample

func (w window) values(m meter) []float64 {
	var values []float64
	for _, s := range w {
		values = append(values, s.values[m])
	}
	return values
}

// peak is the most that was seen.
func (w window) peak(m meter) float64 {
	if len(w) == 0 {
		return 0
	}
	return slices.Max(w.values(m))
}

// grew is by how much a counter grew.
func (w window) grew(m meter) float64 {
	if len(w) == 0 {
		return 0
	}
	return w[len(w)-1].values[m] - w[0].values[m]
}

// rate is by how much a counter grew in a second.
func (w window) rate(m meter) float64 {
	if len(w) < 2 {
		return 0
	}
	return w.grew(m) / w[len(w)-1].at.Sub(w[0].at).Seconds()
}
