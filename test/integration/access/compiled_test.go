package access

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"

	historyv1 "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/test/integration/harness"
)

// kind is one of those that are asked about.
type kind struct{ group, resource, subresource string }

var (
	verbs    = []string{"get", "list", "watch", "create", "update", "patch", "delete"}
	projects = []kind{
		{v1alpha1.GroupName, "jobs", ""}, {v1alpha1.GroupName, "jobs", "status"}, {v1alpha1.GroupName, "grants", ""},
		{historyv1.GroupName, "jobrecords", ""}, {"", "secrets", ""}, {"", "pods", ""}, {"", "pods", "log"}, {"", "pods", "exec"},
		{"", "events", ""}, {"", "configmaps", ""}, {"rbac.authorization.k8s.io", "rolebindings", ""}, {"", "serviceaccounts", "token"},
	}
	platform = []kind{
		{v1alpha1.GroupName, "clusters", ""}, {v1alpha1.GroupName, "roles", ""}, {v1alpha1.GroupName, "users", ""},
		{v1alpha1.GroupName, "quotas", ""}, {v1alpha1.GroupName, "projects", ""}, {"", "namespaces", ""}, {"", "nodes", ""},
		{"rbac.authorization.k8s.io", "clusterroles", ""},
	}
)

var _ = Describe("What users may do", func() {
	It("is to Kubernetes what it is to Soma, request by request", func() {
		acme, other := newProject("acme"), newProject("other")
		users := []string{
			newUser(), newUser(v1alpha1.HeldRole{Role: "organization-reader", Organization: "acme"}),
			newUser(v1alpha1.HeldRole{Role: "organization-admin", Organization: "acme"}),
			newUser(v1alpha1.HeldRole{Role: "cluster-reader"}), newUser(v1alpha1.HeldRole{Role: "cluster-admin"}),
		}
		for _, role := range []string{"project-reader", "project-writer", "project-manager", "project-admin"} {
			user := newUser()
			giveRole(acme, user, role)
			users = append(users, user)
		}
		shared := newUser()
		grant(acme, v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: shared}, URI: "job:train", Action: v1alpha1.ActionWrite})
		grant(other, v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: shared}, URI: "secret:train", Action: v1alpha1.ActionRead})
		users = append(users, shared)

		differences := func() []string {
			var differ []string
			for _, user := range users {
				for _, request := range requests(acme, other, users[0]) {
					want, asked := decided(user, request)
					if asked && may(Default, user, attributes(request)) != want {
						differ = append(differ, fmt.Sprintf("%s: %+v: Soma says %t", user, request, want))
					}
				}
			}
			return differ
		}
		Eventually(differences).WithTimeout(time.Minute).WithPolling(time.Second).Should(BeEmpty())
	})
})

// requests are all that can be asked of the kinds in two projects, about all and about one.
func requests(acme, other, user string) []access.Request {
	var all []access.Request
	for _, verb := range verbs {
		named := !slices.Contains([]string{"create", "list", "watch"}, verb)
		for _, k := range projects {
			for _, project := range []string{acme, other, "kube-system"} {
				r := access.Request{Verb: verb, Group: k.group, Resource: k.resource, Subresource: k.subresource, Namespace: project}
				if named || k.subresource != "" {
					r.Name = "train"
				}
				all = append(all, r)
			}
		}
		for _, k := range platform {
			for _, name := range []string{acme, other, user, "project-reader"} {
				r := access.Request{Verb: verb, Group: k.group, Resource: k.resource, Subresource: k.subresource}
				if named {
					r.Name = name
				}
				all = append(all, r)
			}
		}
	}
	return all
}

// decided is what Soma decides. It reports false for what RBAC cannot say: see docs/access.md.
func decided(user string, r access.Request) (allowed, asked bool) {
	switch {
	case r.Resource == "grants" && r.Verb != "deletecollection", r.Resource == "users" && (r.Verb == "create" || r.Name == user),
		r.Resource == "projects" && r.Verb == "create":
		return false, false
	case r.Resource == "pods" && r.Name != "":
		// Its pods are named by the job: a spec of their own.
		return false, false
	}
	rights.View(func(d *access.Directory, m *access.Membership, _ time.Time) {
		if target, level, known := d.Requirement(r); known {
			allowed = m.Tree(user).Allows(target, level)
		}
	})
	return allowed, true
}

func attributes(r access.Request) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{
		Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource, Namespace: r.Namespace, Name: r.Name,
	}
}

var _ = Describe("A user", func() {
	It("works with kubectl as long as a grant lets them", func() {
		project, user := newProject(""), newUser()
		bob := clientOf(user)
		jobs := &v1alpha1.JobList{}
		Expect(bob.List(harness.Ctx, jobs)).NotTo(Succeed())
		given := giveRole(project, user, "project-writer")
		job := harness.NewJob(project, "train")
		Eventually(func() error { return bob.Create(harness.Ctx, job) }).Should(Succeed())
		Expect(bob.Delete(harness.Ctx, job)).To(Succeed())
		Expect(bob.Create(harness.Ctx, &v1alpha1.Grant{})).NotTo(Succeed())
		Expect(harness.K8s.Delete(harness.Ctx, given)).To(Succeed())
		revoked := time.Now()
		Eventually(func() error { return bob.Create(harness.Ctx, harness.NewJob(project, "again")) }).ShouldNot(Succeed())
		GinkgoWriter.Printf("revoked after %s\n", time.Since(revoked))
		Expect(time.Since(revoked)).To(BeNumerically("<", 2*time.Second))
	})
})
