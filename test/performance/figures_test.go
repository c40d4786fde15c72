package main

import (
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 0.0421: "0.0421", 1.049: "1.05", 15.84: "15.8", 99.94: "99.9", 99.95: "100", 434.4: "434", 1009.6: "1,010",
		999_999.6: "1,000,000", -1234: "-1,234", -0.5: "-0.5",
	} {
		if got := number(value); got != want {
			t.Errorf("number(%v) = %q, want %q", value, got, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	twenty := make([]float64, 20)
	for i := range twenty {
		twenty[i] = float64(20 - i)
	}
	for name, test := range map[string]struct {
		values []float64
		q      float64
		want   float64
	}{
		"of nothing":               {nil, 0.5, 0},
		"of one":                   {[]float64{7}, 0.99, 7},
		"the middle of three":      {[]float64{3, 1, 2}, 0.5, 2},
		"the lower middle of four": {[]float64{4, 3, 1, 2}, 0.5, 2},
		"the least":                {twenty, 0, 1},
		"the most":                 {twenty, 1, 20},
		"p95 of twenty":            {twenty, 0.95, 19},
		"p99 of twenty":            {twenty, 0.99, 20},
	} {
		t.Run(name, func(t *testing.T) {
			if got := quantile(test.values, test.q); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestReportMedian(t *testing.T) {
	var r result
	r.reportMedian(figure{name: "rate", kind: kindPod}, []float64{12, 10, 11})
	r.reportMedian(figure{name: "rate", kind: kindBatch}, []float64{9})
	pod, batch := r.figures[0], r.figures[1]
	if pod.value != 11 || pod.spread != "10 to 12" {
		t.Errorf("of three runs: got %+v", pod)
	}
	if batch.value != 9 || batch.spread != "" {
		t.Errorf("of one run: got %+v", batch)
	}
}

func TestMarkdown(t *testing.T) {
	r := result{
		figures: []figure{
			{name: "start, p50", kind: kindPod, value: 434, unit: "ms", detail: "of 20 starts"},
			{name: "start, p50", kind: kindBatch, value: 1010, unit: "ms"},
			{name: "start, p50", kind: kindSoma, value: 455, unit: "ms"},
			{name: "rate", kind: kindPod, value: 25.2, unit: "/s"},
			{name: "rate", kind: kindBatch, value: 20, unit: "/s"},
			{name: "rate", kind: kindSoma, value: 16, unit: "/s", spread: "15 to 17"},
			{name: "memory", kind: kindSoma, value: 83, unit: "MB"},
			{name: "lag", kind: kindSoma, value: 120, unit: "ms"},
		},
		writes: []figure{{name: "create pods", kind: kindPod, value: 1}},
	}
	budgets := []budget{
		{Name: "start, p50", RatioTo: kindPod, Max: new(1.3)}, {Name: "rate", RatioTo: kindBatch, Min: new(1.0)}, {Name: "memory", Max: new(200.0)},
	}
	want := strings.TrimLeft(`
| | bare pod | `+"`batch/v1`"+` Job | Soma Job | aim |
|---|---|---|---|---|
| start, p50 (of 20 starts) | 434 ms | 1,010 ms | 455 ms, 1.05 of the bare pod | at most 1.3 of the bare pod |
| rate | 25.2 /s | 20 /s | 16 /s, 0.8 of the `+"`batch/v1`"+` Job (15 to 17) | at least 1 of the `+"`batch/v1`"+` Job: **not reached** |
| memory | | | 83 MB | at most 200 MB |
| lag | | | 120 ms | |

| writes at the API server per job, room for all | bare pod | `+"`batch/v1`"+` Job | Soma Job |
|---|---|---|---|
| create pods | 1 | | |
`, "\n")
	if got := r.markdown(budgets); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
