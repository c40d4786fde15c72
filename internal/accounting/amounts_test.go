package accounting

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// sum is an amount; models are given as "A100=2".
func sum(cpu, memory string, gpus, jobs int64, models ...string) Sum {
	s := Sum{CPU: resource.MustParse(cpu), Memory: resource.MustParse(memory), GPUs: gpus, Jobs: jobs}
	for _, model := range models {
		name, count, _ := strings.Cut(model, "=")
		if s.Models == nil {
			s.Models = map[string]int64{}
		}
		s.Models[name], _ = strconv.ParseInt(count, 10, 64)
	}
	return s
}

func text(s Sum) string {
	return fmt.Sprintf("cpu %s, memory %s, %d GPUs %v, %d jobs", s.CPU.String(), s.Memory.String(), s.GPUs, s.Models, s.Jobs)
}

func TestSumAdds(t *testing.T) {
	tests := map[string]struct{ a, b, want Sum }{
		"nothing":              {Sum{}, Sum{}, sum("0", "0", 0, 0)},
		"to nothing":           {Sum{}, sum("500m", "1Gi", 3, 1, "A100=2"), sum("500m", "1Gi", 3, 1, "A100=2")},
		"nothing to it":        {sum("500m", "1Gi", 3, 1, "A100=2"), Sum{}, sum("500m", "1Gi", 3, 1, "A100=2")},
		"of the same model":    {sum("1500m", "1Gi", 2, 1, "A100=2"), sum("1500m", "1Gi", 1, 2, "A100=1"), sum("3", "2Gi", 3, 3, "A100=3")},
		"of another model":     {sum("1", "1Gi", 2, 1, "A100=2"), sum("1", "1Gi", 1, 1, "H100=1"), sum("2", "2Gi", 3, 2, "A100=2", "H100=1")},
		"of a model not known": {sum("1", "1Gi", 2, 1, "A100=2"), sum("1", "1Gi", 1, 1), sum("2", "2Gi", 3, 2, "A100=2")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := text(test.b)
			got := test.a
			got.Add(test.b)
			if text(got) != text(test.want) {
				t.Errorf("want %s, got %s", text(test.want), text(got))
			}
			if text(test.b) != before {
				t.Errorf("what was added changed from %s to %s", before, text(test.b))
			}
		})
	}
}

func TestSumMax(t *testing.T) {
	tests := map[string]struct{ a, b, want Sum }{
		"nothing":         {Sum{}, Sum{}, sum("0", "0", 0, 0)},
		"of nothing":      {Sum{}, sum("1", "1Gi", 1, 1, "A100=1"), sum("1", "1Gi", 1, 1, "A100=1")},
		"each by itself":  {sum("4", "1Gi", 1, 3, "A100=1"), sum("2", "2Gi", 2, 1, "A100=0", "H100=2"), sum("4", "2Gi", 2, 3, "A100=1", "H100=2")},
		"nothing is more": {sum("4", "4Gi", 4, 4, "A100=4"), sum("1", "1Gi", 1, 1, "A100=1"), sum("4", "4Gi", 4, 4, "A100=4")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := test.a
			got.Max(test.b)
			if text(got) != text(test.want) {
				t.Errorf("want %s, got %s", text(test.want), text(got))
			}
		})
	}
}

func TestResourcesTellsTheMostOfManyModels(t *testing.T) {
	var s Sum
	for i := range v1alpha1.MaxModels + 5 {
		s.AddGPUs(fmt.Sprintf("model-%02d", i), int64(i+1))
	}
	s.AddGPUs("", 7)
	s.AddGPUs("none", 0)
	got := s.Resources()
	if *got.GPUs != int32(s.GPUs) || got.RunningJobs != nil {
		t.Errorf("want %d GPUs of all models and no jobs, got %d and %v", s.GPUs, *got.GPUs, got.RunningJobs)
	}
	if len(got.GPUModels) != v1alpha1.MaxModels || got.GPUModels[0].Model != "model-05" || got.GPUModels[v1alpha1.MaxModels-1].Model != "model-36" {
		t.Errorf("want the %d models with the most GPUs by name, got %v", v1alpha1.MaxModels, got.GPUModels)
	}
	if jobs := (Sum{Jobs: 3}).Amounts().RunningJobs; jobs == nil || *jobs != 3 {
		t.Errorf("want 3 jobs, got %v", jobs)
	}
}

