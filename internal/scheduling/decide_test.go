package scheduling

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

const gib = int64(1 << 30)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func gpuNode(name, model string, gpus int64, domains ...string) Node {
	return Node{
		Name: name, Pool: model, GPUModel: model, Domains: domains,
		Allocatable: Amounts{MilliCPU: 64_000, Memory: 512 * gib, GPUs: gpus, Pods: 110},
	}
}

func cpuNode(name string, cores int64) Node {
	return Node{Name: name, Pool: "cpu", Allocatable: Amounts{MilliCPU: cores * 1000, Memory: cores * 4 * gib, Pods: 110}}
}

// gpuQuota grants GPUs and more than enough of everything else.
func gpuQuota(name string, gpus int64) Quota {
	many := int64(1 << 40)
	return Quota{Name: name, Nominal: Limits{MilliCPU: &many, Memory: &many, GPUs: &gpus}}
}

func wide() Quota { return gpuQuota("wide", 1<<40) }

type option func(*Waiting)

func job(name string, gpus int64, options ...option) Waiting {
	w := Waiting{
		Key: name, User: "carol", Quota: "wide", Since: start,
		Request: Request{Replica: Amounts{MilliCPU: 1000, Memory: gib, GPUs: gpus}, Replicas: 1},
	}
	for _, o := range options {
		o(&w)
	}
	return w
}

// As many start as is asked for, the first of them, and the rest when it is decided next, without anything being freed meanwhile.
func TestDecideSome(t *testing.T) {
	e := New(Options{Reservations: -1})
	tell(e, wide(), gpuNode("a", "A100", 8), runs("all", "a", 8, 0))
	for i := range 10 {
		tell(e, job(fmt.Sprintf("j%d", i), 1, by(fmt.Sprintf("user-%d", i)), after(time.Duration(i)*time.Second)))
	}
	e.Decide(start)
	e.RemoveRunning("all")
	for i, want := range [][]string{{"j0", "j1", "j2"}, {"j3", "j4", "j5"}, {"j6", "j7"}, nil} {
		now, started := start.Add(time.Minute), 0
		d := e.DecideSome(now, func(Start) bool { started++; return started == 3 })
		if got := keysOf(d); !slices.Equal(got, want) || d.Again.Equal(now) != (len(want) == 3) {
			t.Errorf("%d: %v start, and more at %s", i, got, d.Again)
		}
	}
}

func replicas(n int64) option       { return func(w *Waiting) { w.Replicas = n } }
func priority(n int) option         { return func(w *Waiting) { w.Priority = n } }
func after(d time.Duration) option  { return func(w *Waiting) { w.Since = start.Add(d) } }
func lasts(d time.Duration) option  { return func(w *Waiting) { w.Span = d } }
func until(d time.Duration) option  { return func(w *Waiting) { w.Until = start.Add(d) } }
func under(quota string) option     { return func(w *Waiting) { w.Quota = quota } }
func by(user string) option         { return func(w *Waiting) { w.User = user } }
func models(names ...string) option { return func(w *Waiting) { w.Models = names } }
func pools(names ...string) option  { return func(w *Waiting) { w.Pools = names } }
func within(levels int) option      { return func(w *Waiting) { w.Within = levels } }
func avoids(node string) option     { return func(w *Waiting) { w.Avoid = node } }
func onSpot() option                { return func(w *Waiting) { w.Spot = true } }
func overdue() option               { return func(w *Waiting) { w.Overdue = true } }
func limit(n int64) *int64          { return &n }
func queued() string                { return string(platformv1.JobReasonQueued) }
func exceeded() string              { return string(platformv1.JobReasonQuotaExceeded) }
func gangWaiting() string           { return string(platformv1.JobReasonGangWaiting) }
func tooSmall() string              { return string(platformv1.JobReasonQuotaTooSmall) }
func unschedulable() string         { return string(platformv1.JobReasonUnschedulable) }

// engineWith makes an engine that knows of some things.
func engineWith(things ...any) *Engine {
	e := New(Options{})
	tell(e, things...)
	return e
}

func tell(e *Engine, things ...any) {
	for _, thing := range things {
		switch thing := thing.(type) {
		case Node:
			e.SetNode(thing)
		case Quota:
			e.SetQuota(thing)
		case Waiting:
			e.SetWaiting(thing)
		case Running:
			e.SetRunning(thing)
		case []Node:
			for _, n := range thing {
				e.SetNode(n)
			}
		case []Waiting:
			for _, w := range thing {
				e.SetWaiting(w)
			}
		default:
			panic(fmt.Sprintf("%T", thing))
		}
	}
}

