package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var _ = Describe("a secret", func() {
	It("is told to be missing within seconds, and the job starts when it comes, with it in a variable and in a file", func(ctx context.Context) {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "token-" + rand.String(5), Namespace: project, Labels: map[string]string{v1alpha1.LabelSecret: v1alpha1.SecretLabelValue}},
			StringData: map[string]string{"token": "open sesame"},
		}
		job := submit(ctx, shell("secret", `test "$TOKEN" = "open sesame" && test "$(cat /keys/token)" = "open sesame"`, func(j *v1alpha1.Job) {
			j.Spec.Env = []v1alpha1.EnvVar{{Name: "TOKEN", Secret: &v1alpha1.SecretKey{Name: secret.Name, Key: "token"}}}
			j.Spec.Volumes = []v1alpha1.Volume{{MountPath: "/keys", Secret: &v1alpha1.SecretVolume{Name: secret.Name}}}
		}))
		Eventually(status(ctx, job)).WithTimeout(seconds).Should(And(
			phaseIs(v1alpha1.JobPending), reasonIs(v1alpha1.JobReasonSecretMissing), saying(secret.Name)))
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		Expect(finish(ctx, job)).To(And(phaseIs(v1alpha1.JobSucceeded), exitIs(0)))
	})

	DescribeTable("is told to have no such key, and the job starts when that is added",
		func(ctx context.Context, use func(j *v1alpha1.Job, secret string)) {
			secret := &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: "keys-" + rand.String(5), Namespace: project, Labels: map[string]string{v1alpha1.LabelSecret: v1alpha1.SecretLabelValue}},
				StringData: map[string]string{"other": "x"},
			}
			Expect(k8s.Create(ctx, secret)).To(Succeed())
			job := submit(ctx, shell("key", "true", func(j *v1alpha1.Job) { use(j, secret.Name) }))
			Eventually(status(ctx, job)).Should(And(phaseIs(v1alpha1.JobPending), reasonIs(v1alpha1.JobReasonSecretMissing), saying("token")))
			secret.StringData = map[string]string{"token": "open sesame"}
			Expect(k8s.Update(ctx, secret)).To(Succeed())
			Expect(finish(ctx, job)).To(And(phaseIs(v1alpha1.JobSucceeded), HaveField("Retries", BeZero())))
		},
		Entry("in a variable", func(j *v1alpha1.Job, secret string) {
			j.Spec.Env = []v1alpha1.EnvVar{{Name: "TOKEN", Secret: &v1alpha1.SecretKey{Name: secret, Key: "token"}}}
		}),
		Entry("in a volume", func(j *v1alpha1.Job, secret string) {
			j.Spec.Volumes = []v1alpha1.Volume{{MountPath: "/keys/token", Secret: &v1alpha1.SecretVolume{Name: secret, Key: "token"}}}
		}),
	)
})
