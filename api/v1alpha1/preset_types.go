package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// Price is an amount of money as a decimal number, for instance "2.50".
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=20
// +kubebuilder:validation:Pattern=`^[0-9]{1,12}(\.[0-9]{1,6})?$`
type Price string

// Preset is a named size of a job.
type Preset struct {
	// name of the preset.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// description for people.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Description string `json:"description,omitempty"`

	// cpu in cores, for each replica.
	// +required
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="must not be negative"
	CPU resource.Quantity `json:"cpu"`

	// memory in bytes, for each replica.
	// +required
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="must not be negative"
	Memory resource.Quantity `json:"memory"`

	// gpu is the GPUs of each replica.
	// +optional
	GPU *GPUs `json:"gpu,omitempty"`

	// pools in which jobs with the preset run, the best first, where a job names none itself. In any where there are none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Pools []string `json:"pools,omitempty"`

	// spot allows nodes that can be taken away at any time, where a job does not say itself.
	// +optional
	Spot *bool `json:"spot,omitempty"`

	// shm is the size of /dev/shm, part of memory. 64Mi where it is not given.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="must not be negative"
	SHM *resource.Quantity `json:"shm,omitempty"`

	// pricePerHour of one replica, in the currency of the cluster's prices. Where it is not given the prices of the single
	// resources count.
	// +optional
	PricePerHour Price `json:"pricePerHour,omitempty"`

	// powerWatts that one replica draws. Where it is not given nothing is known of the energy of jobs with this preset, and
	// nothing is added to their price.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	PowerWatts int32 `json:"powerWatts,omitempty"`
}

// Prices of single resources.
type Prices struct {
	// currency as an ISO 4217 code, or any other unit such as "credits".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^[A-Za-z]+$`
	Currency string `json:"currency"`

	// cpuHour is the price of one core for one hour.
	// +optional
	CPUHour Price `json:"cpuHour,omitempty"`

	// memoryGiBHour is the price of one GiB of memory for one hour.
	// +optional
	MemoryGiBHour Price `json:"memoryGiBHour,omitempty"`

	// gpuHours are the prices of one GPU of each model for one hour.
	// +optional
	// +listType=map
	// +listMapKey=model
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	GPUHours []GPUPrice `json:"gpuHours,omitempty"`
}

// GPUPrice is the price of one GPU of a model for one hour.
type GPUPrice struct {
	// model is the GPU model as the nodes' label nvidia.com/gpu.product names it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Model string `json:"model"`

	// price of one GPU for one hour.
	// +required
	Price Price `json:"price"`
}

// PresetRoom is how many jobs of a preset the nodes have room for.
type PresetRoom struct {
	// name of the preset.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Name string `json:"name"`

	// startable is how many jobs of one replica the nodes have room for, one beside the other, without spot nodes.
	// +required
	// +kubebuilder:validation:Minimum=0
	Startable int64 `json:"startable"`

	// models is how many of them there is room for on nodes of single GPU models, of a preset with GPUs: those that it takes and
	// that there are.
	// +optional
	// +listType=map
	// +listMapKey=model
	// +kubebuilder:validation:MaxItems=32
	Models []ModelRoom `json:"models,omitempty"`

	// limit is why there is room for none.
	// +optional
	Limit RoomLimit `json:"limit,omitempty"`
}

// ModelRoom is how many jobs of a preset the nodes of one GPU model have room for.
type ModelRoom struct {
	// model is the GPU model as the nodes' label nvidia.com/gpu.product names it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Model string `json:"model"`

	// startable is how many jobs of one replica these nodes have room for.
	// +required
	// +kubebuilder:validation:Minimum=0
	Startable int64 `json:"startable"`
}

// RoomLimit is why nodes have no room for a job.
// +kubebuilder:validation:Enum=NoSuchNode;Fragmented;InUse
type RoomLimit string

// Why nodes have no room for a job.
const (
	// RoomNoSuchNode: no node on which jobs can start has room for one even when it is empty.
	RoomNoSuchNode RoomLimit = "NoSuchNode"
	// RoomFragmented: enough is free, but in parts on several nodes.
	RoomFragmented RoomLimit = "Fragmented"
	// RoomInUse: what it needs is in use.
	RoomInUse RoomLimit = "InUse"
)
