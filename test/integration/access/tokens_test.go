package access

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("Secrets of a project", func() {
	It("hold no token of a service account of Kubernetes", func() {
		Expect(harness.Server.Install(harness.Ctx, "webhook/service_account_tokens.yaml")).To(Succeed())
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "no-tokens", Labels: map[string]string{v1alpha1.LabelProject: "no-tokens"}}}
		Expect(harness.K8s.Create(harness.Ctx, namespace)).To(Succeed())
		DeferCleanup(func() { Expect(harness.K8s.Delete(harness.Ctx, namespace)).To(Succeed()) })
		dry := func(kind corev1.SecretType) error {
			return harness.K8s.Create(harness.Ctx, &corev1.Secret{Type: kind, ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace.Name, GenerateName: "secret-", Annotations: map[string]string{corev1.ServiceAccountNameKey: "default"},
			}}, client.DryRunAll)
		}
		// The API server learns of policies a moment after they are made.
		Eventually(func() error { return dry(corev1.SecretTypeServiceAccountToken) }).
			Should(And(MatchError(apierrors.IsForbidden, "forbidden"), MatchError(ContainSubstring("soma service-account create"))))
		Expect(dry(corev1.SecretTypeOpaque)).To(Succeed())
	})
})
