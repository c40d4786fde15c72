package matrix

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/token"
	"github.com/soma-platform/soma/test/integration/harness"
)

// person is somebody who asks. The names are those of the Users.
type person string

// The people, by how they stand to the project vision.
const (
	admin     person = "admin"     // of all of Soma: cluster-admin
	owner     person = "owner"     // project-admin
	writer    person = "writer"    // project-writer
	reader    person = "reader"    // project-reader
	grantee   person = "grantee"   // may write one job of it
	stranger  person = "stranger"  // project-admin of the project robots
	disabled  person = "disabled"  // project-admin, and disabled
	program   person = "program"   // a service account that is project-writer, by a token to read jobs alone
	anonymous person = "anonymous" // nobody
)

var everybody = []person{admin, owner, writer, reader, grantee, stranger, disabled, program, anonymous}

// bot is a service account of the owner, whom nobody is.
const bot = "bot"

// route is a way to the API server.
type route string

// The routes.
const (
	direct  route = "direct"
	gateway route = "gateway"
)

// doors are what people come in by.
type doors struct {
	base   string
	client *http.Client
	header http.Header
}

var ways = map[route]map[person]doors{direct: {}, gateway: {}}

// makePeople makes the users and what they have.
func makePeople() {
	GinkgoHelper()
	raw, err := token.New(string(program), "reads", [token.SecretBytes]byte{1})
	Expect(err).NotTo(HaveOccurred())
	for _, who := range everybody {
		user := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: string(who)}, Spec: v1alpha1.UserSpec{
			Type: v1alpha1.UserPerson, Identities: []v1alpha1.Identity{{Issuer: issuer, Subject: string(who)}},
		}}
		switch who {
		case anonymous:
			continue
		case admin:
			user.Spec.Roles = []v1alpha1.HeldRole{{Role: "cluster-admin"}}
		case disabled:
			user.Spec.Disabled = new(true)
		case program:
			user.Spec = v1alpha1.UserSpec{Type: v1alpha1.UserServiceAccount, Owner: string(owner), Tokens: []v1alpha1.Token{{
				ID: "reads", Hash: token.Hash(raw), ExpiresAt: metav1.NewTime(time.Now().Add(time.Hour)),
				Scope: []v1alpha1.Permission{{URI: "job://local/default/" + vision, Action: v1alpha1.ActionRead}},
			}}}
		}
		Expect(harness.K8s.Create(harness.Ctx, user)).To(Succeed())
	}
	Expect(harness.K8s.Create(harness.Ctx, &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: bot}, Spec: v1alpha1.UserSpec{
		Type: v1alpha1.UserServiceAccount, Owner: string(owner),
	}})).To(Succeed())
	for _, who := range everybody {
		ways[direct][who], ways[gateway][who] = directly(who, raw), throughGateway(who, raw)
	}
}

// makeGrants gives people what they have in projects.
func makeGrants() {
	GinkgoHelper()
	give := func(project string, to person, spec v1alpha1.GrantSpec) {
		spec.To = v1alpha1.Grantee{User: string(to)}
		given := &v1alpha1.Grant{ObjectMeta: marked(project, string(to)), Spec: spec}
		Expect(harness.K8s.Create(harness.Ctx, given)).To(Succeed())
	}
	give(vision, owner, v1alpha1.GrantSpec{Role: "project-admin"})
	give(vision, disabled, v1alpha1.GrantSpec{Role: "project-admin"})
	give(vision, writer, v1alpha1.GrantSpec{Role: "project-writer"})
	give(vision, program, v1alpha1.GrantSpec{Role: "project-writer"})
	give(vision, reader, v1alpha1.GrantSpec{Role: "project-reader"})
	give(vision, grantee, v1alpha1.GrantSpec{URI: "job:" + sharedJob, Action: v1alpha1.ActionWrite})
	give(robots, stranger, v1alpha1.GrantSpec{Role: "project-admin"})
}

// directly is how somebody comes to the API server itself: with a certificate of who they are to Kubernetes. Nobody but the
// gateway takes a token of a service account of Soma's, and nobody who is disabled is in the group of users.
func directly(who person, raw string) doors {
	GinkgoHelper()
	var api *rest.Config
	switch who {
	case anonymous, program:
		api = rest.AnonymousClientConfig(harness.Server.Config)
		if who == program {
			api.BearerToken = raw
		}
	default:
		groups := []string{"soma:users"}
		if who == disabled {
			groups = nil
		}
		user, err := harness.Server.User("soma:"+string(who), groups...)
		Expect(err).NotTo(HaveOccurred())
		api = user.Config()
	}
	client, err := rest.HTTPClientFor(api)
	Expect(err).NotTo(HaveOccurred())
	return doors{base: address(), client: client}
}

// address is that of the API server.
func address() string { return strings.TrimSuffix(harness.Server.Config.Host, "/") }

// throughGateway is how somebody comes to the gateway: with the session of who has signed in, or with a token.
func throughGateway(who person, raw string) doors {
	GinkgoHelper()
	way := doors{base: front.URL, client: front.Client(), header: http.Header{}}
	switch who {
	case anonymous:
	case program:
		way.header.Set("Authorization", "Bearer "+raw)
	default:
		user := &v1alpha1.User{}
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKey{Name: string(who)}, user)).To(Succeed())
		now := time.Now()
		w := httptest.NewRecorder()
		Expect(keys.Put(w, session.Session{
			ID: session.NewID(now.Add(time.Hour)), User: user.Name, UID: string(user.UID), Issuer: issuer, Subject: user.Name,
			SignedIn: now, Ends: now.Add(time.Hour), Sealed: now,
		})).To(Succeed())
		for _, cookie := range w.Result().Cookies() { //nolint:bodyclose // it has none
			way.header.Add("Cookie", cookie.Name+"="+cookie.Value)
		}
	}
	return way
}
