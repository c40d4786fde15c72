package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of Soma's kinds, and the prefix of its labels, annotations and finalizers.
const GroupName = "platform.soma.dev"

var (
	// GroupVersion is the version of the API that this package describes.
	GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

	// SchemeBuilder collects the functions that register the kinds.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the kinds of this package in a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Cluster{}, &ClusterList{},
		&Grant{}, &GrantList{},
		&Job{}, &JobList{},
		&Project{}, &ProjectList{},
		&Quota{}, &QuotaList{},
		&Role{}, &RoleList{},
		&User{}, &UserList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
