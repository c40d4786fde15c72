// Package v1alpha1 holds the kinds of access.soma.dev: questions about who may do what, and why. They are made and answered at
// once, as the reviews of Kubernetes are, and nothing of them is kept.
// +kubebuilder:object:generate=true
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=dev.soma.access.v1alpha1
// +groupName=access.soma.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of the reviews.
const GroupName = "access.soma.dev"

var (
	// GroupVersion is the version of the API that this package describes.
	GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

	// SchemeBuilder collects the functions that register the kinds.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the kinds of this package in a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

// Kinds are empty objects of all kinds.
func Kinds() []runtime.Object {
	return []runtime.Object{&AccessReview{}, &HoldersReview{}, &SelfReview{}}
}

// Resources are the names of the kinds in addresses of the API.
func Resources() []string { return []string{"accessreviews", "holdersreviews", "selfreviews"} }

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, Kinds()...)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
