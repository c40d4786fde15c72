package controllers

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Cache is what the controllers keep of the objects that they watch: of pods and nodes, which are many and large, what is
// read of them; of secrets, the names of those that jobs may use; of Ingresses, those of jobs; of RBAC, what Soma made.
func Cache() cache.Options {
	secrets := &metav1.PartialObjectMetadata{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	ingresses := &metav1.PartialObjectMetadata{}
	ingresses.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("Ingress"))
	compiled := cache.ByObject{Label: marked(platformv1.LabelAccess), Transform: slimMetadata}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:  {Transform: slimPod},
			&corev1.Node{}: {Transform: slimNode},
			secrets: {
				Label:     labels.SelectorFromSet(labels.Set{platformv1.LabelSecret: platformv1.SecretLabelValue}),
				Transform: slimMetadata,
			},
			ingresses:      {Label: marked(platformv1.LabelJobUID), Transform: slimMetadata},
			&rbacv1.Role{}: compiled, &rbacv1.RoleBinding{}: compiled, &rbacv1.ClusterRole{}: compiled, &rbacv1.ClusterRoleBinding{}: compiled,
		},
	}
}

// marked selects the objects that have a label: what Soma made of users, roles and grants, or for jobs.
func marked(label string) labels.Selector {
	there, err := labels.NewRequirement(label, selection.Exists, nil)
	utilruntime.Must(err)
	return labels.NewSelector().Add(*there)
}

// slimPod keeps whose the pod is, where it runs, what it asks for and what became of it.
func slimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	spec := pod.Spec
	pod.ManagedFields, pod.Annotations = nil, nil
	pod.Spec = corev1.PodSpec{
		NodeName: spec.NodeName, Overhead: spec.Overhead, Resources: spec.Resources,
		Containers: slimContainers(spec.Containers), InitContainers: slimContainers(spec.InitContainers),
	}
	pod.Status.PodIPs, pod.Status.HostIPs = nil, nil
	return pod, nil
}

func slimContainers(containers []corev1.Container) []corev1.Container {
	var slim []corev1.Container
	for i := range containers {
		c := &containers[i]
		slim = append(slim, corev1.Container{Name: c.Name, Image: c.Image, Resources: c.Resources, RestartPolicy: c.RestartPolicy})
	}
	return slim
}

// slimNode drops the list of images that the node holds, the longest part of it.
func slimNode(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil
	}
	node.ManagedFields, node.Annotations = nil, nil
	node.Status.Images = nil
	return node, nil
}

// slimMetadata drops annotations, which may hold whole earlier versions of an object, the contents of a secret among them.
func slimMetadata(object any) (any, error) {
	if o, ok := object.(metav1.Object); ok {
		o.SetManagedFields(nil)
		o.SetAnnotations(nil)
	}
	return object, nil
}
