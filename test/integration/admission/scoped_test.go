package admission

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accessv1 "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/kubeproxy"
	testpeople "github.com/soma-platform/soma/internal/testing/people"
	"github.com/soma-platform/soma/internal/testing/records"
	"github.com/soma-platform/soma/test/integration/harness"
)

// bearer plays sign-in: a bearer token is the id of a token of a service account.
type bearer struct{ account *v1alpha1.User }

func (b bearer) Authenticate(r *http.Request) (caller.Caller, error) {
	id := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	for _, token := range b.account.Spec.Tokens {
		if token.ID == id {
			return caller.Caller{User: b.account.Name, UID: string(b.account.UID), Session: id, TokenID: id, Scope: token.Scope, Via: caller.ViaToken}, nil
		}
	}
	return caller.Caller{}, caller.ErrNone
}

func (bearer) StillValid(caller.Caller) bool { return true }

var _ = Describe("A token of a service account that is for less than the account may", Ordered, func() {
	const name = "scoped-bot"
	var by func(token string) client.Client
	toBob := func(name, gives string) *v1alpha1.Grant {
		return grant("vision", name, v1alpha1.Grantee{User: "bob"}, gives)
	}

	BeforeAll(func() {
		account := service(name, "alice")
		for id, scope := range map[string][]string{"all": nil, "reads": {"read job://local/acme/vision"}, "shares": {"manage job://local/acme/vision"}} {
			account.Spec.Tokens = append(account.Spec.Tokens, v1alpha1.Token{
				ID: id, Hash: strings.Repeat("0", 63) + string(id[0]%10+'0'), ExpiresAt: metav1.NewTime(time.Now().Add(time.Hour)), Scope: permissions(scope...),
			})
		}
		made(account)
		made(grant("vision", name, v1alpha1.Grantee{User: name}, "manager"))
		// What is refused is refused for the token's sake.
		made(&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: access.UsersGroup}},
		})
		ctx, stop := context.WithCancel(harness.Ctx)
		rights, ended, err := testpeople.Rights(ctx, harness.Server, GinkgoT().TempDir())
		Expect(err).NotTo(HaveOccurred())
		proxy, err := kubeproxy.New(kubeproxy.Options{
			Prefix: "/kubernetes", Config: harness.Server.Config, Authenticator: bearer{account}, Authority: rights, Audit: &records.Log{},
			Limits: kubeproxy.DefaultLimits(), Clock: clock.RealClock{}, Log: logr.Discard(), Registry: prometheus.NewRegistry(),
		})
		Expect(err).NotTo(HaveOccurred())
		front := httptest.NewTLSServer(proxy)
		DeferCleanup(func() {
			front.Close()
			stop()
			Expect(ended()).To(Succeed())
		})
		scheme := runtime.NewScheme()
		for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, accessv1.AddToScheme, authenticationv1.AddToScheme} {
			Expect(add(scheme)).To(Succeed())
		}
		by = func(token string) client.Client {
			config := &rest.Config{Host: front.URL + "/kubernetes", BearerToken: token, TLSClientConfig: rest.TLSClientConfig{
				CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}),
			}}
			c, err := client.New(config, client.Options{Scheme: scheme})
			Expect(err).NotTo(HaveOccurred())
			return c
		}
		Eventually(func(g Gomega) {
			review := &accessv1.AccessReview{Spec: accessv1.AccessReviewSpec{URI: "job:", Project: "vision", Action: "manage"}}
			g.Expect(by("all").Create(harness.Ctx, review)).To(Succeed())
			g.Expect(review.Status.Allowed).To(BeTrue())
		}).Should(Succeed())
	})

	It("is named to the API server", func() {
		for token, want := range map[string]map[string]authenticationv1.ExtraValue{
			"all": nil, "reads": {access.TokenExtra: {"reads"}}, "shares": {access.TokenExtra: {"shares"}},
		} {
			review := &authenticationv1.SelfSubjectReview{}
			Expect(by(token).Create(harness.Ctx, review)).To(Succeed())
			Expect(review.Status.UserInfo.Username).To(Equal("soma:" + name))
			Expect(review.Status.UserInfo.Extra).To(Equal(want))
		}
	})

	It("asks who may do what, and is told what may be done with it", func() {
		for _, one := range []struct {
			token, uri string
			want       v1alpha1.Action
		}{
			{"all", "secret:", "manage"}, {"reads", "secret:", ""}, {"reads", "job:", "read"}, {"shares", "job:", "manage"}, {"shares", "project:", "list"},
		} {
			review := &accessv1.AccessReview{Spec: accessv1.AccessReviewSpec{URI: v1alpha1.Address(one.uri), Project: "vision", Action: "list"}}
			Expect(by(one.token).Create(harness.Ctx, review)).To(Succeed())
			Expect(review.Status.Level).To(Equal(one.want), "%s on %s", one.token, one.uri)
		}
		// What others may do is told to who may let them.
		of := &accessv1.HoldersReview{Spec: accessv1.HoldersReviewSpec{URI: "job:", Project: "vision", Action: "read"}}
		Expect(apierrors.IsForbidden(by("reads").Create(harness.Ctx, of.DeepCopy()))).To(BeTrue())
		Expect(by("shares").Create(harness.Ctx, of)).To(Succeed())
	})

	It("gives no more than it is for", func() {
		for token, gives := range map[string]string{"reads": "read job://local/acme/vision", "shares": "list secret://local/acme/vision"} {
			err := by(token).Create(harness.Ctx, toBob("scoped-no", gives))
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s gives %s: %v", token, gives, err)
			Expect(err).To(MatchError(ContainSubstring("you lack manage")))
		}
		Expect(by("shares").Create(harness.Ctx, toBob("scoped-no", "manager"))).To(MatchError(ContainSubstring(`no role "manager" that you may give`)))
		given := toBob("scoped-yes", "read job://local/acme/vision")
		Expect(by("shares").Create(harness.Ctx, given)).To(Succeed())
		Expect(given.Spec.GrantedBy).To(Equal(name))
	})

	It("takes no more than it could give", func() {
		Expect(by("all").Create(harness.Ctx, toBob("scoped-secret", "list secret:"))).To(Succeed())
		// Who gave it may take it, with what is for that.
		for token, name := range map[string]string{"reads": "scoped-yes", "shares": "scoped-secret"} {
			err := by(token).Delete(harness.Ctx, toBob(name, ""))
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s takes %s: %v", token, name, err)
		}
		Expect(by("shares").Delete(harness.Ctx, toBob("scoped-yes", ""))).To(Succeed())
		Expect(by("all").Delete(harness.Ctx, toBob("scoped-secret", ""))).To(Succeed())
	})

	It("does nothing else with grants", func() {
		there := toBob("scoped-there", "read job://local/acme/vision")
		Expect(by("shares").Create(harness.Ctx, there)).To(Succeed())
		before := there.DeepCopy()
		there.Labels = map[string]string{"a": "b"}
		// The project itself it is not for, but for to see that it is there: it is refused, as who has one job in it is.
		Expect(by("shares").Patch(harness.Ctx, there.DeepCopy(), client.MergeFrom(before))).To(Satisfy(apierrors.IsForbidden))
		Expect(by("shares").Delete(harness.Ctx, there)).To(Succeed())
	})
})
