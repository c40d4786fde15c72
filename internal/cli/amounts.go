package cli

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// share is how much of one resource is used.
type share struct{ resource, used, limit string }

// shares compares what is used with what there is, resource by resource. What is neither used nor limited is left out.
// missing is what is said where there is no limit.
func shares(used, limit *v1alpha1.ResourceAmounts, missing string) []share {
	if used == nil {
		used = &v1alpha1.ResourceAmounts{}
	}
	if limit == nil {
		limit = &v1alpha1.ResourceAmounts{}
	}
	var all []share
	add := func(name, used, limit string) {
		if used == "" && limit == "" {
			return
		}
		if used == "" {
			used = "0"
		}
		if limit == "" {
			limit = missing
		}
		all = append(all, share{name, used, limit})
	}
	add("cpu", quantity(used.CPU), quantity(limit.CPU))
	add("memory", memoryText(used.Memory), memoryText(limit.Memory))
	add("gpus", count(used.GPUs), count(limit.GPUs))
	models := map[string]bool{}
	for _, model := range append(append([]v1alpha1.GPUModelAmount{}, limit.GPUModels...), used.GPUModels...) {
		if !models[model.Model] {
			models[model.Model] = true
			add("gpu "+model.Model, modelCount(used.GPUModels, model.Model), modelCount(limit.GPUModels, model.Model))
		}
	}
	add("running jobs", count(used.RunningJobs), count(limit.RunningJobs))
	return all
}

// texts are amounts in words, by resource.
func texts(of *v1alpha1.ResourceAmounts) map[string]string {
	all := map[string]string{}
	for _, s := range shares(of, nil, "") {
		all[s.resource] = s.used
	}
	return all
}

// describeAmounts is an amount of everything on one line.
func describeAmounts(amounts *v1alpha1.ResourceAmounts) string {
	if amounts == nil {
		return ""
	}
	var parts []string
	add := func(amount, unit string) {
		if amount != "" {
			parts = append(parts, amount+" "+unit)
		}
	}
	add(quantity(amounts.CPU), "CPU")
	add(memoryText(amounts.Memory), "memory")
	add(count(amounts.GPUs), "GPU")
	for _, model := range amounts.GPUModels {
		add(fmt.Sprint(model.Count), model.Model)
	}
	add(count(amounts.RunningJobs), "running")
	return strings.Join(parts, ", ")
}

func quantity(q *resource.Quantity) string {
	if q == nil {
		return ""
	}
	return q.String()
}

// memoryText writes an amount of memory in its largest binary unit with three digits: what a node offers is given in KiB.
func memoryText(q *resource.Quantity) string {
	if q == nil {
		return ""
	}
	value, unit := float64(q.Value()), ""
	for _, next := range []string{"Ki", "Mi", "Gi", "Ti", "Pi", "Ei"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, next
	}
	switch {
	case unit == "":
		return q.String()
	case value >= 100:
		return fmt.Sprintf("%.0f%s", value, unit)
	default:
		return fmt.Sprintf("%.3g%s", value, unit)
	}
}

func count(n *int32) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

func modelCount(models []v1alpha1.GPUModelAmount, model string) string {
	for _, m := range models {
		if m.Model == model {
			return fmt.Sprint(m.Count)
		}
	}
	return ""
}

// gpuText writes a number and model of GPUs.
func gpuText(gpu *v1alpha1.GPUs) string {
	switch {
	case gpu == nil:
		return ""
	case len(gpu.Models) > 0:
		return fmt.Sprintf("%d × %s", gpu.Count, strings.Join(gpu.Models, " or "))
	case gpu.Model != "":
		return fmt.Sprintf("%d × %s", gpu.Count, gpu.Model)
	default:
		return fmt.Sprint(gpu.Count)
	}
}
