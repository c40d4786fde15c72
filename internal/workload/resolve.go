// Package workload says what a job is in terms of Kubernetes: which resources it asks for, which pods and services it is
// made of, and what these tell about it. It is pure: objects in, objects or verdicts out.
package workload

import (
	"fmt"
	"strings"

	"k8s.io/utils/ptr"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Refusal is why a job cannot start as things are. It is a verdict and no error: the job waits until the world changes.
type Refusal struct {
	Reason  platformv1.JobReason
	Message string
}

// Request is what a job asks for once its preset is known.
type Request struct {
	// Preset that the job runs with; empty where it says its resources itself.
	Preset string
	// Price of one replica for one hour by the preset; empty where it has none.
	Price platformv1.Price
	// PowerWatts that one replica draws by the preset; 0 where that is not known.
	PowerWatts int32
	// Replica is what each replica asks for. Its GPUModel is for the scheduler to say.
	Replica platformv1.ReplicaResources
	// Models are the GPU models of which one will do, the best first; any where there are none.
	Models []string
	// Pools are where it may run, the best first; anywhere where there are none. Spot reports that nodes will do that can be taken away.
	Pools []string
	Spot  bool
	// Replicas is how many start together.
	Replicas int32
}

// Resolve says what a job asks for on a cluster.
func Resolve(job *platformv1.JobSpec, cluster *platformv1.ClusterSpec) (Request, *Refusal) {
	request := Request{Replicas: job.ReplicaCount()}
	request.place(job.Placement)
	if own := job.Resources; own != nil && own.CPU != nil && own.Memory != nil {
		request.Replica = platformv1.ReplicaResources{CPU: *own.CPU, Memory: *own.Memory}
		request.setGPU(own.GPU)
		request.Replica.SHM = own.SHM
		return request, nil
	}
	preset, refusal := findPreset(job.Preset, cluster.Presets)
	if refusal != nil {
		return Request{}, refusal
	}
	request.Preset, request.Price, request.PowerWatts = preset.Name, preset.PricePerHour, preset.PowerWatts
	request.Replica = platformv1.ReplicaResources{CPU: preset.CPU, Memory: preset.Memory}
	request.setGPU(preset.GPU)
	request.Pools, request.Spot = preset.Pools, ptr.Deref(preset.Spot, false)
	request.place(job.Placement)
	size := preset.SHM
	if job.Resources != nil && job.Resources.SHM != nil {
		size = job.Resources.SHM
	}
	request.Replica.SHM = size
	if preset.CPU.Sign() <= 0 || preset.Memory.Sign() <= 0 {
		return Request{}, &Refusal{platformv1.JobReasonPresetInvalid,
			fmt.Sprintf("preset %q asks for no cpu or no memory; an administrator has to correct it", preset.Name)}
	}
	if size != nil && size.Cmp(preset.Memory) > 0 {
		return Request{}, &Refusal{platformv1.JobReasonPresetInvalid,
			fmt.Sprintf("shm of %s is more than the memory of preset %q (%s), of which it is a part", size, preset.Name, preset.Memory.String())}
	}
	return request, nil
}

func findPreset(name string, presets []platformv1.Preset) (*platformv1.Preset, *Refusal) {
	if name == "" && len(presets) > 0 {
		return &presets[0], nil
	}
	names := make([]string, 0, len(presets))
	for i := range presets {
		if presets[i].Name == name {
			return &presets[i], nil
		}
		names = append(names, presets[i].Name)
	}
	if name == "" {
		return nil, &Refusal{platformv1.JobReasonPresetNotFound,
			"the job names no preset and no resources, and the cluster has no presets; name cpu and memory"}
	}
	return nil, &Refusal{platformv1.JobReasonPresetNotFound,
		fmt.Sprintf("the cluster has no preset %q; it has: %s", name, strings.Join(names, ", "))}
}

// place is where the job itself says that it may run.
func (r *Request) place(by *platformv1.Placement) {
	if by == nil {
		return
	}
	if len(by.Pools) > 0 {
		r.Pools = by.Pools
	}
	r.Spot = ptr.Deref(by.Spot, r.Spot)
}

func (r *Request) setGPU(gpu *platformv1.GPUs) {
	switch {
	case gpu == nil:
		return
	case gpu.Model != "":
		r.Models = []string{gpu.Model}
	default:
		r.Models = gpu.Models
	}
	r.Replica.GPUs = gpu.Count
}
