package v1alpha1

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GPUs is a number of whole GPUs, of one model, of one out of several, or of any.
// +kubebuilder:validation:XValidation:rule="!has(self.model) || !has(self.models)",message="give a model, or several in the order in which they are preferred, not both",fieldPath=".models"
type GPUs struct {
	// count is the number of GPUs.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	Count int32 `json:"count"`

	// model is the GPU model as the nodes' label nvidia.com/gpu.product names it. Any model will do where it is not given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Model string `json:"model,omitempty"`

	// models are the GPU models of which one will do, the best first. All replicas get the same.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Models []string `json:"models,omitempty"`
}

// ResourceAmounts is an amount of every resource that Soma accounts for.
type ResourceAmounts struct {
	// cpu in cores, for instance "64" or "500m".
	// +optional
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="must not be negative"
	CPU *resource.Quantity `json:"cpu,omitempty"`

	// memory in bytes, for instance "256Gi".
	// +optional
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="must not be negative"
	Memory *resource.Quantity `json:"memory,omitempty"`

	// gpus is the number of GPUs of all models together. Where it is not given and gpuModels is, the models listed there
	// are all that may be used.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	GPUs *int32 `json:"gpus,omitempty"`

	// gpuModels is the number of GPUs of single models, within gpus where that is given.
	// +optional
	// +listType=map
	// +listMapKey=model
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	GPUModels []GPUModelAmount `json:"gpuModels,omitempty"`

	// runningJobs is the number of jobs that may hold a reservation at the same time. Where it is not given there is no
	// limit on their number.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	RunningJobs *int32 `json:"runningJobs,omitempty"`
}

// GPUModelAmount is a number of GPUs of one model.
type GPUModelAmount struct {
	// model is the GPU model as the nodes' label nvidia.com/gpu.product names it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Model string `json:"model"`

	// count is the number of GPUs of this model.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Count int32 `json:"count"`
}

// MaxModels is the number of GPU models that an amount can tell apart.
const MaxModels = 32

// ForemostModels are the models in the order of their names: all of them, or of very many those with the most GPUs. It changes the list.
func ForemostModels(models []GPUModelAmount) []GPUModelAmount {
	byModel := func(a, b GPUModelAmount) int { return cmp.Compare(a.Model, b.Model) }
	if len(models) > MaxModels {
		slices.SortFunc(models, func(a, b GPUModelAmount) int { return cmp.Or(cmp.Compare(b.Count, a.Count), byModel(a, b)) })
		models = models[:MaxModels]
	}
	slices.SortFunc(models, byModel)
	return models
}

// Journal is an object's own record of what happened to it, until the history has it. The controllers append to it in the
// same write that makes the transition, so that no transition can be seen without its entry; the recorder copies entries
// to PostgreSQL, exactly once by (UID, sequence).
// +structType=atomic
type Journal struct {
	// sequence is the number of the newest transition, from 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Sequence int64 `json:"sequence,omitempty"`

	// recorded is the number of the newest transition that the history is known to have. It is written only when entries
	// have to be dropped to keep the journal small, so it may lag.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Recorded int64 `json:"recorded,omitempty"`

	// entries are the newest transitions, oldest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=24
	Entries []Transition `json:"entries,omitempty"`
}

// Transition is one change in an object's life.
type Transition struct {
	// sequence is the number of the transition within the object's life, from 1 without gaps.
	// +required
	// +kubebuilder:validation:Minimum=1
	Sequence int64 `json:"sequence"`

	// time of the transition.
	// +required
	Time metav1.MicroTime `json:"time"`

	// phase that the object entered.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Phase string `json:"phase"`

	// reason of the transition, a documented constant.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// message for a person.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`

	// attempt of the job that the transition belongs to.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Attempt int32 `json:"attempt,omitempty"`

	// exitCode of the container, where the transition is the end of one.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// attemptReason is why the job's attempt ended, where the transition is the end of one. The reason is what follows from
	// it: an attempt that ended by OOMKilled is followed by BackOff, or by the end of the job.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	AttemptReason JobReason `json:"attemptReason,omitempty"`
}
