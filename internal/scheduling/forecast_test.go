package scheduling

import (
	"fmt"
	"testing"
	"time"
)

func TestHolders(t *testing.T) {
	e := New(Options{})
	e.SetQuota(gpuQuota("all", 0))
	for _, q := range []string{"vision", "speech"} {
		e.SetQuota(child(q, "all", 4))
	}
	e.SetNode(gpuNode("a", "A100", 8))
	e.SetNode(gpuNode("h", "H100", 8))
	runs := func(key, quota, node, model string, gpus int64) {
		e.SetRunning(Running{
			Key: key, Quota: quota, User: "u", Replica: Amounts{MilliCPU: 1, Memory: 1, GPUs: gpus}, Model: model, Nodes: []Share{{node, 1}}, Start: start,
		})
	}
	runs("v1", "vision", "a", "A100", 1)
	runs("v2", "vision", "h", "H100", 1)
	runs("s1", "speech", "a", "A100", 5)
	runs("o1", "unknown", "a", "A100", 1)
	e.SetWaiting(job("quota", 4, under("vision")))
	e.SetQuota(gpuQuota("other", 100))
	e.SetWaiting(job("nodes", 8, under("other"), models("A100")))
	e.SetWaiting(job("never", 9, under("vision")))
	e.Decide(start)
	for key, want := range map[string]string{
		"quota": "[{speech 1 5} {vision 2 2}]",
		"nodes": "[{speech 1 5} {unknown 1 1} {vision 1 1}]",
		"never": "[]",
	} {
		if got := fmt.Sprint(e.Holders(key, 3)); got != want {
			t.Errorf("%s is held up by %s, want %s", key, got, want)
		}
	}
	if got := fmt.Sprint(e.Holders("quota", 1)); got != "[{speech 1 5}]" {
		t.Errorf("bounded to one: %s", got)
	}
}

// A forecast says as much of a long queue as was asked for, and comes to an end.
func TestForecastIsBounded(t *testing.T) {
	e := New(Options{Patience: time.Minute, Renewal: 5 * time.Second})
	e.SetQuota(gpuQuota("q", 8))
	e.SetNode(gpuNode("n", "A100", 8))
	for i := range 300 {
		e.SetWaiting(job(fmt.Sprintf("w%03d", i), 8, under("q"), lasts(time.Hour)))
	}
	e.Decide(start)
	expected := e.Forecast(start, 10, 1000*time.Hour)
	if len(expected) != 10 || !expected["w010"].Equal(start.Add(10*time.Hour)) {
		t.Errorf("expected starts: %v", expected)
	}
	if all := e.Forecast(start, 1000, 1000*time.Hour); len(all) != forecastDepth {
		t.Errorf("%d starts are told, want %d", len(all), forecastDepth)
	}
}

// A job that has to end by a time holds nothing from then on, and has not started by then if it did not before.
func TestForecastOfJobsThatHaveToEndByATime(t *testing.T) {
	e := New(Options{Patience: time.Minute, Renewal: 5 * time.Second})
	e.SetQuota(gpuQuota("q", 8))
	e.SetNode(gpuNode("n", "A100", 8))
	for _, w := range []Waiting{
		job("1", 8, under("q"), until(time.Hour)), job("2", 8, under("q"), lasts(9*time.Hour)), job("3", 8, under("q"), until(2*time.Hour)), job("4", 8, under("q")),
	} {
		e.SetWaiting(w)
	}
	e.Decide(start)
	got := fmt.Sprint(e.Forecast(start, 10, 1000*time.Hour))
	if want := fmt.Sprint(map[string]time.Time{"2": start.Add(time.Hour), "4": start.Add(10 * time.Hour)}); got != want {
		t.Errorf("expected starts: %s, want %s", got, want)
	}
}
