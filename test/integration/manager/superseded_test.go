package manager

import (
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
)

var _ = Describe("A manager that was superseded", func() {
	It("takes no room by a reservation that arrives after its successor has given the room away", func() {
		project := team("", "1", nil)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "token"}}
		put(secret)
		urgent := newJob(kubelet.RunUntilEnded(), in(project), priority(v1alpha1.PriorityHigh), func(j *v1alpha1.Job) {
			j.Spec.Env = []v1alpha1.EnvVar{{Name: "TOKEN", Secret: &v1alpha1.SecretKey{Name: secret.Name, Key: "value"}}}
		})
		submit(urgent)
		waits(urgent, v1alpha1.JobReasonSecretMissing, secret.Name)

		// A job that was told why it waits: nobody has a reason to write to it.
		first, job := newJob(kubelet.RunUntilEnded(), in(project)), newJob(kubelet.Exit(0), in(project))
		submit(first)
		runs(first)
		submit(job)
		waits(job, v1alpha1.JobReasonQuotaExceeded, project)
		reservation := newLate(http.MethodPatch, fmt.Sprintf("/apis/platform.soma.dev/v1alpha1/namespaces/%s/jobs/%s/status", project, job.Name))
		running.gate.delay(reservation)
		cancel(first)
		Eventually(reservation.sent).Should(BeClosed())
		running.end()

		change(secret, func(s *corev1.Secret) { s.Labels = map[string]string{v1alpha1.LabelSecret: v1alpha1.SecretLabelValue} })
		running = launch(nil)
		runs(urgent)
		close(reservation.arrive)
		Eventually(reservation.answer).Should(Receive(Equal(http.StatusConflict)))
		waits(job, v1alpha1.JobReasonQuotaExceeded, project)
		cancel(urgent)
		ends(job)
	})
})
