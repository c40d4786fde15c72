package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// QuotaPhase tells a person where a quota is in its life.
// +kubebuilder:validation:Enum=Active;Terminating
type QuotaPhase string

// The phases of a quota.
const (
	// QuotaActive: the quota is applied.
	QuotaActive QuotaPhase = "Active"
	// QuotaTerminating: the quota is being deleted.
	QuotaTerminating QuotaPhase = "Terminating"
)

// QuotaSpec is what a quota grants.
type QuotaSpec struct {
	// description for people.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// nominal is what all jobs under this quota may hold at the same time. Of cpu, memory and GPUs, what is not given here
	// may not be used.
	// +required
	Nominal ResourceAmounts `json:"nominal"`

	// perUser is what the jobs of one user under this quota may hold at the same time. What is not given here is limited by
	// nominal alone.
	// +optional
	PerUser *ResourceAmounts `json:"perUser,omitempty"`
}

// QuotaStatus is what is in use of a quota.
type QuotaStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase for people; programs read the conditions.
	// +optional
	Phase QuotaPhase `json:"phase,omitempty"`

	// used is what jobs under this quota hold, derived from their reservations.
	// +optional
	Used *ResourceAmounts `json:"used,omitempty"`

	// users is what the jobs of single users hold, those who hold most first.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=24
	Users []UserUsage `json:"users,omitempty"`

	// projects is the number of projects that point at this quota.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Projects int32 `json:"projects,omitempty"`

	// waitingJobs is the number of jobs under this quota that wait for a reservation.
	// +optional
	// +kubebuilder:validation:Minimum=0
	WaitingJobs int32 `json:"waitingJobs,omitempty"`

	// conditions: Ready, Reconciling, Stalled, Exceeded.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// journal of the quota's life.
	// +optional
	Journal Journal `json:"journal,omitempty,omitzero"`
}

// UserUsage is what the jobs of one user hold.
type UserUsage struct {
	// name of the user, as the API server knows it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// used is what the user's jobs hold.
	// +required
	Used ResourceAmounts `json:"used"`
}

// Quota grants amounts of resources to the jobs of the projects that point at it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=squota,categories=soma
// +kubebuilder:printcolumn:name="GPUs",type=integer,JSONPath=`.spec.nominal.gpus`
// +kubebuilder:printcolumn:name="Used GPUs",type=integer,JSONPath=`.status.used.gpus`
// +kubebuilder:printcolumn:name="Jobs",type=integer,JSONPath=`.status.used.runningJobs`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waitingJobs`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="CPU",type=string,JSONPath=`.spec.nominal.cpu`,priority=1
// +kubebuilder:printcolumn:name="Used CPU",type=string,JSONPath=`.status.used.cpu`,priority=1
// +kubebuilder:printcolumn:name="Memory",type=string,JSONPath=`.spec.nominal.memory`,priority=1
// +kubebuilder:printcolumn:name="Used Memory",type=string,JSONPath=`.status.used.memory`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="a quota's name has at most 63 characters"
type Quota struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is what the quota grants.
	// +required
	Spec QuotaSpec `json:"spec"`

	// status is what is in use of it.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status QuotaStatus `json:"status,omitempty,omitzero"`
}

// QuotaList is a list of quotas.
//
// +kubebuilder:object:root=true
type QuotaList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Quota `json:"items"`
}

// GetConditions returns the conditions of the quota, for helpers that work on any kind.
func (q *Quota) GetConditions() *[]metav1.Condition { return &q.Status.Conditions }

// GetJournal returns the journal of the quota.
func (q *Quota) GetJournal() *Journal { return &q.Status.Journal }
