package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Grantee is who is given a right: one of the three.
// +kubebuilder:validation:XValidation:rule="(has(self.user) ? 1 : 0) + (has(self.group) ? 1 : 0) + (has(self.role) ? 1 : 0) == 1",message="give a user, a group or a role: exactly one of them"
type Grantee struct {
	// user is the name of a User.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	User string `json:"user,omitempty"`

	// group is the name of a group, as the identity provider names it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Group string `json:"group,omitempty"`

	// role is the name of a Role: what is given, everybody gets who holds that role everywhere, and not in one project alone.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Role string `json:"role,omitempty"`
}

// GrantSpec is who may do what. Nothing of it can be changed but when it ends: a grant is made and revoked.
// +kubebuilder:validation:XValidation:rule="has(self.role) ? !has(self.uri) && !has(self.action) : has(self.uri) && has(self.action)",message="give a role, or a uri with an action: one of the two"
// +kubebuilder:validation:XValidation:rule="self.to == oldSelf.to",message="a grant cannot be given to somebody else: make another one",fieldPath=".to"
// +kubebuilder:validation:XValidation:rule="has(self.role) == has(oldSelf.role) && (!has(self.role) || self.role == oldSelf.role) && has(self.uri) == has(oldSelf.uri) && (!has(self.uri) || self.uri == oldSelf.uri) && has(self.action) == has(oldSelf.action) && (!has(self.action) || self.action == oldSelf.action)",message="what a grant gives cannot be changed: make another one"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.grantedBy) || has(self.grantedBy) && self.grantedBy == oldSelf.grantedBy",message="who granted it is recorded and cannot be changed",fieldPath=".grantedBy"
type GrantSpec struct {
	// to is who is given the right.
	// +required
	To Grantee `json:"to"`

	// role is the name of a Role that is held in this project by it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Role string `json:"role,omitempty"`

	// uri is the address of something in this project, `job:train` for instance.
	// +optional
	URI Address `json:"uri,omitempty"`

	// action that is allowed on what the uri names.
	// +optional
	Action Action `json:"action,omitempty"`

	// expiresAt is when the grant ends. Without it, it does not.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// grantedBy is who made the grant. It is recorded by admission and cannot be set by hand.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	GrantedBy string `json:"grantedBy,omitempty"`
}

// GrantStatus is what Soma found.
type GrantStatus struct {
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

// Grant gives somebody a role, or an action on something, inside the project in whose namespace it is.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=sgrant,categories=soma
// +kubebuilder:selectablefield:JSONPath=`.spec.to.user`
// +kubebuilder:printcolumn:name="User",type=string,JSONPath=`.spec.to.user`
// +kubebuilder:printcolumn:name="Group",type=string,JSONPath=`.spec.to.group`
// +kubebuilder:printcolumn:name="To role",type=string,JSONPath=`.spec.to.role`,priority=1
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="URI",type=string,JSONPath=`.spec.uri`
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expiresAt`
// +kubebuilder:printcolumn:name="Granted by",type=string,JSONPath=`.spec.grantedBy`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="a grant's name has at most 63 characters"
type Grant struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is who may do what.
	// +required
	Spec GrantSpec `json:"spec"`

	// status is what Soma found.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status GrantStatus `json:"status,omitempty,omitzero"`
}

// GrantList is a list of grants.
//
// +kubebuilder:object:root=true
type GrantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Grant `json:"items"`
}

// GetConditions returns the conditions of the grant, for helpers that work on any kind.
func (g *Grant) GetConditions() *[]metav1.Condition { return &g.Status.Conditions }
