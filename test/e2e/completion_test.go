package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// shells are the shells that complete, as they are started, and how they learn the script in a folder. hack/test-packages
// installs them.
var shells = map[string]struct{ start, script, learn string }{
	"bash": {"bash --norc --noprofile -i", "soma", `. /usr/share/bash-completion/bash_completion; . %s/soma; PS1='%s'`},
	"zsh":  {"zsh -f -i", "_soma", `fpath=(%s $fpath); autoload -U compinit; compinit -u -D; PROMPT='%s'`},
	"fish": {"fish --no-config -i", "soma", `source %s/soma; function fish_prompt; echo -n '%s'; end`},
}

var _ = Describe("completion", Label("shells"), func() {
	var job *v1alpha1.Job

	BeforeEach(func(ctx context.Context) {
		job = submit(ctx, shell("complete", serve, func(j *v1alpha1.Job) {
			j.Spec.Suspend = of(true)
			j.Spec.Tags = []string{"completed-tag"}
		}))
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "completed", Namespace: project, Labels: map[string]string{v1alpha1.LabelSecret: v1alpha1.SecretLabelValue}},
			StringData: map[string]string{"token": "x"},
		}
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			Expect(k8s.Delete(ctx, secret)).To(Succeed())
			remove(ctx, job)
		})
	})

	for name := range shells {
		It("asks the cluster for names in "+name, func() {
			typing := openShell(name)
			Expect(typing("soma logs complete-")).To(Equal("soma logs " + job.Name))
			Expect(typing("soma ps --tag completed-")).To(Equal("soma ps --tag completed-tag"))
			Expect(typing("soma ps -P " + project[:len(project)-1])).To(Equal("soma ps -P " + project))
			Expect(typing("soma run -e TOKEN=secret:completed/t")).To(Equal("soma run -e TOKEN=secret:completed/token"))
		})
	}

	It("works for kubectl's plugin", func() {
		script := somaSays("completion", "kubectl")
		file := filepath.Join(GinkgoT().TempDir(), "kubectl_complete-soma")
		Expect(os.WriteFile(file, []byte(script), 0o700)).To(Succeed()) //nolint:gosec // it is run
		asked := exec.Command(file, "logs", "complete-")
		asked.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+filepath.Dir(program("kubectl-soma"))+":"+os.Getenv("PATH"))
		session, err := gexec.Start(asked, GinkgoWriter, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		Eventually(session).Should(gexec.Exit(0))
		Expect(session.Out).To(gbytes.Say(job.Name + "\tSuspended\n"))
	})
})

// openShell starts a shell on a terminal of its own. What it returns types a line there with a TAB behind it, and tells
// what the shell made of it.
func openShell(name string) func(line string) string {
	GinkgoHelper()
	const ready = "what now> "
	sh, dir := shells[name], GinkgoT().TempDir()
	Expect(os.WriteFile(filepath.Join(dir, sh.script), []byte(somaSays("completion", name)), 0o600)).To(Succeed())
	command := exec.Command("script", "--quiet", "--return", "--command", sh.start, "/dev/null")
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+filepath.Dir(program("soma"))+":"+os.Getenv("PATH"), "TERM=vt100", "HOME="+dir)
	keys, err := command.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	session, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait() })
	press := func(text string) {
		_, err := io.WriteString(keys, text)
		Expect(err).NotTo(HaveOccurred())
	}
	press(fmt.Sprintf(sh.learn, dir, ready) + "\n")
	Eventually(session.Out).Should(gbytes.Say(ready + "[^']*$"))
	count := 0
	return func(line string) string {
		GinkgoHelper()
		count++
		file := filepath.Join(dir, fmt.Sprint(count))
		const home, end = "\x01", "\x05"
		press(line + "\t" + home + `printf %s "` + end + `" > ` + file + ".new; mv " + file + ".new " + file + "\n")
		Eventually(file).Should(BeAnExistingFile())
		text, err := os.ReadFile(file) //nolint:gosec // the test's own
		Expect(err).NotTo(HaveOccurred())
		return strings.TrimRight(string(text), " ") // not every shell puts one behind the word
	}
}
