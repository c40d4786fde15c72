package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ProjectPhase tells a person where a project is in its life.
// +kubebuilder:validation:Enum=Pending;Active;Terminating
type ProjectPhase string

// The phases of a project.
const (
	// ProjectPending: the namespace is not ready yet, or what people may do in it is not in force yet.
	ProjectPending ProjectPhase = "Pending"
	// ProjectActive: the namespace is ready, and who has rights in it can use them.
	ProjectActive ProjectPhase = "Active"
	// ProjectTerminating: the project is being deleted with all that is in it.
	ProjectTerminating ProjectPhase = "Terminating"
)

// ProjectSpec is what a project is asked to be.
// +kubebuilder:validation:XValidation:rule="has(self.organization) == has(oldSelf.organization) && (!has(self.organization) || self.organization == oldSelf.organization)",message="organization cannot be changed: addresses of what is in the project contain it",fieldPath=".organization"
type ProjectSpec struct {
	// description for people.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// organization that the project belongs to. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Organization string `json:"organization,omitempty"`

	// quota is the name of the Quota whose amounts the project's jobs use. A project without one may run nothing.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Quota string `json:"quota,omitempty"`

	// publicPages lets jobs of the project make their pages public. Without it, whoever sees one is signed in and may read
	// the job.
	// +optional
	PublicPages *bool `json:"publicPages,omitempty"`
}

// ProjectNamespace is the namespace that a project made.
type ProjectNamespace struct {
	// name of the namespace: that of the project.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// uid of the namespace. A namespace of the same name with another UID is not the project's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
}

// ProjectStatus is what Soma found and did.
type ProjectStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase for people; programs read the conditions.
	// +optional
	Phase ProjectPhase `json:"phase,omitempty"`

	// namespace that the project owns.
	// +optional
	Namespace *ProjectNamespace `json:"namespace,omitempty"`

	// conditions: Ready, Reconciling, Stalled, NamespaceReady, QuotaFound, AccessBound, AccessIncomplete.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// journal of the project's life.
	// +optional
	Journal Journal `json:"journal,omitempty,omitzero"`
}

// Project is a unit of ownership. It owns one namespace of its own name, in which its jobs, secrets and disks are.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=sproj,categories=soma
// +kubebuilder:printcolumn:name="Organization",type=string,JSONPath=`.spec.organization`
// +kubebuilder:printcolumn:name="Quota",type=string,JSONPath=`.spec.quota`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.organization`
// +kubebuilder:selectablefield:JSONPath=`.spec.quota`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 48 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="a project's name is a DNS label: 1 to 48 lower-case letters, digits and '-', beginning with a letter"
// +kubebuilder:validation:XValidation:rule="!(self.metadata.name in ['default', 'soma-system']) && !self.metadata.name.startsWith('kube-')",message="the name belongs to a namespace of the system"
type Project struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is what the project is asked to be.
	// +optional
	// +kubebuilder:default={}
	Spec ProjectSpec `json:"spec,omitempty,omitzero"`

	// status is what Soma found and did.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status ProjectStatus `json:"status,omitempty,omitzero"`
}

// ProjectList is a list of projects.
//
// +kubebuilder:object:root=true
type ProjectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Project `json:"items"`
}

// GetConditions returns the conditions of the project, for helpers that work on any kind.
func (p *Project) GetConditions() *[]metav1.Condition { return &p.Status.Conditions }

// GetJournal returns the journal of the project.
func (p *Project) GetJournal() *Journal { return &p.Status.Journal }
