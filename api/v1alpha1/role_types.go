package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RoleSpec is what those may do who hold the role.
type RoleSpec struct {
	// description for people.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// grants are the actions that the role allows. Addresses without `//` count for the project, or for all projects of the
	// organization, in which the role is held.
	// +optional
	// +listType=map
	// +listMapKey=uri
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Grants []Permission `json:"grants,omitempty"`

	// includes are the names of roles whose grants this role has as well. No role may include itself, not over others either.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Includes []string `json:"includes,omitempty"`
}

// RoleStatus is what Soma found.
type RoleStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready, Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Role is a named list of rights, by addresses, and of roles that it includes. A user holds it everywhere, in an organization
// or in a project; a Grant gives it to somebody in one project.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=srole,categories=soma
// +kubebuilder:printcolumn:name="Includes",type=string,JSONPath=`.spec.includes`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Description",type=string,JSONPath=`.spec.description`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="a role's name is a DNS label: 1 to 63 lower-case letters, digits and '-', beginning with a letter"
// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.includes) || !(self.metadata.name in self.spec.includes)",message="a role cannot include itself"
type Role struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is what those may do who hold the role.
	// +optional
	Spec RoleSpec `json:"spec,omitempty,omitzero"`

	// status is what Soma found.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status RoleStatus `json:"status,omitempty,omitzero"`
}

// RoleList is a list of roles.
//
// +kubebuilder:object:root=true
type RoleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Role `json:"items"`
}

// GetConditions returns the conditions of the role, for helpers that work on any kind.
func (r *Role) GetConditions() *[]metav1.Condition { return &r.Status.Conditions }
