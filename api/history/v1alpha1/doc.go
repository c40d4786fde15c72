// Package v1alpha1 holds the kinds of history.soma.dev: what has been. They are read-only views of PostgreSQL, served by an
// aggregated API server, so that kubectl and every other client reads history the way it reads everything else.
// +kubebuilder:object:generate=true
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=dev.soma.history.v1alpha1
// +groupName=history.soma.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of the history.
const GroupName = "history.soma.dev"

var (
	// GroupVersion is the version of the API that this package describes.
	GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

	// SchemeBuilder collects the functions that register the kinds.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the kinds of this package in a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &JobRecord{}, &JobRecordList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return scheme.AddFieldLabelConversionFunc(GroupVersion.WithKind("JobRecord"), convertField)
}
