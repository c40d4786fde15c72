// Package scrape reads what programs tell of themselves as metrics: what the measurements of this folder share.
package scrape

import (
	"fmt"
	"io"
	"slices"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// maxMetrics bounds what is read of one answer: an API server tells some megabytes.
const maxMetrics = 64 << 20

// Point is one value of a metric.
type Point struct {
	Metric string
	Labels map[string]string
	Value  float64
}

// Parse reads counters and gauges in the text format, those of the metrics that are asked for.
func Parse(text io.Reader, wanted ...string) ([]Point, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(text, maxMetrics))
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	var points []Point
	for name, family := range families {
		if !slices.Contains(wanted, name) {
			continue
		}
		for _, metric := range family.Metric {
			p := Point{Metric: name, Labels: map[string]string{}, Value: metric.GetCounter().GetValue() + metric.GetGauge().GetValue()}
			for _, l := range metric.Label {
				p.Labels[l.GetName()] = l.GetValue()
			}
			points = append(points, p)
		}
	}
	return points, nil
}
