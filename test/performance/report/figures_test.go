package report

import (
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 0.0421: "0.0421", 1.049: "1.05", 15.84: "15.8", 99.94: "99.9", 99.95: "100", 434.4: "434", 1009.6: "1,010",
		999_999.6: "1,000,000", -1234: "-1,234", -0.5: "-0.5",
	} {
		if got := Number(value); got != want {
			t.Errorf("Number(%v) = %q, want %q", value, got, want)
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
			if got := Quantile(test.values, test.q); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestReportMedian(t *testing.T) {
	var r Result
	r.ReportMedian(Figure{Name: "rate", Column: "pod"}, []float64{12, 10, 11})
	r.ReportMedian(Figure{Name: "rate", Column: "batch"}, []float64{9})
	pod, batch := r.Figures[0], r.Figures[1]
	if pod.Value != 11 || pod.Spread != "10 to 12" {
		t.Errorf("of three runs: got %+v", pod)
	}
	if batch.Value != 9 || batch.Spread != "" {
		t.Errorf("of one run: got %+v", batch)
	}
}

var columns = []Column{{"pod", "bare pod"}, {"batch", "`batch/v1` Job"}, {Soma, "Soma Job"}}

func TestTable(t *testing.T) {
	r := Result{
		Columns: columns,
		Figures: []Figure{
			{Name: "start, p50", Column: "pod", Value: 434, Unit: "ms", Detail: "of 20 starts"},
			{Name: "start, p50", Column: "batch", Value: 1010, Unit: "ms"},
			{Name: "start, p50", Column: Soma, Value: 455, Unit: "ms"},
			{Name: "rate", Column: "pod", Value: 25.2, Unit: "/s"},
			{Name: "rate", Column: "batch", Value: 20, Unit: "/s"},
			{Name: "rate", Column: Soma, Value: 16, Unit: "/s", Spread: "15 to 17"},
			{Name: "memory", Column: Soma, Value: 83, Unit: "MB"},
			{Name: "lag", Column: Soma, Value: 120, Unit: "ms"},
		},
	}
	budgets := []Budget{
		{Name: "start, p50", RatioTo: "pod", Max: new(1.3)}, {Name: "rate", RatioTo: "batch", Min: new(1.0)}, {Name: "memory", Max: new(200.0)},
	}
	want := strings.TrimLeft(`
| | bare pod | `+"`batch/v1`"+` Job | Soma Job | aim |
|---|---|---|---|---|
| start, p50 (of 20 starts) | 434 ms | 1,010 ms | 455 ms, 1.05 of the bare pod | at most 1.3 of the bare pod |
| rate | 25.2 /s | 20 /s | 16 /s, 0.8 of the `+"`batch/v1`"+` Job (15 to 17) | at least 1 of the `+"`batch/v1`"+` Job: **not reached** |
| memory | | | 83 MB | at most 200 MB |
| lag | | | 120 ms | |
`, "\n")
	if got := r.Table("", budgets); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestTableWithoutBudgets(t *testing.T) {
	r := Result{Columns: columns, Figures: []Figure{{Name: "create pods", Column: "pod", Value: 1}}}
	want := strings.TrimLeft(`
| writes per job | bare pod | `+"`batch/v1`"+` Job | Soma Job |
|---|---|---|---|
| create pods | 1 | | |
`, "\n")
	if got := r.Table("writes per job", nil); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
