package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("the samples", Label("samples"), func() {
	It("do what the README says, become ready, and are all seen at once", func(ctx context.Context) {
		DeferCleanup(func(ctx context.Context) {
			_, err := kubectl(ctx, "delete", "sjob", "hello", "-n", "quickstart", "--ignore-not-found", "--timeout=60s")
			Expect(err).NotTo(HaveOccurred())
		})
		var seen string
		for _, line := range commandsOf("README.md", "Without the command line:") {
			seen = fromRoot(ctx, line)
		}
		for _, want := range []string{"quota.platform.soma.dev/quickstart", "project.platform.soma.dev/quickstart", "cluster.platform.soma.dev/local", "job.platform.soma.dev/hello",
			"role.platform.soma.dev/experimenter", "user.platform.soma.dev/ada", "grant.platform.soma.dev/ada"} {
			Expect(seen).To(ContainSubstring(want))
		}
		_, err := kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=60s", "squota/quickstart", "sproj/quickstart", "scluster/local")
		Expect(err).NotTo(HaveOccurred())
	})

	It("begin with the first objects, which can be made again at any time", func(ctx context.Context) {
		Expect(commandsOf("README.md", "with a PostgreSQL that its pods reach:")).To(ContainElement(HavePrefix("hack/deploy/first-objects")))
		fromRoot(ctx, "hack/deploy/first-objects")
	})
})

var _ = Describe("the page on scheduling", Label("samples"), func() {
	It("shows quotas that can be applied, and commands that work", func(ctx context.Context) {
		manifest := filepath.Join(GinkgoT().TempDir(), "quotas.yaml")
		for _, sentence := range []string{"a quota may have a parent:", "`vision` gets two of three then."} {
			Expect(os.WriteFile(manifest, []byte(blockOf("docs/scheduling.md", sentence)), 0o600)).To(Succeed())
			fromRoot(ctx, "kubectl apply --dry-run=server -f "+manifest)
		}
		DeferCleanup(func(ctx context.Context) {
			_, err := kubectl(ctx, "delete", "sjob", "calm", "huge", "hello", "-n", "quickstart", "--ignore-not-found", "--timeout=60s")
			Expect(err).NotTo(HaveOccurred())
		})
		var said string
		for _, line := range commandsOf("docs/scheduling.md", "after `. .soma/env`:") {
			said += fromRoot(ctx, line)
			if line == "soma explain huge" { // what is typed at once may come before anybody has looked
				Eventually(func() string { return fromRoot(ctx, line) }, "10s").Should(ContainSubstring("waiting alone does not help"))
			}
		}
		Expect(said).To(And(ContainSubstring("calm"), ContainSubstring("huge")))
	})
})

var _ = Describe("the page on nodes", Label("samples", "devcluster"), func() {
	It("shows how the levels of the network are told", func(ctx context.Context) {
		undo := commandsOf("docs/nodes.md", "To take it back:")
		DeferCleanup(func(ctx context.Context) {
			for _, line := range undo {
				fromRoot(ctx, line)
			}
		})
		var said string
		for _, line := range commandsOf("docs/nodes.md", "after `. .soma/env`:") {
			said = fromRoot(ctx, line)
		}
		Expect(said).To(And(ContainSubstring("block: example.com/block"), ContainSubstring("rack: example.com/rack")))
	})
})

var _ = Describe("the page on failures", Label("samples"), func() {
	It("shows a rule that ends a job at once", func(ctx context.Context) {
		DeferCleanup(func(ctx context.Context) {
			_, err := kubectl(ctx, "delete", "sjob", "strict", "hello", "-n", "quickstart", "--ignore-not-found", "--timeout=60s")
			Expect(err).NotTo(HaveOccurred())
		})
		var said string
		for _, line := range commandsOf("docs/failures.md", "after `. .soma/env`:") {
			said = fromRoot(ctx, line)
		}
		Expect(said).To(And(ContainSubstring("restart.rules[0]"), ContainSubstring("78")))
	})
})

var _ = Describe("the page on energy", Label("samples"), func() {
	It("shows a cluster that can be applied, and jobs that are bound to its schedules", func(ctx context.Context) {
		manifest := filepath.Join(GinkgoT().TempDir(), "cluster.yaml")
		cluster := blockOf("docs/energy.md", "### Power, prices and CO2") // with the longer energy of the page in place of its own
		cluster, _, _ = strings.Cut(cluster, "  energy:\n")
		for line := range strings.Lines(blockOf("docs/energy.md", "to be put into a cluster's `spec`:")) {
			cluster += "  " + line
		}
		for _, text := range []string{blockOf("docs/energy.md", "### Power, prices and CO2"), cluster} {
			Expect(os.WriteFile(manifest, []byte(text), 0o600)).To(Succeed())
			fromRoot(ctx, "kubectl apply --dry-run=server -f "+manifest)
		}
		DeferCleanup(func(ctx context.Context) {
			_, err := kubectl(ctx, "delete", "sjob", "frugal", "steady", "hello", "-n", "quickstart", "--ignore-not-found", "--timeout=60s")
			Expect(err).NotTo(HaveOccurred())
		})
		var said string
		for _, line := range commandsOf("docs/energy.md", "In the development cluster, after\n`. .soma/env`:") {
			said = fromRoot(ctx, line)
		}
		Expect(said).To(And(ContainSubstring("any-time"), ContainSubstring("g CO2")))
	})
})

// codeBlock is what a page of Markdown has to be typed.
var codeBlock = regexp.MustCompile(`^\n\n((?:    .*\n)+)`)

// blockOf is the block behind a sentence of a page.
func blockOf(page, sentence string) string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(page)))
	Expect(err).NotTo(HaveOccurred())
	_, rest, found := strings.Cut(string(text), sentence)
	Expect(found).To(BeTrue(), "%s does not say %q", page, sentence)
	block := codeBlock.FindStringSubmatch(rest)
	Expect(block).To(HaveLen(2), "nothing to type follows %q in %s", sentence, page)
	var lines strings.Builder
	for line := range strings.Lines(block[1]) {
		lines.WriteString(strings.TrimPrefix(line, "    "))
	}
	return lines.String()
}

// commandsOf are the lines to type behind a sentence of a page.
func commandsOf(page, sentence string) []string {
	GinkgoHelper()
	return strings.Split(strings.TrimSpace(blockOf(page, sentence)), "\n")
}

// fromRoot runs a line as a person types it in the repository's folder, to its good end, and returns what it printed.
func fromRoot(ctx context.Context, line string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, "bash", "-c", line)
	command.Dir = filepath.Join("..", "..")
	command.Env = append(os.Environ(), "PATH="+filepath.Dir(program("kubectl"))+":"+os.Getenv("PATH"))
	out, err := command.CombinedOutput()
	GinkgoWriter.Printf("$ %s\n%s\n", line, out)
	Expect(err).NotTo(HaveOccurred(), "%s\n%s", line, out)
	return string(out)
}
