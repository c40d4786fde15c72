package main

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soma-platform/soma/test/performance/report"
)

// The trace has the statistics that it is made from, as far as a sample can.
func TestTheTraceIsLikeThePublishedOnes(t *testing.T) {
	c := shape{nodes: 64, queues: 8, gpusPerNode: 8}
	trace := generate(1, 50_000, c, 1.1)
	var runs, sizes, large []float64
	used := 0
	for _, j := range trace {
		runs = append(runs, j.run.Seconds())
		sizes = append(sizes, float64(j.total()))
		if j.total() >= 8 {
			large = append(large, float64(j.total())/float64(len(trace)))
		}
		if j.run <= j.span/2 {
			used++
		}
		if j.span < j.run {
			t.Fatalf("%s runs for longer than its life span", j.name)
		}
	}
	expect := func(what string, got, want, tolerance float64) {
		t.Helper()
		if math.Abs(got/want-1) > tolerance {
			t.Errorf("%s is %.2f, want about %.2f", what, got, want)
		}
	}
	expect("the median run time", report.Quantile(runs, 0.5), medianRun.Seconds(), 0.05)
	expect("the mean size", mean(sizes), 3.7, 0.05)
	expect("the part of GPU time of jobs of 8 GPUs and more", mean(large)*float64(len(large))/mean(sizes), 0.6, 0.1)
	if used < len(trace)/2 {
		t.Errorf("%d of %d jobs use no more than half of their life span", used, len(trace))
	}
	if last := trace[len(trace)-1].submitted; last < 24*time.Hour {
		t.Errorf("all are submitted within %s", last)
	}
}

func TestTheSameSeedGivesTheSameTrace(t *testing.T) {
	c := shape{nodes: 4, queues: 4, gpusPerNode: 8}
	if diff := cmp.Diff(generate(7, 100, c, 1), generate(7, 100, c, 1), cmp.AllowUnexported(job{})); diff != "" {
		t.Error(diff)
	}
}
