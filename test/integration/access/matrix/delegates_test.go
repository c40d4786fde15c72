package matrix

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

// patched is the answer to a change of a user through the gateway.
func patched(who person, name, change string) (code int, text string) {
	GinkgoHelper()
	way := ways[gateway][who]
	request, err := http.NewRequestWithContext(harness.Ctx, http.MethodPatch, way.base+"/apis/platform.soma.dev/v1alpha1/users/"+name, strings.NewReader(change))
	Expect(err).NotTo(HaveOccurred())
	request.Header = way.header.Clone()
	request.Header.Set("Content-Type", "application/merge-patch+json")
	request.Header.Set("Origin", way.base)
	response, err := way.client.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	Expect(err).NotTo(HaveOccurred())
	return response.StatusCode, string(answer)
}

// ownUser is what everybody changes of themselves.
func ownUser() {
	delegates := func(names string) string { return fmt.Sprintf(`{"spec":{"delegates":%s}}`, names) }

	It("takes from everybody who may submit jobs for them, and nothing else", func() {
		code, text := patched(reader, string(reader), delegates(`["`+bot+`"]`))
		Expect(code).To(Equal(http.StatusOK), text)
		user := &v1alpha1.User{}
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKey{Name: string(reader)}, user)).To(Succeed())
		Expect(user.Spec.Delegates).To(ConsistOf(bot))
		for _, change := range []string{
			`{"spec":{"displayName":"Root"}}`, `{"spec":{"roles":[{"role":"cluster-admin"}]}}`, `{"spec":{"disabled":false}}`,
			`{"metadata":{"labels":{"a":"b"}}}`, `{"spec":{"delegates":null,"email":"a@b.example"}}`,
		} {
			code, text = patched(reader, string(reader), change)
			Expect(code).To(Equal(http.StatusForbidden), text)
			Expect(text).To(ContainSubstring("spec.delegates"))
		}
		code, text = patched(reader, string(reader), delegates("null"))
		Expect(code).To(Equal(http.StatusOK), text)
	})

	It("is nobody else's, nor a token's that is for less", func() {
		for _, other := range []string{string(writer), "nobody"} {
			code, text := patched(reader, other, delegates(`["`+bot+`"]`))
			Expect(code).To(Equal(http.StatusNotFound), text)
		}
		code, text := patched(program, string(program), delegates(`["`+bot+`"]`))
		Expect(code).To(BeElementOf(http.StatusForbidden, http.StatusNotFound), text)
	})
}
