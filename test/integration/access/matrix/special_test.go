package matrix

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

// special are rights of Kubernetes that no request of their own is for: by each of them somebody would be somebody else, or have
// more than they were given. Nobody has one of them from Soma, whatever they are there.
var special = []authorizationv1.ResourceAttributes{
	{Verb: "impersonate", Resource: "users"}, {Verb: "impersonate", Resource: "groups"}, {Verb: "impersonate", Resource: "serviceaccounts", Namespace: vision},
	{Verb: "impersonate", Group: "authentication.k8s.io", Resource: "uids"}, {Verb: "impersonate", Group: "authentication.k8s.io", Resource: "userextras"},
	{Verb: "escalate", Group: "rbac.authorization.k8s.io", Resource: "roles", Namespace: vision}, {Verb: "escalate", Group: "rbac.authorization.k8s.io", Resource: "clusterroles"},
	{Verb: "bind", Group: "rbac.authorization.k8s.io", Resource: "roles", Namespace: vision}, {Verb: "bind", Group: "rbac.authorization.k8s.io", Resource: "clusterroles"},
	{Verb: "bind", Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Name: "soma:project-manager"},
	{Verb: "escalate", Group: v1alpha1.GroupName, Resource: "roles"}, {Verb: "escalate", Group: v1alpha1.GroupName, Resource: "users"},
	{Verb: "escalate", Group: v1alpha1.GroupName, Resource: "grants", Namespace: vision}, {Verb: "escalate", Group: v1alpha1.GroupName, Resource: "projects"},
	{Verb: "approve", Group: "certificates.k8s.io", Resource: "signers"}, {Verb: "sign", Group: "certificates.k8s.io", Resource: "signers"},
	{Verb: "attest", Group: "certificates.k8s.io", Resource: "signers"}, {Verb: "use", Group: "resource.k8s.io", Resource: "deviceclasses"},
	{Verb: "*", Group: "*", Resource: "*"}, {Verb: "*", Group: "*", Resource: "*", Namespace: vision},
	{Verb: "get", Group: "*", Resource: "*", Namespace: vision}, {Verb: "*", Group: v1alpha1.GroupName, Resource: "jobs", Namespace: vision},
}

// specialPaths are what is no object.
var specialPaths = []string{"/metrics", "/logs", "/debug/pprof/", "/configz", "/*"}

// whoIs is whom the API server takes somebody for that comes to it directly.
func whoIs(who person) (username string, groups []string) {
	switch who {
	case anonymous:
		return "system:anonymous", []string{"system:unauthenticated"}
	case disabled:
		return "soma:" + string(who), []string{"system:authenticated"}
	}
	return "soma:" + string(who), []string{"soma:users", "system:authenticated"}
}

// gaveNothingSpecial asks for all of them, for everybody.
func gaveNothingSpecial() {
	for _, who := range everybody {
		username, groups := whoIs(who)
		for _, what := range special {
			Expect(mayDo(Default, username, groups, what)).To(BeFalse(), "%s: %+v", who, what)
		}
		for _, path := range specialPaths {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: username, Groups: groups, NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: "get", Path: path},
			}}
			Expect(harness.K8s.Create(harness.Ctx, review)).To(Succeed())
			Expect(review.Status.Allowed).To(BeFalse(), "%s: %s", who, path)
		}
	}
	AddReportEntry("special", fmt.Sprintf("%d rights that no request is for are nobody's", len(everybody)*(len(special)+len(specialPaths))))
}
