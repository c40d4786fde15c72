package workload

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// NeedsService reports whether the job is reached by name: it serves, or its replicas talk to each other.
func NeedsService(spec *platformv1.JobSpec) bool {
	return spec.HTTP != nil || IsGang(spec)
}

// Service gives the job its name and, being headless, each replica its own. Replicas are found before they are ready,
// since being ready may mean having found the others.
func Service(job *platformv1.Job) *corev1.Service {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name:            job.Name,
			Namespace:       job.Namespace,
			Labels:          map[string]string{platformv1.LabelProject: job.Namespace, platformv1.LabelJob: job.Name, platformv1.LabelJobUID: string(job.UID)},
			OwnerReferences: owners(job),
		},
		Spec: corev1.ServiceSpec{
			ClusterIP:                corev1.ClusterIPNone,
			PublishNotReadyAddresses: true,
			Selector:                 map[string]string{platformv1.LabelJobUID: string(job.UID)},
		},
	}
	if job.Spec.HTTP != nil {
		service.Spec.Ports = []corev1.ServicePort{{
			Name: "http", Port: job.Spec.HTTP.Port, TargetPort: intstr.FromString("http"), Protocol: corev1.ProtocolTCP,
		}}
	}
	return service
}
