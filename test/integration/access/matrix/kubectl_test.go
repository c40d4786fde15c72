package matrix

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/token"
	"github.com/soma-platform/soma/test/integration/harness"
)

// kubectl prepares a call of kubectl through the gateway by whose token it is.
func kubectl(raw string, args ...string) *exec.Cmd {
	GinkgoHelper()
	ca := file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}))
	args = append([]string{"--server", front.URL, "--certificate-authority", ca, "--token", raw}, args...)
	command := exec.CommandContext(harness.Ctx, filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), args...)
	command.Env = append(os.Environ(), "HOME="+GinkgoT().TempDir(), "KUBECONFIG=")
	return command
}

// documented is the manifest in the page of a kind, between the lines that hand it to kubectl.
func documented(page string) []byte {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(configuration, "..", "docs", "reference", page))
	Expect(err).NotTo(HaveOccurred())
	_, rest, found := bytes.Cut(text, []byte("-f - <<end\n"))
	Expect(found).To(BeTrue(), page)
	manifest, _, found := bytes.Cut(rest, []byte("    end\n"))
	Expect(found).To(BeTrue(), page)
	return bytes.ReplaceAll(manifest, []byte("\n    "), []byte("\n"))[len("    "):]
}

// makesReviews has kubectl make reviews as their pages say, for who has no right but that.
func makesReviews() {
	raw, err := token.New("asker", "all", [token.SecretBytes]byte{2})
	Expect(err).NotTo(HaveOccurred())
	harness.Create(&v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "asker"}, Spec: v1alpha1.UserSpec{
		Type: v1alpha1.UserServiceAccount, Owner: string(admin),
		Tokens: []v1alpha1.Token{{ID: "all", Hash: token.Hash(raw), ExpiresAt: metav1.NewTime(time.Now().Add(time.Hour))}},
	}})
	Eventually(func(g Gomega) {
		out, err := kubectl(raw, "auth", "whoami").CombinedOutput()
		g.Expect(err).NotTo(HaveOccurred(), string(out))
		g.Expect(string(out)).To(ContainSubstring("soma:asker"))
	}).Should(Succeed())
	for page, answer := range map[string]string{"accessreview.md": "allowed: false", "selfreview.md": "user: asker"} {
		create := kubectl(raw, "create", "-o", "yaml", "-f", "-")
		create.Stdin = strings.NewReader(string(documented(page)))
		out, err := create.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), "%s: %s", page, out)
		Expect(string(out)).To(ContainSubstring(answer), page)
	}
}
