package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soma-platform/soma/internal/scheduling"
)

func jobOf(name, queue string, submitted, run, span time.Duration, gpus, replicas int64) *job {
	return &job{name: name, queue: queue, user: queue, submitted: submitted, run: run, span: span, gpus: gpus, replicas: replicas}
}

// Two nodes of 4 GPUs. A job of the whole cluster waits behind one that runs for two hours and says three.
func smallTrace() []*job {
	return []*job{
		jobOf("1-runs", "q0", 0, 2*time.Hour, 3*time.Hour, 4, 1),
		jobOf("2-whole", "q0", time.Minute, time.Hour, time.Hour, 4, 2),
		jobOf("3-short", "q0", 2*time.Minute, time.Hour, 2*time.Hour, 4, 1),
		jobOf("4-long", "q1", 3*time.Minute, 9*time.Hour, 9*time.Hour, 1, 1),
	}
}

func TestSchedulers(t *testing.T) {
	c := shape{nodes: 2, queues: 2, gpusPerNode: 4}
	tests := map[string]struct {
		scheduler scheduler
		want      map[string]string
	}{
		"FIFO lets nobody pass": {newFIFO(c), map[string]string{
			"1-runs": "0s", "2-whole": "2h0m0s", "3-short": "3h0m0s", "4-long": "3h0m0s",
		}},
		"Kueue keeps nothing for the large job": {newKueue(c), map[string]string{
			"1-runs": "0s", "2-whole": "10h2m0s", "3-short": "2m0s", "4-long": "1h2m0s",
		}},
		"EASY fills the gap with what ends in time": {newEASY(c), map[string]string{
			"1-runs": "0s", "2-whole": "2h0m0s", "3-short": "2m0s", "4-long": "3h0m0s",
		}},
		"so does Soma": {newSoma(c, scheduling.Options{}), map[string]string{
			"1-runs": "0s", "2-whole": "2h0m0s", "3-short": "2m0s", "4-long": "3h0m0s",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := simulate(name, test.scheduler, smallTrace(), c)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, j := range s.jobs {
				got[j.name] = fmt.Sprint(j.started)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A queue that has its own left goes before one that would borrow, though its job came later.
func TestKueueStartsFirstWhoDoesNotBorrow(t *testing.T) {
	c := shape{nodes: 2, queues: 2, gpusPerNode: 4}
	k := newKueue(c)
	first := jobOf("1", "q0", 0, time.Hour, time.Hour, 4, 1)
	k.submit(first)
	k.decide(0)
	k.submit(jobOf("2-borrows", "q0", 1, time.Hour, time.Hour, 4, 1))
	k.submit(jobOf("3-owns", "q1", 2, time.Hour, time.Hour, 4, 1))
	starts, _ := k.decide(2)
	if len(starts) != 1 || starts[0].job.name != "3-owns" {
		t.Errorf("starts %v", starts)
	}
	k.end(first)
	if starts, _ = k.decide(3); len(starts) != 1 || starts[0].job.name != "2-borrows" {
		t.Errorf("after an end starts %v", starts)
	}
}

func TestMeasures(t *testing.T) {
	c := shape{nodes: 2, queues: 2, gpusPerNode: 4}
	s, err := simulate("FIFO", newFIFO(c), smallTrace(), c)
	if err != nil {
		t.Fatal(err)
	}
	m := measure(s, c)
	// From 0:01 to 3:00 all 8 GPUs are asked for: 4 in use until 2:00, 8 until 3:00. Then 5 are.
	if want := (119*4 + 60*8) / (179 * 8.0); fmt.Sprintf("%.6f", m.loaded) != fmt.Sprintf("%.6f", want) {
		t.Errorf("loaded is %f, want %f", m.loaded, want)
	}
	if m.makespan != 12 || m.longestLarge != 0 || fmt.Sprintf("%.4f", m.longest) != fmt.Sprintf("%.4f", 178/60.0) {
		t.Errorf("measured %+v", m)
	}
	// The last job waited for 2:57 with none before it in its queue, and the longest life span is 9 hours; the third for 2:58 with one.
	if want := 177 / 540.0; fmt.Sprintf("%.6f", m.bound) != fmt.Sprintf("%.6f", want) {
		t.Errorf("bound is %f, want %f", m.bound, want)
	}
	// One node is empty until 2:00: only the large job waits in the first of these minutes, then others would fit.
	if got, want := fmt.Sprintf("%.6f %.6f", m.empty, m.kept), fmt.Sprintf("%.6f %.6f", 4/(179*8.0), 118*4/(179*8.0)); got != want || m.part != 0 {
		t.Errorf("idle: %s and %f, want %s", got, m.part, want)
	}
	// While q1 waited it held nothing.
	if m.own != 0 {
		t.Errorf("own is %f", m.own)
	}
}

func TestIdle(t *testing.T) {
	c := shape{nodes: 3, queues: 1, gpusPerNode: 4}
	i := idle{}
	i.pass(time.Second, nodes{1, 3, 4}, map[size]int{{4, 2}: 1, {2, 1}: 1}, c)
	i.pass(time.Hour, nodes{1, 3, 4}, map[size]int{{2, 1}: 3}, c) // they ask for less than there is
	if want := (idle{loaded: 12, kept: 2, part: 2, empty: 4}); i != want {
		t.Errorf("got %+v, want %+v", i, want)
	}
}

// cheat starts every job on the first node.
type cheat struct{ fifo }

func (c *cheat) decide(time.Duration) (starts []start, again time.Duration) {
	for _, j := range c.waiting {
		starts = append(starts, start{j, placement{0: j.total()}})
	}
	c.waiting = nil
	return starts, 0
}

func TestWhatIsGivenAwayTwiceIsNoticed(t *testing.T) {
	c := shape{nodes: 2, queues: 2, gpusPerNode: 4}
	if _, err := simulate("cheat", &cheat{*newFIFO(c)}, smallTrace(), c); err == nil {
		t.Error("nobody noticed")
	}
}
