package e2e

import (
	"context"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// serve is the program of a job that runs until it is told to end, and then ends at once.
const serve = `trap 'exit 143' TERM; echo ready; sleep 3600 & wait`

// shell is a small job of the shared project that runs a script.
func shell(name, script string, change ...func(*v1alpha1.Job)) *v1alpha1.Job {
	job := &v1alpha1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name + "-" + rand.String(5), Namespace: project},
		Spec: v1alpha1.JobSpec{
			Image: busybox, Command: []string{"sh", "-c"}, Args: []string{script},
			Resources: &v1alpha1.JobResources{CPU: amount("50m"), Memory: amount("64Mi")},
		},
	}
	for _, c := range change {
		c(job)
	}
	return job
}

// simulated is a job that takes two seconds on a simulated node.
func simulated(name string) *v1alpha1.Job {
	return shell(name, "true", func(j *v1alpha1.Job) {
		j.Annotations = map[string]string{"kwok.soma.dev/run-seconds": "2"}
		j.Spec.Resources.GPU = &v1alpha1.GPUs{Count: 1, Model: "NVIDIA-A100-SXM4-80GB"}
	})
}

func submit(ctx context.Context, job *v1alpha1.Job) *v1alpha1.Job {
	GinkgoHelper()
	Expect(k8s.Create(ctx, job)).To(Succeed())
	return job
}

// status reads a job for Eventually.
func status(ctx context.Context, job *v1alpha1.Job) func() (v1alpha1.JobStatus, error) {
	return func() (v1alpha1.JobStatus, error) {
		seen := &v1alpha1.Job{}
		err := k8s.Get(ctx, client.ObjectKeyFromObject(job), seen)
		return seen.Status, err
	}
}

func phaseIs(want v1alpha1.JobPhase) types.GomegaMatcher { return HaveField("Phase", want) }

func reasonIs(want v1alpha1.JobReason) types.GomegaMatcher { return HaveField("Reason", want) }

func exitIs(want int32) types.GomegaMatcher { return HaveField("ExitCode", HaveValue(Equal(want))) }

func saying(want string) types.GomegaMatcher { return HaveField("Message", ContainSubstring(want)) }

// finish waits for the end of a job and returns it.
func finish(ctx context.Context, job *v1alpha1.Job) v1alpha1.JobStatus {
	GinkgoHelper()
	var end v1alpha1.JobStatus
	Eventually(func() (v1alpha1.JobPhase, error) {
		var err error
		end, err = status(ctx, job)()
		return end.Phase, err
	}).WithTimeout(2 * patience).Should(BeElementOf(v1alpha1.JobSucceeded, v1alpha1.JobFailed, v1alpha1.JobCancelled))
	return end
}

// change applies a merge patch to an object.
func change(ctx context.Context, as client.Client, object client.Object, patch string) {
	GinkgoHelper()
	Expect(as.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
}

// soma starts the command line in the shared project.
func soma(args ...string) *gexec.Session {
	GinkgoHelper()
	GinkgoWriter.Printf("$ soma %s\n", strings.Join(args, " "))
	command := exec.Command(program("soma"), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	session, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait() })
	return session
}

// somaSays runs the command line to its end, which must be a good one, and returns what it printed.
func somaSays(args ...string) string {
	GinkgoHelper()
	session := soma(args...)
	Eventually(session).WithTimeout(2 * patience).Should(gexec.Exit(0))
	return string(session.Out.Contents())
}
