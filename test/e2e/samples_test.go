package e2e

import (
	"context"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("the samples", func() {
	It("are applied, become ready, and are all seen at once", func(ctx context.Context) {
		samples := filepath.Join("..", "..", "config", "samples")
		// A project's namespace is made by its controller: the job is refused until it is there.
		Eventually(func() error { _, err := kubectl(ctx, "apply", "-f", samples); return err }).Should(Succeed())
		DeferCleanup(func(ctx context.Context) {
			_, err := kubectl(ctx, "delete", "sjob", "hello", "-n", "quickstart", "--ignore-not-found", "--timeout=60s")
			Expect(err).NotTo(HaveOccurred())
		})
		_, err := kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=60s", "squota/quickstart", "sproj/quickstart", "scluster/local")
		Expect(err).NotTo(HaveOccurred())
		_, err = kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=60s", "-n", "quickstart", "sjob/hello")
		Expect(err).NotTo(HaveOccurred())
		_, err = kubectl(ctx, "wait", "--for=condition=Complete", "--timeout=60s", "-n", "quickstart", "sjob/hello")
		Expect(err).NotTo(HaveOccurred())
		seen, err := kubectl(ctx, "get", "soma", "-A")
		Expect(err).NotTo(HaveOccurred())
		for _, want := range []string{"quota.platform.soma.dev/quickstart", "project.platform.soma.dev/quickstart", "cluster.platform.soma.dev/local", "job.platform.soma.dev/hello"} {
			Expect(seen).To(ContainSubstring(want))
		}
	})
})
