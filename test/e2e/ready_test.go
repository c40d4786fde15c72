package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientconfig "sigs.k8s.io/controller-runtime/pkg/client/config"
)

// A spec before may have ended the manager, and admission answers only when it is back.
var _ = BeforeEach(func(ctx context.Context) {
	cfg, err := clientconfig.GetConfig()
	Expect(err).NotTo(HaveOccurred())
	reader, err := client.New(cfg, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, func(g Gomega) {
		manager := &appsv1.Deployment{}
		g.Expect(reader.Get(ctx, client.ObjectKey{Namespace: "soma-system", Name: "soma-manager"}, manager)).To(Succeed())
		g.Expect(manager.Status.ReadyReplicas).To(BeNumerically(">", 0))
	}).WithTimeout(2 * time.Minute).WithPolling(250 * time.Millisecond).Should(Succeed())
})
