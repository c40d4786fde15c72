package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platform "github.com/soma-platform/soma/api/v1alpha1"
)

// Because is one reason for which something is allowed.
type Because struct {
	// text says it to a person.
	Text string `json:"text"`

	// uri and action are the right from which it follows. In a uri, * stands for every cluster.
	// +optional
	URI string `json:"uri,omitempty"`

	// action of that right.
	// +optional
	Action platform.Action `json:"action,omitempty"`

	// grant that gives it, where one does.
	// +optional
	Grant *GrantReference `json:"grant,omitempty"`

	// grantedBy is who made the grant.
	// +optional
	GrantedBy string `json:"grantedBy,omitempty"`

	// expiresAt is when the grant ends, where it does.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// roles from the one that is held to the one that has the right, each including the next.
	// +optional
	// +listType=atomic
	Roles []string `json:"roles,omitempty"`
}

// GrantReference names a Grant.
type GrantReference struct {
	// project in which the grant is.
	Project string `json:"project"`

	// name of the grant.
	Name string `json:"name"`
}

// MissingRight is a right that somebody would need.
type MissingRight struct {
	// uri is the address.
	URI string `json:"uri"`

	// action that is not allowed there.
	Action platform.Action `json:"action"`
}

// AccessReviewSpec is the question.
type AccessReviewSpec struct {
	// user whom the question is about; oneself where it is not given. About others one is told only of what one may manage
	// oneself. Otherwise, and of who does not exist, the answer is no.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	User string `json:"user,omitempty"`

	// uri is the address of what the question is about: job://local/acme/vision/train, or job:train in the project that is
	// named.
	// +required
	URI platform.Address `json:"uri"`

	// project in which an address without // lies.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Project string `json:"project,omitempty"`

	// action that is asked for.
	// +required
	Action platform.Action `json:"action"`
}

// AccessReviewStatus is the answer.
type AccessReviewStatus struct {
	// user whom the answer is about. It is not given where Soma does not know who asks.
	// +optional
	User string `json:"user,omitempty"`

	// allowed is true where the user may do it.
	Allowed bool `json:"allowed"`

	// level is the most that the user may do with it; nothing where it is not given.
	// +optional
	Level platform.Action `json:"level,omitempty"`

	// because are the reasons for which it is allowed, the least that suffices first: at most 16.
	// +optional
	// +listType=atomic
	Because []Because `json:"because,omitempty"`

	// missing are the rights that the user would need.
	// +optional
	// +listType=atomic
	Missing []MissingRight `json:"missing,omitempty"`

	// managers are users who may let others do it, and are known to all who may read the project: at most 5.
	// +optional
	// +listType=atomic
	Managers []string `json:"managers,omitempty"`

	// message for a person, where there is more to say.
	// +optional
	Message string `json:"message,omitempty"`
}

// AccessReview asks whether somebody may do something, and why.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
type AccessReview struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is the question.
	// +required
	Spec AccessReviewSpec `json:"spec"`

	// status is the answer.
	// +optional
	Status AccessReviewStatus `json:"status,omitempty,omitzero"`
}

// HoldersReviewSpec is the question.
type HoldersReviewSpec struct {
	// uri is the address of what the question is about.
	// +required
	URI platform.Address `json:"uri"`

	// project in which an address without // lies.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Project string `json:"project,omitempty"`

	// action that is asked for.
	// +required
	Action platform.Action `json:"action"`
}

// Holder is a user who may do something.
type Holder struct {
	// user is the name.
	User string `json:"user"`

	// displayName of the user.
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// level is the most that the user may do with it.
	Level platform.Action `json:"level"`

	// because says why, to a person.
	Because string `json:"because"`
}

// HoldersReviewStatus is the answer.
type HoldersReviewStatus struct {
	// holders are the users who may do it, those who may do most first, then by name: at most 500.
	// +optional
	// +listType=atomic
	Holders []Holder `json:"holders,omitempty"`

	// more is how many others there are.
	// +optional
	More int32 `json:"more,omitempty"`
}

// HoldersReview asks who may do something. It is answered to who may manage what it is about.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
type HoldersReview struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is the question.
	// +required
	Spec HoldersReviewSpec `json:"spec"`

	// status is the answer.
	// +optional
	Status HoldersReviewStatus `json:"status,omitempty,omitzero"`
}

// HeldRight is what somebody may do, and why.
type HeldRight struct {
	// uri is an address, of something and all that lies below it. In it, * stands for every cluster.
	URI string `json:"uri"`

	// action that is allowed there, and with it those that it includes.
	Action platform.Action `json:"action"`

	// because says why.
	Because Because `json:"because"`
}

// SelfReviewStatus is the answer.
type SelfReviewStatus struct {
	// user is the name of the User. It is not given where Soma does not know who asks.
	// +optional
	User string `json:"user,omitempty"`

	// username is by what name Kubernetes knows who asks.
	Username string `json:"username"`

	// displayName of the user.
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// groups of the user, as the identity provider told them; those of Kubernetes where Soma does not know who asks.
	// +optional
	// +listType=atomic
	Groups []string `json:"groups,omitempty"`

	// roles that the user holds everywhere, or in an organization.
	// +optional
	// +listType=atomic
	Roles []platform.HeldRole `json:"roles,omitempty"`

	// rights are all that the user may do, by address: at most 1000.
	// +optional
	// +listType=atomic
	Rights []HeldRight `json:"rights,omitempty"`

	// more is how many rights are left out.
	// +optional
	More int32 `json:"more,omitempty"`

	// message for a person, where there is more to say.
	// +optional
	Message string `json:"message,omitempty"`
}

// SelfReview asks who one is, and what one may do.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
type SelfReview struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// status is the answer.
	// +optional
	Status SelfReviewStatus `json:"status,omitempty,omitzero"`
}
