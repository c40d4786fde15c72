package cluster

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/workload"
)

// presets tells how many jobs of each preset the nodes have room for. Neither list is changed.
func presets(spec *v1alpha1.ClusterSpec, nodes []corev1.Node, pods []corev1.Pod) []v1alpha1.PresetRoom {
	if len(spec.Presets) == 0 {
		return nil
	}
	byName, tolerated := map[string]*scheduling.Node{}, workload.Tolerations(spec.Tolerations)
	for i := range nodes {
		if n := &nodes[i]; workload.Schedulable(n, tolerated) {
			can := amounts(accounting.Allocatable(n))
			can.Pods = n.Status.Allocatable.Pods().Value()
			byName[n.Name] = &scheduling.Node{
				Name: n.Name, Pool: workload.Pool(n), GPUModel: n.Labels[v1alpha1.LabelGPUModel], GPUOnly: workload.GPUOnly(n),
				Spot: workload.Spot(n), Allocatable: can,
			}
		}
	}
	for i := range pods {
		if n := byName[pods[i].Spec.NodeName]; n != nil && accounting.Occupies(&pods[i]) {
			holds := amounts(accounting.Requested(&pods[i], ""))
			holds.Pods = 1
			n.Carry(holds, accounting.BelongsToNode(&pods[i]))
		}
	}
	list := make([]scheduling.Node, 0, len(byName))
	for _, n := range byName {
		list = append(list, *n)
	}
	rooms := scheduling.OpenRooms(list)
	var all []v1alpha1.PresetRoom
	for i := range spec.Presets {
		p := &spec.Presets[i]
		room := v1alpha1.PresetRoom{Name: p.Name, Limit: v1alpha1.RoomNoSuchNode}
		if asks, refused := workload.Resolve(&v1alpha1.JobSpec{Preset: p.Name}, spec); refused == nil {
			room.Startable, room.Models, room.Limit = rooms.For(scheduling.Request{
				Replica: scheduling.AmountsOf(asks.Replica.CPU, asks.Replica.Memory, int64(asks.Replica.GPUs)),
				Models:  asks.Models, Pools: asks.Pools, Spot: asks.Spot,
			})
		}
		all = append(all, room)
	}
	return all
}

func amounts(sum accounting.Sum) scheduling.Amounts {
	return scheduling.AmountsOf(sum.CPU, sum.Memory, sum.GPUs)
}
