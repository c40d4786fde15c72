package manager

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
)

var _ = It("is quiet once nothing changes any more", func() {
	// Longer than every interval at which something gathered is written.
	const silence = 8 * time.Second

	ended, runner := newJob(kubelet.Exit(0)), newJob(kubelet.RunUntilEnded(), cores("8"), gang(2))
	submit(ended)
	reaches(ended, v1alpha1.JobSucceeded, v1alpha1.JobReasonCompleted)
	submit(runner)
	runs(runner)
	busy, impossible := newJob(kubelet.Exit(0)), newJob(kubelet.Exit(0), cores("50"))
	submit(busy, impossible)
	waits(busy, v1alpha1.JobReasonQueued, "")
	waits(impossible, v1alpha1.JobReasonUnschedulable, "")
	before := len(running.Proxy.Writes())
	Eventually(running.Proxy.Quiet, "30s", "100ms").Should(BeNumerically(">", silence),
		"the manager wrote %d times, and goes on", len(running.Proxy.Writes())-before)
})
