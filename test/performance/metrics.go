package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// maxMetrics bounds what is read of one answer: an API server tells some megabytes.
const maxMetrics = 64 << 20

// point is one value of a metric.
type point struct {
	metric string
	labels map[string]string
	value  float64
}

// parse reads counters and gauges in the text format, those of the metrics that are asked for.
func parse(text io.Reader, wanted ...string) ([]point, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(text, maxMetrics))
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	var points []point
	for name, family := range families {
		if !slices.Contains(wanted, name) {
			continue
		}
		for _, metric := range family.Metric {
			p := point{metric: name, labels: map[string]string{}, value: metric.GetCounter().GetValue() + metric.GetGauge().GetValue()}
			for _, l := range metric.Label {
				p.labels[l.GetName()] = l.GetValue()
			}
			points = append(points, p)
		}
	}
	return points, nil
}
