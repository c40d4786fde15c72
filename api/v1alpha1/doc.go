// Package v1alpha1 holds the kinds of platform.soma.dev: what Soma is asked to make true and what it found.
//
// Rules that every type here follows are in docs/architecture.md ("How an API type is written").
// +kubebuilder:object:generate=true
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=dev.soma.platform.v1alpha1
// +groupName=platform.soma.dev
package v1alpha1
