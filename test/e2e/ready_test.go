package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// A spec before may have ended the manager: the next begins when admission answers again.
var _ = BeforeEach(func(ctx context.Context) {
	Eventually(ctx, func() error {
		job := &v1alpha1.Job{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "admission-", Namespace: metav1.NamespaceDefault},
			Spec:       v1alpha1.JobSpec{Image: busybox},
		}
		return k8s.Create(ctx, job, client.DryRunAll)
	}).WithTimeout(2 * patience).Should(Succeed())
})
