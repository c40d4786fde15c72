package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/test/performance/report"
)

// measureStarts times one start after another, kind by kind in turn, so that all kinds see the same machine.
func (b *bench) measureStarts(ctx context.Context, n int) error {
	b.Say("starting %d containers of each kind, one after another", n)
	times := map[string][]float64{}
	for i := range n {
		for _, k := range turn(i) {
			object := k.make(fmt.Sprintf("start-%s-%d", k.name, i), onRealNode)
			took, err := b.submit(ctx, k, []client.Object{object}, k.running)
			if err != nil {
				return fmt.Errorf("start a %s: %w", k.title, err)
			}
			times[k.name] = append(times[k.name], took.Seconds()*1000)
			if err := b.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
				return fmt.Errorf("end a %s: %w", k.title, err)
			}
		}
	}
	for _, k := range kinds {
		of := func(name, detail string, q float64) report.Figure {
			return report.Figure{Name: name, Column: k.name, Value: report.Quantile(times[k.name], q), Unit: "ms", Detail: detail}
		}
		b.Report(of("submit to running, p50", fmt.Sprintf("of %d starts", n), 0.5))
		slowest := fmt.Sprintf("of %d starts", n)
		if n < 100 {
			slowest = fmt.Sprintf("the slowest of %d", n)
		}
		b.Report(of("submit to running, p99", slowest, 0.99))
	}
	for _, k := range kinds {
		if err := b.clear(ctx, k); err != nil {
			return err
		}
	}
	return nil
}