// outcome is the nodes of each job that starts, or the reason why it waits, by key.
func outcome(e *Engine, d Decisions) map[string]string {
	got := map[string]string{}
	for _, s := range d.Starts {
		got[s.Key] = nodesOf(s.Placement)
	}
	for key := range e.waiting {
		if reason, _ := e.Reason(key); reason != "" {
			got[key] = string(reason)
		}
	}
	return got
}

func nodesOf(p Placement) string {
	text := ""
	for i, s := range p.Nodes {
		if i > 0 {
			text += " "
		}
		text += s.Node
		if s.Replicas > 1 {
			text += fmt.Sprintf("*%d", s.Replicas)
		}
	}
	return text
}

func TestDecide(t *testing.T) {
	tests := map[string]struct {
		world []any
		want  map[string]string
	}{
		"starts what fits, by time of submission": {
			world: []any{wide(), gpuNode("a", "A100", 4), job("late", 4, after(time.Second)), job("early", 4)},
			want:  map[string]string{"early": "a", "late": queued()},
		},
		"the node on which a job failed is avoided": {
			world: []any{wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 8), job("again", 1, avoids("a"))},
			want:  map[string]string{"again": "b"},
		},
		"it is taken where there is no other": {
			world: []any{wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 8), job("full", 8), job("again", 1, avoids("a"), after(time.Second))},
			want:  map[string]string{"full": "b", "again": "a"},
		},
		"it is taken where the others have GPUs that the job does not need": {
			world: []any{wide(), cpuNode("a", 8), gpuNode("b", "A100", 8), job("again", 0, avoids("a"))},
			want:  map[string]string{"again": "a"},
		},
		"a gang avoids it": {
			world: []any{wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4), gpuNode("c", "A100", 4), job("gang", 1, replicas(6), avoids("a"))},
			want:  map[string]string{"gang": "b*4 c*2"},
		},
		"a gang takes it where the others do not do": {
			world: []any{wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4), job("gang", 1, replicas(6), avoids("a"))},
			want:  map[string]string{"gang": "a*4 b*2"},
		},
		"higher priority goes first": {
			world: []any{wide(), gpuNode("a", "A100", 4), job("usual", 4), job("urgent", 4, priority(1), after(time.Hour))},
			want:  map[string]string{"urgent": "a", "usual": queued()},
		},
		"who was displaced long ago goes before others of the same priority": {
			world: []any{wide(), gpuNode("a", "A100", 4), job("first", 4), job("displaced", 4, after(time.Hour), overdue()), job("low", 4, priority(-1), overdue())},
			want:  map[string]string{"displaced": "a", "first": queued(), "low": queued()},
		},
		"impossible is told from busy": {
			world: []any{
				wide(), gpuNode("a", "A100", 8), job("1-first", 8), job("2-busy", 8), job("3-too-large", 16), job("4-gang-too-large", 4, replicas(3)),
				job("other-model", 1, models("H100")),
			},
			want: map[string]string{
				"1-first": "a", "2-busy": queued(), "3-too-large": unschedulable(), "4-gang-too-large": unschedulable(), "other-model": unschedulable(),
			},
		},
		"a gang starts whole or not at all": {
			world: []any{
				wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4), job("1-small", 1, lasts(time.Hour)), job("2-gang", 4, replicas(2)),
				job("3-small", 3, lasts(time.Hour)),
			},
			want: map[string]string{"1-small": "a", "2-gang": gangWaiting(), "3-small": "a"},
		},
		"a gang of which some could start waits for the rest, others wait for a place": {
			world: []any{
				wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4), gpuNode("h", "H100", 1), job("1-first", 3, models("A100")),
				job("2-alone", 4, models("A100")), job("3-gang", 1, replicas(8), models("A100")), job("4-alone", 2, models("A100")),
			},
			want: map[string]string{"1-first": "a", "2-alone": "b", "3-gang": gangWaiting(), "4-alone": queued()},
		},
		"no replica of a gang could start": {
			world: []any{wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 4), job("1", 3), job("2", 3), job("3-gang", 2, replicas(3))},
			want:  map[string]string{"1": "a", "2": "b", "3-gang": queued()},
		},
		"the quota of a gang lets some start": {
			world: []any{gpuQuota("wide", 8), gpuNode("a", "A100", 8), gpuNode("b", "A100", 8), job("1", 5), job("2-gang", 1, replicas(4))},
			want:  map[string]string{"1": "a", "2-gang": exceeded()},
		},
		"of two models, one has room for some of a gang": {
			world: []any{
				wide(), gpuNode("a", "A100", 4), gpuNode("h", "H100", 4), job("1", 4, models("A100")), job("2", 2, models("H100")),
				job("3-gang", 1, replicas(3), models("A100", "H100")), job("4-gang", 1, replicas(3), models("H100", "A100")),
			},
			want: map[string]string{"1": "a", "2": "h", "3-gang": gangWaiting(), "4-gang": gangWaiting()},
		},
		"a gang that must be near waits for a rack": {
			world: []any{
				wide(), gpuNode("a", "A100", 2, "rack-1"), gpuNode("b", "A100", 2, "rack-1"), gpuNode("c", "A100", 2, "rack-2"), job("1", 2), job("2-gang", 1, replicas(3), within(1)),
			},
			want: map[string]string{"1": "a", "2-gang": gangWaiting()},
		},
		"a job goes where the least is left over": {
			world: []any{wide(), gpuNode("a", "A100", 8), gpuNode("b", "A100", 2), job("small", 2)},
			want:  map[string]string{"small": "b"},
		},
		"a gang goes to one node if it can, and else to as few as it can, and fills the last": {
			world: []any{
				wide(), gpuNode("a", "A100", 4), gpuNode("b", "A100", 8), gpuNode("c", "A100", 1), gpuNode("d", "A100", 2),
				job("1-one", 2, replicas(2)), job("2-spread", 1, replicas(9)),
			},
			want: map[string]string{"1-one": "a*2", "2-spread": "b*8 c"},
		},
		"a job without GPUs keeps off GPU nodes": {
			world: []any{wide(), gpuNode("a", "A100", 8), cpuNode("z", 4), job("cpu", 0)},
			want:  map[string]string{"cpu": "z"},
		},
		"a job without GPUs takes a GPU node where there is no other": {
			world: []any{wide(), gpuNode("a", "A100", 8), cpuNode("z", 1), job("1", 0), job("2", 0)},
			want:  map[string]string{"1": "z", "2": "a"},
		},
		"quota in use, quota too small, no GPUs granted, no quota": {
			world: []any{
				gpuQuota("vision", 4), Quota{Name: "none", Nominal: NominalLimits(platformv1.ResourceAmounts{})},
				gpuNode("a", "A100", 8), gpuNode("b", "A100", 8), job("1-first", 4, under("vision")), job("2-used", 1, under("vision")),
				job("3-too-much", 8, under("vision")), job("4-none", 1, under("none")), job("5-missing", 1, under("missing")),
			},
			want: map[string]string{
				"1-first": "a", "2-used": exceeded(), "3-too-much": tooSmall(), "4-none": tooSmall(), "5-missing": "QuotaMissing",
			},
		},
		"one user's share": {
			world: []any{
				Quota{Name: "wide", Nominal: wide().Nominal, PerUser: Limits{GPUs: limit(2)}}, gpuNode("a", "A100", 8),
				job("1-carol", 2), job("2-carol", 1), job("3-dave", 2, by("dave")),
			},
			want: map[string]string{"1-carol": "a", "2-carol": exceeded(), "3-dave": "a"},
		},
		"users of a quota take turns": {
			world: []any{
				gpuQuota("wide", 2), gpuNode("a", "A100", 8), job("1-carol", 1), job("2-carol", 1), job("3-dave", 1, by("dave"), after(time.Hour)),
			},
			want: map[string]string{"1-carol": "a", "2-carol": exceeded(), "3-dave": "a"},
		},
		"any model will do: the one that has quota and room is taken": {
			world: []any{
				Quota{Name: "wide", Nominal: Limits{MilliCPU: limit(1 << 40), Memory: limit(1 << 40), GPUs: limit(8), Models: map[string]int64{"A100": 0}}},
				gpuNode("a", "A100", 8), gpuNode("h", "H100", 8), job("any", 1),
			},
			want: map[string]string{"any": "h"},
		},
		"models in the order in which the job takes them": {
			world: []any{wide(), gpuNode("a", "A100", 8), gpuNode("h", "H100", 1), job("1", 1, models("H100", "A100")), job("2", 1, models("H100", "A100"))},
			want:  map[string]string{"1": "h", "2": "a"},
		},
		"pools in the order in which the job takes them": {
			world: []any{wide(), cpuNode("a", 8), Node{Name: "b", Pool: "slow", Allocatable: Amounts{MilliCPU: 1000, Memory: 8 * gib, Pods: 9}}, job("1", 0, pools("slow", "cpu")), job("2", 0, pools("slow", "cpu"))},
			want:  map[string]string{"1": "b", "2": "a"},
		},
		"spot nodes only for those who take them, and for them only where nothing else is free": {
			world: []any{wide(), cpuNode("stays", 1), Node{Name: "spot", Pool: "cpu", Spot: true, Allocatable: Amounts{MilliCPU: 9000, Memory: 64 * gib, Pods: 9}}, job("1", 0, onSpot()), job("2", 0), job("3", 0, onSpot())},
			want:  map[string]string{"1": "stays", "2": queued(), "3": "spot"},
		},
		"replicas in one rack": {
			world: []any{
				wide(), gpuNode("a", "A100", 2, "block-1", "rack-1"), gpuNode("b", "A100", 2, "block-1", "rack-2"), gpuNode("c", "A100", 1, "block-1", "rack-2"),
				gpuNode("d", "A100", 8, "block-2", "rack-1"), job("1-near", 1, replicas(3), within(2)), job("2-wide", 1, replicas(9), within(2)), job("3-block", 1, replicas(3), within(1)),
			},
			want: map[string]string{"1-near": "b*2 c", "2-wide": unschedulable(), "3-block": "d*3"},
		},
		"replicas are near to each other also where they need not be": {
			world: []any{
				wide(), gpuNode("a", "A100", 2, "rack-1"), gpuNode("b", "A100", 2, "rack-2"), gpuNode("c", "A100", 2, "rack-2"), gpuNode("d", "A100", 2, "rack-3"),
				job("1", 1, replicas(4)),
			},
			want: map[string]string{"1": "b*2 c*2"},
		},
		"a bound on the number of jobs": {
			world: []any{Quota{Name: "wide", Nominal: Limits{MilliCPU: limit(1 << 40), Memory: limit(1 << 40), Jobs: limit(1)}}, cpuNode("z", 8), job("1", 0), job("2", 0)},
			want:  map[string]string{"1": "z", "2": exceeded()},
		},
		"pods of others take room": {
			world: []any{wide(), Node{Name: "z", Pool: "cpu", Allocatable: Amounts{MilliCPU: 2000, Memory: 8 * gib, Pods: 9}, Foreign: Amounts{MilliCPU: 1500}}, job("1", 0)},
			want:  map[string]string{"1": queued()},
		},
		"nothing fits a cluster without nodes": {
			world: []any{wide(), job("1", 0), job("2", 1)},
			want:  map[string]string{"1": unschedulable(), "2": unschedulable()},
		},
		"a quota with parents in a circle, or one that does not exist": {
			world: []any{
				Quota{Name: "a", Parent: "b", Nominal: wide().Nominal}, Quota{Name: "b", Parent: "a"}, Quota{Name: "c", Parent: "d", Nominal: wide().Nominal},
				cpuNode("z", 8), job("1", 0, under("a")), job("2", 0, under("c")),
			},
			want: map[string]string{"1": "QuotaMissing", "2": "QuotaMissing"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := engineWith(tc.world...)
			if diff := cmp.Diff(tc.want, outcome(e, e.Decide(start.Add(2*time.Hour)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a gang waits for is told as things are.
func TestGangMessages(t *testing.T) {
	e := engineWith(wide(), gpuNode("a", "A100", 2, "rack-1"), gpuNode("b", "A100", 2, "rack-1"), gpuNode("c", "A100", 2, "rack-2"), job("1", 2),
		job("2-near", 1, replicas(3), within(1)), job("3-any", 1, replicas(5)))
	e.Decide(start)
	for key, want := range map[string]string{
		"2-near": "waiting for others to end: no topology domain has room for all 3 replicas, which start together; there is room for 4 in all",
		"3-any":  "waiting for others to end: there is room for 4 of 5 replicas, which start together",
	} {
		if got := e.Message(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	full := gpuNode("d", "A100", 1, "rack-2")
	full.Foreign = full.Allocatable
	for _, step := range []struct {
		happens func()
		want    string
	}{
		{func() { e.RemoveNode("b") }, "room for 2 of 5"},
		{func() { e.SetNode(gpuNode("d", "A100", 1, "rack-2")) }, "room for 3 of 5"},
		{func() { e.SetNode(full) }, "room for 2 of 5"},
		{func() { e.RemoveRunning("1") }, "room for 4 of 5"},
	} {
		step.happens()
		if got := e.Message("3-any"); !strings.Contains(got, step.want) {
			t.Errorf("got %q, want %q", got, step.want)
		}
	}
}