func TestHeld(t *testing.T) {
	replica := v1alpha1.ReplicaResources{CPU: resource.MustParse("1500m"), Memory: resource.MustParse("2Gi"), GPUs: 2, GPUModel: "A100"}
	tests := map[string]struct {
		reservation *v1alpha1.Reservation
		want        Sum
	}{
		"nothing": {nil, Sum{}},
		"every replica on every node": {&v1alpha1.Reservation{Replica: replica, Nodes: []v1alpha1.NodeShare{{Node: "a", Replicas: 1}, {Node: "b", Replicas: 2}}},
			sum("4500m", "6Gi", 6, 1, "A100=6")},
		"no GPUs": {&v1alpha1.Reservation{Replica: v1alpha1.ReplicaResources{CPU: replica.CPU, Memory: replica.Memory}, Nodes: []v1alpha1.NodeShare{{Node: "a", Replicas: 1}}},
			sum("1500m", "2Gi", 0, 1)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Held(test.reservation); text(got) != text(test.want) {
				t.Errorf("want %s, got %s", text(test.want), text(got))
			}
		})
	}
}

func TestOver(t *testing.T) {
	cpu, memory := resource.MustParse("4"), resource.MustParse("8Gi")
	gpus, jobs := int32(4), int32(2)
	tests := map[string]struct {
		used   Sum
		limits v1alpha1.ResourceAmounts
		closed bool
		// want is the first words of each complaint.
		want []string
	}{
		"nothing of nothing":           {Sum{}, v1alpha1.ResourceAmounts{}, true, nil},
		"no limits, open":              {sum("100", "1Ti", 64, 9, "A100=64"), v1alpha1.ResourceAmounts{}, false, nil},
		"no limits, closed":            {sum("1", "1Gi", 1, 1), v1alpha1.ResourceAmounts{}, true, []string{"1 of cpu", "1Gi of memory", "1 GPUs"}},
		"as much as granted":           {sum("4", "8Gi", 4, 2), v1alpha1.ResourceAmounts{CPU: &cpu, Memory: &memory, GPUs: &gpus, RunningJobs: &jobs}, true, nil},
		"more than granted":            {sum("4001m", "9Gi", 5, 3), v1alpha1.ResourceAmounts{CPU: &cpu, Memory: &memory, GPUs: &gpus, RunningJobs: &jobs}, true, []string{"4001m of cpu", "9Gi of memory", "5 GPUs", "3 jobs"}},
		"too many of a model":          {sum("0", "0", 3, 0, "A100=3"), v1alpha1.ResourceAmounts{GPUs: &gpus, GPUModels: []v1alpha1.GPUModelAmount{{Model: "A100", Count: 2}}}, false, []string{"3 GPUs of A100"}},
		"a model that is not listed":   {sum("0", "0", 2, 0, "H100=1", "A100=1"), v1alpha1.ResourceAmounts{GPUModels: []v1alpha1.GPUModelAmount{{Model: "A100", Count: 2}}}, false, []string{"1 GPUs of models that are not listed"}},
		"any model within the number":  {sum("0", "0", 2, 0, "H100=2"), v1alpha1.ResourceAmounts{GPUs: &gpus, GPUModels: []v1alpha1.GPUModelAmount{{Model: "A100", Count: 2}}}, true, nil},
		"jobs are not limited, closed": {sum("0", "0", 0, 100), v1alpha1.ResourceAmounts{}, true, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for i, complaint := range test.used.Over(test.limits, test.closed) {
				if i < len(test.want) && strings.HasPrefix(complaint, test.want[i]+",") {
					complaint = test.want[i]
				}
				got = append(got, complaint)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}
