package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// maxLabel is the longest label of a host name.
const maxLabel = 63

// hashDigits is how much of a hash stands in the host name of a page for what does not fit into it.
const hashDigits = 12

// PageHost is the first label of the host on which the page of a job is: `train--vision` for job train of project vision.
// Where that would be too long, could be read in two ways, or mean something to browsers, a hash of both names stands in for the
// project. Names of projects begin with a letter, so that no project has the name of a hash.
func PageHost(job, project string) string {
	label := job + "--" + project
	if len(label) <= maxLabel && !strings.Contains(job, "--") && !strings.Contains(project, "--") &&
		!strings.HasSuffix(job, "-") && !strings.HasPrefix(label, "xn--") {
		return label
	}
	sum := sha256.Sum256([]byte(project + "/" + job))
	hash := "0" + hex.EncodeToString(sum[:])[:hashDigits]
	if strings.HasPrefix(label, "xn--") {
		return hash
	}
	return job + "--" + hash
}

// PageURL is where people see the page of a job. It is empty where the job serves none, or the cluster has no place for it.
func PageURL(job *platformv1.Job, pages *platformv1.JobPages) string {
	if job.Spec.HTTP == nil || pages == nil {
		return ""
	}
	return "https://" + PageHost(job.Name, job.Namespace) + "." + pages.Domain + "/"
}

// NeedsIngress reports whether a proxy is to carry a job's page, and not the gateway.
func NeedsIngress(job *platformv1.Job, pages *platformv1.JobPages) bool {
	return job.Spec.HTTP != nil && pages != nil && pages.IngressClassName != ""
}

// Ingress leads from the host of a job's page to its Service. That whoever comes that way is asked for, its annotations see to.
func Ingress(job *platformv1.Job, pages *platformv1.JobPages) *networkingv1.Ingress {
	domain, _, _ := strings.Cut(pages.Domain, ":")
	path := networkingv1.PathTypePrefix
	ingress := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{
			Name:            job.Name,
			Namespace:       job.Namespace,
			Labels:          map[string]string{platformv1.LabelProject: job.Namespace, platformv1.LabelJob: job.Name, platformv1.LabelJobUID: string(job.UID)},
			OwnerReferences: owners(job),
		},
		Spec: networkingv1.IngressSpec{IngressClassName: &pages.IngressClassName, Rules: []networkingv1.IngressRule{{
			Host: PageHost(job.Name, job.Namespace) + "." + domain,
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: &path,
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
					Name: job.Name, Port: networkingv1.ServiceBackendPort{Name: "http"},
				}},
			}}}},
		}}},
	}
	for name, value := range pages.Annotations {
		if ingress.Annotations == nil {
			ingress.Annotations = map[string]string{}
		}
		ingress.Annotations[name] = string(value)
	}
	return ingress
}
