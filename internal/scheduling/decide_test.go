package scheduling

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

const gib = int64(1 << 30)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func gpuNode(name, model string, gpus int64) *Node {
	all := Amounts{MilliCPU: 64_000, Memory: 512 * gib, GPUs: gpus}
	return &Node{Name: name, Pool: model, GPUModel: model, Allocatable: all, Free: all, Pods: 110}
}

func cpuNode(name string, cores int64) *Node {
	all := Amounts{MilliCPU: cores * 1000, Memory: cores * 4 * gib}
	return &Node{Name: name, Pool: "cpu", Allocatable: all, Free: all, Pods: 110}
}

func wide() *Quota {
	many := int64(1 << 40)
	return &Quota{Name: "wide", Nominal: Limits{MilliCPU: &many, Memory: &many, GPUs: &many}}
}

func job(name string, gpus, replicas int64, q *Quota) *Waiting {
	return &Waiting{
		Key: name, Since: start, User: "carol", Quota: q, Replicas: replicas,
		Replica: Amounts{MilliCPU: 1000, Memory: gib, GPUs: gpus},
	}
}

func TestDecide(t *testing.T) {
	limit := func(n int64) *int64 { return &n }
	tests := map[string]struct {
		nodes []*Node
		jobs  func() []*Waiting
		// want is the node of each started job, or the reason of each that waits, by key.
		want map[string]string
	}{
		"starts what fits, by time of submission": {
			nodes: []*Node{gpuNode("a", "A100", 4)},
			jobs: func() []*Waiting {
				q := wide()
				late, early := job("late", 4, 1, q), job("early", 4, 1, q)
				late.Since = start.Add(time.Second)
				return []*Waiting{late, early}
			},
			want: map[string]string{"early": "a", "late": "Queued"},
		},
		"higher priority goes first": {
			nodes: []*Node{gpuNode("a", "A100", 4)},
			jobs: func() []*Waiting {
				q := wide()
				urgent := job("urgent", 4, 1, q)
				urgent.Priority, urgent.Since = platformv1.PriorityHigh, start.Add(time.Hour)
				return []*Waiting{job("usual", 4, 1, q), urgent}
			},
			want: map[string]string{"urgent": "a", "usual": "Queued"},
		},
		"impossible is told from busy": {
			nodes: []*Node{gpuNode("a", "A100", 8)},
			jobs: func() []*Waiting {
				q := wide()
				other := job("other-model", 1, 1, q)
				other.Model = "H100"
				return []*Waiting{job("1-first", 8, 1, q), job("2-busy", 8, 1, q), job("3-too-large", 16, 1, q), job("4-gang-too-large", 4, 3, q), other}
			},
			want: map[string]string{"1-first": "a", "2-busy": "Queued", "3-too-large": "Unschedulable", "4-gang-too-large": "Unschedulable", "other-model": "Unschedulable"},
		},
		"a gang starts whole or not at all": {
			nodes: []*Node{gpuNode("a", "A100", 4), gpuNode("b", "A100", 4)},
			jobs: func() []*Waiting {
				q := wide()
				return []*Waiting{job("1-small", 1, 1, q), job("2-gang", 4, 2, q), job("3-small", 3, 1, q)}
			},
			want: map[string]string{"1-small": "a", "2-gang": "Queued", "3-small": "a"},
		},
		"a job goes where the least is left over": {
			nodes: []*Node{gpuNode("a", "A100", 8), gpuNode("b", "A100", 2)},
			jobs:  func() []*Waiting { return []*Waiting{job("small", 2, 1, wide())} },
			want:  map[string]string{"small": "b"},
		},
		"a job without GPUs keeps away from GPU nodes": {
			nodes: []*Node{gpuNode("a", "A100", 8), cpuNode("z", 4)},
			jobs:  func() []*Waiting { return []*Waiting{job("cpu", 0, 1, wide())} },
			want:  map[string]string{"cpu": "z"},
		},
		"quota in use, quota too small, no GPUs granted": {
			nodes: []*Node{gpuNode("a", "A100", 8), gpuNode("b", "A100", 8)},
			jobs: func() []*Waiting {
				q := &Quota{Name: "vision", Nominal: Limits{MilliCPU: limit(100_000), Memory: limit(1000 * gib), GPUs: limit(4)}}
				none := &Quota{Name: "none", Nominal: NominalLimits(platformv1.ResourceAmounts{})}
				return []*Waiting{job("1-first", 4, 1, q), job("2-used", 1, 1, q), job("3-too-much", 8, 1, q), job("4-none", 1, 1, none)}
			},
			want: map[string]string{"1-first": "a", "2-used": "QuotaExceeded", "3-too-much": "QuotaTooSmall", "4-none": "QuotaTooSmall"},
		},
		"one user's share": {
			nodes: []*Node{gpuNode("a", "A100", 8)},
			jobs: func() []*Waiting {
				q := wide()
				q.PerUser.GPUs = limit(2)
				other := job("3-dave", 2, 1, q)
				other.User = "dave"
				return []*Waiting{job("1-carol", 2, 1, q), job("2-carol", 1, 1, q), other}
			},
			want: map[string]string{"1-carol": "a", "2-carol": "QuotaExceeded", "3-dave": "a"},
		},
		"any model will do: the one that has quota and room is taken": {
			nodes: []*Node{gpuNode("a", "A100", 8), gpuNode("h", "H100", 8)},
			jobs: func() []*Waiting {
				q := wide()
				q.Nominal.Models = map[string]int64{"A100": 0}
				return []*Waiting{job("any", 1, 1, q)}
			},
			want: map[string]string{"any": "h"},
		},
		"a bound on the number of jobs": {
			nodes: []*Node{cpuNode("z", 8)},
			jobs: func() []*Waiting {
				q := wide()
				q.Nominal.Jobs = limit(1)
				return []*Waiting{job("1", 0, 1, q), job("2", 0, 1, q)}
			},
			want: map[string]string{"1": "z", "2": "QuotaExceeded"},
		},
		"nothing fits a cluster without nodes": {
			jobs: func() []*Waiting { return []*Waiting{job("1", 0, 1, wide())} },
			want: map[string]string{"1": "Unschedulable"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			for _, d := range Decide(tc.jobs(), tc.nodes) {
				if d.Placement != nil {
					got[d.Key] = d.Placement.Nodes[0].Node
				} else {
					got[d.Key] = string(d.Refusal.Reason)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestDecideProperties draws worlds and checks what must hold in all of them: nothing is given twice, gangs are whole,
// every job gets one answer, quotas hold, and the order in which the world is listed does not matter.
func TestDecideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodeCount := rapid.IntRange(0, 5).Draw(t, "nodes")
		gpus := rapid.SliceOfN(rapid.Int64Range(0, 8), nodeCount, nodeCount).Draw(t, "gpus")
		quotaGPUs := rapid.Int64Range(0, 20).Draw(t, "quota")
		type ask struct{ GPUs, Replicas int64 }
		asks := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ask {
			return ask{rapid.Int64Range(0, 9).Draw(t, "g"), rapid.Int64Range(1, 4).Draw(t, "r")}
		}), 0, 12).Draw(t, "jobs")
		draw := func() ([]*Waiting, []*Node, *Quota) {
			many := int64(1 << 40)
			q := &Quota{Name: "q", Nominal: Limits{MilliCPU: &many, Memory: &many, GPUs: &quotaGPUs}}
			var nodes []*Node
			for i, g := range gpus {
				nodes = append(nodes, gpuNode(fmt.Sprintf("n%d", i), fmt.Sprintf("M%d", i%2), g))
			}
			var jobs []*Waiting
			for i, a := range asks {
				jobs = append(jobs, job(fmt.Sprintf("j%02d", i), a.GPUs, a.Replicas, q))
			}
			return jobs, nodes, q
		}
		jobs, nodes, quota := draw()
		decisions := Decide(jobs, nodes)
		if len(decisions) != len(jobs) {
			t.Fatalf("%d decisions for %d jobs", len(decisions), len(jobs))
		}
		byKey := map[string]*Waiting{}
		for _, j := range jobs {
			byKey[j.Key] = j
		}
		for _, d := range decisions {
			if (d.Placement == nil) == (d.Refusal == nil) {
				t.Fatalf("%s got a placement and a refusal, or neither", d.Key)
			}
			if d.Placement == nil {
				continue
			}
			placed := int64(0)
			for _, share := range d.Placement.Nodes {
				placed += share.Replicas
			}
			if placed != byKey[d.Key].Replicas {
				t.Fatalf("%s: %d of %d replicas placed", d.Key, placed, byKey[d.Key].Replicas)
			}
		}
		for _, n := range nodes {
			if n.Free.MilliCPU < 0 || n.Free.Memory < 0 || n.Free.GPUs < 0 || n.Pods < 0 {
				t.Fatalf("node %s was given away twice: %+v", n.Name, n.Free)
			}
		}
		if quota.Held.GPUs > quotaGPUs {
			t.Fatalf("%d GPUs held of %d", quota.Held.GPUs, quotaGPUs)
		}
		again, nodes2, _ := draw()
		for i, j := 0, len(again)-1; i < j; i, j = i+1, j-1 {
			again[i], again[j] = again[j], again[i]
		}
		for i, j := 0, len(nodes2)-1; i < j; i, j = i+1, j-1 {
			nodes2[i], nodes2[j] = nodes2[j], nodes2[i]
		}
		if a, b := describeAll(decisions), describeAll(Decide(again, nodes2)); a != b {
			t.Fatalf("the order of listing changed the decisions:\n%s\n%s", a, b)
		}
	})
}

func describeAll(decisions []Decision) string {
	text := ""
	for _, d := range decisions {
		if d.Placement != nil {
			text += fmt.Sprintf("%s=%v ", d.Key, d.Placement.Nodes)
		} else {
			text += fmt.Sprintf("%s=%s#%d ", d.Key, d.Refusal.Reason, d.Position)
		}
	}
	return text
}
