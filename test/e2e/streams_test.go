package e2e

import (
	"context"
	"io"
	"net/http"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// forwarded finds the local port in what port-forward says.
var forwarded = regexp.MustCompile(`127\.0\.0\.1:(\d+) `)

var _ = Describe("a job's streams", func() {
	It("gives the logs after the end, whole and from its tail", func(ctx context.Context) {
		job := submit(ctx, shell("logs", "for i in 1 2 3; do echo line $i; done"))
		Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobSucceeded))
		Expect(somaSays("logs", job.Name)).To(Equal("line 1\nline 2\nline 3\n"))
		Expect(somaSays("logs", "--tail", "1", job.Name)).To(Equal("line 3\n"))
	})

	It("runs commands in a running job, and reaches its port", func(ctx context.Context) {
		job := submit(ctx, shell("web", `echo "$SOMA_JOB_NAME serves" >/www/index.html; trap 'exit 143' TERM; httpd -f -p 8080 -h /www & wait`, func(j *v1alpha1.Job) {
			j.Spec.HTTP = &v1alpha1.HTTPPort{Port: 8080}
			j.Spec.Volumes = []v1alpha1.Volume{{MountPath: "/www", Scratch: &v1alpha1.ScratchVolume{Size: resource.MustParse("10Mi")}}}
		}))
		Eventually(status(ctx, job)).Should(And(phaseIs(v1alpha1.JobRunning), HaveField("InternalHostname", Not(BeEmpty()))))

		Expect(somaSays("exec", job.Name, "--", "cat", "/www/index.html")).To(Equal(job.Name + " serves\n"))
		Eventually(soma("exec", job.Name, "--", "sh", "-c", "exit 9")).Should(gexec.Exit(9))

		forward := soma("port-forward", "--address", "127.0.0.1", job.Name, ":8080")
		Eventually(forward.Out).Should(gbytes.Say(`127\.0\.0\.1:`))
		Eventually(forward.Out).Should(gbytes.Say(`\d+ `))
		port := forwarded.FindSubmatch(forward.Out.Contents())
		Expect(port).To(HaveLen(2))
		Eventually(func() (string, error) { return get("http://127.0.0.1:" + string(port[1]) + "/") }).Should(Equal(job.Name + " serves\n"))

		other := submit(ctx, shell("client", `wget -q -O - "http://$SERVER:8080/"`, func(j *v1alpha1.Job) {
			seen, err := status(ctx, job)()
			Expect(err).NotTo(HaveOccurred())
			j.Spec.Env = []v1alpha1.EnvVar{{Name: "SERVER", Value: seen.InternalHostname}}
		}))
		Expect(finish(ctx, other)).To(phaseIs(v1alpha1.JobSucceeded))
		Expect(somaSays("logs", other.Name)).To(Equal(job.Name + " serves\n"))
		Eventually(forward.Interrupt()).Should(gexec.Exit())
		change(ctx, k8s, job, `{"spec":{"cancel":true}}`)
		Expect(finish(ctx, job)).To(phaseIs(v1alpha1.JobCancelled))
	})
})

func get(url string) (string, error) {
	answer, err := http.Get(url) //nolint:gosec,noctx // the suite's own forwarded port
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	return string(body), err
}
