package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UserType tells people from programs.
// +kubebuilder:validation:Enum=Person;ServiceAccount
type UserType string

// The types of users.
const (
	// UserPerson signs in with an identity provider.
	UserPerson UserType = "Person"
	// UserServiceAccount is a program's, belongs to an owner and comes with tokens.
	UserServiceAccount UserType = "ServiceAccount"
)

// Identity is how an identity provider knows a user.
type Identity struct {
	// issuer is the address of the identity provider, exactly as its tokens have it in `iss`.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https://[^\s?#]+$`
	Issuer string `json:"issuer"`

	// subject is the user's `sub` in the tokens of that issuer.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Subject string `json:"subject"`
}

// HeldRole is a role that a user holds everywhere, or in one organization. In a project roles are held by a Grant, which goes
// with the project.
type HeldRole struct {
	// role is the name of a Role.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Role string `json:"role"`

	// organization in whose projects the role is held.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Organization string `json:"organization,omitempty"`
}

// Token is one that a service account may come with. The token itself is shown once, when it is made, and not kept.
type Token struct {
	// id names the token among those of the user; it is the part of it that is no secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	ID string `json:"id"`

	// hash is the SHA-256 of the token in hexadecimal digits. What is hashed has 256 random bits.
	// +required
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	Hash string `json:"hash"`

	// expiresAt is when the token stops being accepted.
	// +required
	ExpiresAt metav1.Time `json:"expiresAt"`

	// scope is all that may be done with the token, of what the user may do. Without it, that is everything.
	// +optional
	// +listType=map
	// +listMapKey=uri
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Scope []Permission `json:"scope,omitempty"`
}

// UserSpec is who a user is and what roles they hold.
// +kubebuilder:validation:XValidation:rule="has(self.type) && self.type == 'ServiceAccount' ? has(self.owner) && !has(self.identities) : !has(self.owner) && !has(self.tokens)",message="a service account has an owner and no identities; a person has no owner and no tokens"
// +kubebuilder:validation:XValidation:rule="(has(self.type) ? self.type : 'Person') == (has(oldSelf.type) ? oldSelf.type : 'Person')",message="a person does not become a service account, nor the other way round",fieldPath=".type"
// +kubebuilder:validation:XValidation:rule="has(self.owner) == has(oldSelf.owner) && (!has(self.owner) || self.owner == oldSelf.owner)",message="the owner cannot be changed",fieldPath=".owner"
type UserSpec struct {
	// type is Person or ServiceAccount.
	// +optional
	// +kubebuilder:default=Person
	Type UserType `json:"type,omitempty"`

	// identities by which identity providers know the person. Several users cannot have the same.
	// +optional
	// +listType=map
	// +listMapKey=issuer
	// +listMapKey=subject
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Identities []Identity `json:"identities,omitempty"`

	// displayName for people.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	DisplayName string `json:"displayName,omitempty"`

	// email for people and for notifications. Nobody is recognised by it.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[^\s@<>]+@[^\s@<>]+$`
	Email string `json:"email,omitempty"`

	// owner is the name of the user who answers for the service account. It works while the owner does.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Owner string `json:"owner,omitempty"`

	// roles that the user holds.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Roles []HeldRole `json:"roles,omitempty"`

	// disabled takes everything from the user at once, what is open included.
	// +optional
	Disabled *bool `json:"disabled,omitempty"`

	// notBefore ends every session and token that was made before it, without disabling the user.
	// +optional
	NotBefore *metav1.Time `json:"notBefore,omitempty"`

	// delegates are names of users, service accounts as a rule, that may submit jobs on behalf of this one.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Delegates []string `json:"delegates,omitempty"`

	// tokens of a service account.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Tokens []Token `json:"tokens,omitempty"`
}

// UserStatus is what Soma found.
type UserStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// groups of the person, as the identity provider told them when they last signed in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`

	// lastSignIn is when the person last signed in, or the identity provider said of which groups they are by now.
	// +optional
	LastSignIn *metav1.Time `json:"lastSignIn,omitempty"`

	// endedSessions are the sessions that were signed out and would otherwise still count, by their identifiers. `before:` with a
	// number of seconds since 1970 ends all that were begun up to then: it takes the place of a full list.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	EndedSessions []string `json:"endedSessions,omitempty"`

	// conditions: Ready, Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// User is a person, or a service account that belongs to one.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=suser,categories=soma
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Email",type=string,JSONPath=`.spec.email`,priority=1
// +kubebuilder:printcolumn:name="Owner",type=string,JSONPath=`.spec.owner`,priority=1
// +kubebuilder:printcolumn:name="Disabled",type=boolean,JSONPath=`.spec.disabled`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Signed in",type=date,JSONPath=`.status.lastSignIn`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="a user's name is a DNS label: 1 to 63 lower-case letters, digits and '-', beginning with a letter"
type User struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is who the user is and what roles they hold.
	// +optional
	// +kubebuilder:default={"type":"Person"}
	Spec UserSpec `json:"spec,omitempty,omitzero"`

	// status is what Soma found.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status UserStatus `json:"status,omitempty,omitzero"`
}

// UserList is a list of users.
//
// +kubebuilder:object:root=true
type UserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []User `json:"items"`
}

// IsDisabled reports whether everything is taken from the user, as spec.disabled says.
func (u *User) IsDisabled() bool { return u.Spec.Disabled != nil && *u.Spec.Disabled }

// GetConditions returns the conditions of the user, for helpers that work on any kind.
func (u *User) GetConditions() *[]metav1.Condition { return &u.Status.Conditions }
