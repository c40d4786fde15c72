package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var _ = Describe("the command line", func() {
	// small is how a small job is described.
	small := func(name string, rest ...string) []string {
		return append([]string{"run", "--name", name, "--cpu", "50m", "--memory", "64Mi"}, rest...)
	}

	It("leaves the job running on Ctrl-C and says how to come back", func(ctx context.Context) {
		job := shell("detach", "")
		session := soma(small(job.Name, busybox, "--", "sh", "-c", serve)...)
		Eventually(session.Out).Should(gbytes.Say("ready"))
		Expect(session.Err).To(gbytes.Say("Running on"), "before the output")
		Eventually(session.Interrupt()).Should(gexec.Exit(130))
		Expect(session.Err).To(gbytes.Say("Detached; job " + job.Name + " goes on"))
		Expect(session.Err).To(gbytes.Say("logs -f " + job.Name))
		Expect(session.Err).To(gbytes.Say("kill " + job.Name))

		again := soma("logs", "-f", job.Name)
		Eventually(again.Out).Should(gbytes.Say("ready"))
		Expect(status(ctx, job)()).To(phaseIs(v1alpha1.JobRunning))
		somaSays("kill", job.Name)
		Eventually(again).Should(gexec.Exit(0))
		Expect(string(again.Out.Contents())).To(Equal("ready\n"))
		Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobCancelled))
	})

	It("tells ends apart by the exit codes that its reference lists", func(ctx context.Context) {
		By("the end of the life span")
		limited := soma(small("limited-"+rand.String(5), "--life-span", "2s", busybox, "--", "sh", "-c", serve)...)
		By("a cancellation")
		killed := shell("killed", "")
		running := soma(small(killed.Name, busybox, "--", "sh", "-c", serve)...)
		Eventually(running.Out).Should(gbytes.Say("ready"))
		By("a command in the job that does not exist, and one that fails")
		Eventually(soma("exec", killed.Name, "--", "no-such-program")).Should(gexec.Exit(127))
		Eventually(soma("exec", killed.Name, "--", "sh", "-c", "exit 9")).Should(gexec.Exit(9))
		By("a wait that takes too long, and one for the start")
		Eventually(soma("wait", "--timeout", "1s", killed.Name)).Should(gexec.Exit(124))
		Eventually(soma("wait", "--for", "running", killed.Name)).Should(gexec.Exit(0))
		waiting, whichever := soma("wait", killed.Name), soma("wait", "--for", "finished", killed.Name)
		somaSays("kill", killed.Name)
		Eventually(running).Should(gexec.Exit(143))
		Eventually(waiting).Should(gexec.Exit(143))
		Eventually(whichever).Should(gexec.Exit(0))
		Eventually(limited).Should(gexec.Exit(124))
		By("a wrong call, and a job that does not exist")
		Eventually(soma("run")).Should(gexec.Exit(2))
		Eventually(soma("wait", "nothing-of-this-name")).Should(gexec.Exit(1))
	})

	It("says nothing but the output in a quiet pipe", func() {
		session := soma(small("quiet-"+rand.String(5), "--quiet", busybox, "--", "echo", "just this")...)
		Eventually(session).WithTimeout(2 * patience).Should(gexec.Exit(0))
		Expect(string(session.Out.Contents())).To(Equal("just this\n"))
		Expect(session.Err.Contents()).To(BeEmpty())
	})

	It("prints manifests that kubectl applies, by whomever", func(ctx context.Context) {
		for _, where := range []string{"client", "server"} {
			job := shell("manifest-"+where, "")
			manifest := somaSays(small(job.Name, "--dry-run="+where, "-o", "yaml", "-e", "A=b c", "-v", "scratch:10Mi:/data", "--tag", "x",
				"--restart", "on-failure", "--max-retries", "1", busybox, "--", "sh", "-c", `echo "$A" >/data/a; cat /data/a`)...)
			file := filepath.Join(GinkgoT().TempDir(), "job.yaml")
			Expect(os.WriteFile(file, []byte(manifest), 0o600)).To(Succeed())
			Expect(kubectl(ctx, "apply", "--as", "e2e-git", "--as-group", "system:masters", "-f", file)).To(ContainSubstring("created"))
			Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobSucceeded))
			Expect(somaSays("logs", job.Name)).To(Equal("b c\n"))
			Expect(kubectl(ctx, "apply", "-f", file)).To(ContainSubstring("unchanged"))
			Expect(somaSays("status", job.Name, "-o", "jsonpath={.spec.submittedBy}")).To(Equal("e2e-git\n"))
		}
	})

	It("resumes a job while the pods of its suspension still end, as the next attempt", func(ctx context.Context) {
		job := submit(ctx, shell("hasty", `trap 'sleep 3; exit 1' TERM; echo "attempt $SOMA_ATTEMPT"; sleep 3600 & wait`))
		Expect(somaSays("wait", "--for", "running", job.Name)).To(BeEmpty())
		Expect(somaSays("suspend", job.Name)).To(Equal(job.Name + " is being suspended\n"))
		Eventually(status(ctx, job)).Should(reasonIs(v1alpha1.JobReasonTerminating))
		Eventually(soma("wait", "--for", "running", "--timeout", "1s", job.Name)).Should(gexec.Exit(124))
		Expect(somaSays("resume", job.Name)).To(ContainSubstring("starts again when the pods of its last attempt have ended"))
		Expect(somaSays("resume", job.Name)).To(Equal(job.Name + " is not suspended\n"))
		Eventually(status(ctx, job)).Should(And(phaseIs(v1alpha1.JobRunning), HaveField("Attempt", BeEquivalentTo(2))))
		Eventually(func() string { return string(soma("logs", job.Name).Wait(patience).Out.Contents()) }).Should(Equal("attempt 2\n"))
		somaSays("kill", job.Name)
		Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobCancelled))
	})

	It("gives the logs of every attempt after the end", func(ctx context.Context) {
		job := submit(ctx, shell("attempts", `echo "attempt $SOMA_ATTEMPT"; [ "$SOMA_ATTEMPT" = 2 ]`, func(j *v1alpha1.Job) {
			j.Spec.Restart = &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure, MaxRetries: of[int32](1)}
		}))
		Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobSucceeded))
		Expect(somaSays("logs", job.Name)).To(Equal("attempt 2\n"))
		Expect(somaSays("logs", "--attempt", "1", job.Name)).To(Equal("attempt 1\n"))
		Expect(somaSays("logs", "--previous", job.Name)).To(Equal("attempt 1\n"))
		none := soma("logs", "--attempt", "3", job.Name)
		Eventually(none).Should(gexec.Exit(1))
		Expect(none.Err).To(gbytes.Say("has no attempt 3; it had 2"))
	})

	It("finds nothing wrong where all is well, and says what to do where it is not", func(ctx context.Context) {
		Expect(somaSays("doctor")).NotTo(ContainSubstring("PROBLEM"))
		Expect(somaSays("doctor", "-o", "jsonpath={.findings[*].check}")).To(Equal("kubeconfig cluster Soma versions history project submission clusters\n"))
		elsewhere := soma("doctor", "-P", "no-such-project")
		Eventually(elsewhere).Should(gexec.Exit(1))
		Expect(elsewhere.Out).To(gbytes.Say(`PROBLEM +project: project "no-such-project" does not exist(.|\n)*soma project ls`))
		Expect(somaSays("version", "-o", "jsonpath={.platform}")).NotTo(Equal("\n"), "the cluster tells which Soma it has")
	})

	It("prints what was waited for, and finds a rare record by all of its tags", func(ctx context.Context) {
		tag := "rare-" + rand.String(5)
		var names []string
		for _, more := range []string{"one", "two"} {
			job := submit(ctx, shell("tagged", "true", func(j *v1alpha1.Job) { j.Spec.Tags = []string{tag, more} }))
			Expect(somaSays("wait", "-o", "jsonpath={.status.phase}", job.Name)).To(Equal("Succeeded\n"))
			remove(ctx, job)
			names = append(names, job.Name)
		}
		Expect(somaSays("ps", "-a", "-q", "--limit", "1", "--tag", tag, "--tag", "one", "--state", "succeeded,failed")).To(Equal(names[0] + "\n"))
	})

	It("is a plugin of kubectl", func(ctx context.Context) {
		job := submit(ctx, shell("plugin", "", func(j *v1alpha1.Job) { j.Spec.Suspend = of(true) }))
		plugin := exec.CommandContext(ctx, program("kubectl"), "soma", "ps", "-q")
		plugin.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+filepath.Dir(program("kubectl-soma"))+":"+os.Getenv("PATH"))
		said, err := plugin.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(said))
		Expect(string(said)).To(ContainSubstring(job.Name))
		remove(ctx, job)
	})

	It("says what is wrong and what to do", func(ctx context.Context) {
		away, err := clientcmd.LoadFromFile(kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		for _, cluster := range away.Clusters {
			cluster.Server = "https://127.0.0.1:1"
		}
		unreachable := filepath.Join(GinkgoT().TempDir(), "away")
		Expect(clientcmd.WriteToFile(*away, unreachable)).To(Succeed())
		for _, tt := range []struct {
			args []string
			want string
		}{
			{[]string{"ps", "--kubeconfig", unreachable}, `127.0.0.1:1 does not answer(.|\n)*kubeconfig and your network`},
			{[]string{"ps", "-w", "--kubeconfig", unreachable}, "does not answer"},
			{[]string{"ps", "--kubeconfig", "/nothing/here"}, "the kubeconfig cannot be used"},
			{[]string{"ps", "--as", "e2e-nobody"}, `may not list(.|\n)*missing read on job:(.|\n)*ask who manages project`},
			{[]string{"ps", "-w", "--as", "e2e-nobody"}, "ask who manages project"},
			{[]string{"ps", "-P", "no-such-project"}, `"no-such-project" does not exist(.|\n)*soma project ls`},
			{[]string{"run", "-P", "no-such-project", busybox}, `"no-such-project" does not exist(.|\n)*soma project ls`},
			{[]string{"status", "no-such-job"}, `"no-such-job" in project "` + project + `" does not exist(.|\n)*soma ps -a`},
			{[]string{"logs", "no-such-job"}, "soma .*status no-such-job"},
			{[]string{"quota", "status", "no-such-quota"}, "soma quota ls"},
		} {
			session := soma(tt.args...)
			Eventually(session).WithTimeout(seconds).Should(gexec.Exit(1))
			Expect(session.Err).To(gbytes.Say(tt.want))
		}
		By("a preset that does not exist, of which the job tells")
		job := shell("preset", "")
		Expect(somaSays("run", "-d", "--name", job.Name, "--preset", "no-such-preset", busybox)).To(Equal(job.Name + "\n"))
		Eventually(status(ctx, job)).WithTimeout(seconds).Should(reasonIs(v1alpha1.JobReasonPresetNotFound))
		Expect(somaSays("explain", job.Name)).To(ContainSubstring("preset ls"))
		remove(ctx, job)
	})
})
