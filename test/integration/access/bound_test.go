package access

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
	"github.com/soma-platform/soma/test/integration/harness"
)

// toPod is a request for a pod, or a part of one.
func toPod(verb, project, pod, part string) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{Verb: verb, Resource: "pods", Subresource: part, Namespace: project, Name: pod}
}

// binding is what binds the readers of a project.
func binding(project string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "soma:project-reader"}}
}

var _ = Describe("One job that is shared", func() {
	It("is there to the other with its pods and their logs, attempt after attempt, and nothing else is", func() {
		project, user := newProject(""), newUser()
		job, other := harness.NewJob(project, "train"), harness.NewJob(project, "other")
		harness.Create(job)
		harness.Create(other)
		given := grant(project, v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: user}, URI: "job:train", Action: v1alpha1.ActionRead})
		becomes(user, true, to("get", "jobs", project, "train"))
		becomes(user, true, to("list", "projects", "", project))
		Expect(clientOf(user).Get(harness.Ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())

		for attempt := int32(1); attempt <= 2; attempt++ {
			before := job.DeepCopy()
			job.Status.Attempt = attempt
			Expect(harness.K8s.Status().Patch(harness.Ctx, job, client.MergeFrom(before))).To(Succeed())
			pod := workload.PodName(job, attempt, 0)
			becomes(user, true, toPod("get", project, pod, "log"))
			Expect(may(Default, user, toPod("watch", project, pod, ""))).To(BeTrue())
			Expect(may(Default, user, toPod("create", project, pod, "exec"))).To(BeFalse())
		}
		for _, no := range []authorizationv1.ResourceAttributes{
			to("get", "jobs", project, "other"), to("list", "jobs", project, ""), to("delete", "jobs", project, "train"),
			toPod("get", project, workload.PodName(other, 1, 0), "log"), toPod("list", project, "", ""),
			{Verb: "get", Resource: "secrets", Namespace: project, Name: "train"},
		} {
			Expect(may(Default, user, no)).To(BeFalse(), "%+v", no)
		}
		harness.Remove(given)
		becomes(user, false, to("get", "jobs", project, "train"))
		becomes(user, false, toPod("get", project, workload.PodName(job, 2, 0), "log"))
		becomes(user, false, to("get", "projects", "", project))
	})
})

var _ = Describe("A right", func() {
	It("ends to the second when its grant does", func() {
		project, user := newProject(""), newUser()
		end := metav1.NewTime(time.Now().Add(3 * time.Second).Truncate(time.Second))
		given := grant(project, v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: user}, Role: "project-reader", ExpiresAt: &end})
		becomes(user, true, to("list", "jobs", project, ""))
		Expect(time.Now()).To(BeTemporally("<", end.Time))
		becomes(user, false, to("list", "jobs", project, ""))
		Expect(time.Now()).To(And(BeTemporally(">=", end.Time), BeTemporally("<", end.Add(2*time.Second))))
		harness.Reaches(given, func(g Gomega, given *v1alpha1.Grant) {
			harness.ExpectCondition(g, given, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonExpired)
		})
	})

	It("is removed with its grant a day after that ended", func() {
		project, user := newProject(""), newUser()
		end := metav1.NewTime(time.Now().Add(-25 * time.Hour))
		given := grant(project, v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: user}, Role: "project-reader", ExpiresAt: &end})
		harness.Gone(given)
	})

	It("goes when the user is disabled, and comes back", func() {
		project, user := newProject(""), newUser(v1alpha1.HeldRole{Role: "cluster-reader"})
		becomes(user, true, to("list", "jobs", project, ""))
		becomes(user, true, to("list", "users", "", ""))
		for _, disabled := range []bool{true, false} {
			u := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: user}}
			harness.Reaches(u, func(g Gomega, u *v1alpha1.User) {
				u.Spec.Disabled = &disabled
				g.Expect(harness.K8s.Update(harness.Ctx, u)).To(Succeed())
			})
			becomes(user, !disabled, to("list", "jobs", project, ""))
			becomes(user, !disabled, to("list", "users", "", ""))
		}
	})

	It("follows the role, whoever holds it", func() {
		role := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("role")}, Spec: v1alpha1.RoleSpec{Includes: []string{"project-reader"}}}
		project, user := newProject(""), newUser()
		giveRole(project, user, role.Name)
		harness.Create(role)
		becomes(user, true, to("list", "jobs", project, ""))
		harness.Remove(role)
		becomes(user, false, to("list", "jobs", project, ""))
	})

	It("is also that of an identity that an API server finds in a token, unless several have it", func() {
		project := newProject("")
		u := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("user")}, Spec: v1alpha1.UserSpec{
			Identities: []v1alpha1.Identity{{Issuer: "https://issuer.example", Subject: harness.Unique("subject")}},
		}}
		harness.Create(u)
		giveRole(project, u.Name, "project-reader")
		becomes(u.Name, true, to("list", "jobs", project, ""))
		username := "https://issuer.example#" + u.Spec.Identities[0].Subject
		known := func(g Gomega) bool { return mayAs(g, username, to("list", "jobs", project, "")) }
		Eventually(func(g Gomega) { g.Expect(known(g)).To(BeTrue()) }).Should(Succeed())
		double := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("user")}, Spec: v1alpha1.UserSpec{Identities: u.Spec.Identities}}
		harness.Create(double)
		Eventually(func(g Gomega) { g.Expect(known(g)).To(BeFalse()) }).Should(Succeed())
		for _, one := range []*v1alpha1.User{u, double} {
			harness.Reaches(one, func(g Gomega, one *v1alpha1.User) {
				harness.ExpectCondition(g, one, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonIdentityShared)
			})
		}
	})
})

var _ = Describe("A project", func() {
	It("is Ready when who has rights in it can use them, and stays so", func() {
		user, other := newUser(v1alpha1.HeldRole{Role: "organization-admin", Organization: "acme"}), newUser()
		project := newProject("acme")
		becomes(user, true, to("create", "grants", project, ""))
		for range 5 {
			project = newProject("acme")
			Expect(may(Default, user, to("create", "grants", project, ""))).To(BeTrue())
		}
		p := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: project}}
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
		Expect(harness.Told(p)).To(Equal([]string{"Pending Progressing", "Active Available"}))
		version := p.ResourceVersion
		giveRole(project, other, "project-reader")
		becomes(other, true, to("list", "jobs", project, ""))
		harness.Stays(p)
		Expect(p.ResourceVersion).To(Equal(version))
	})

	It("is Ready again where somebody took it out of its status that they can", func() {
		p := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: newProject("")}}
		harness.Reaches(p, func(g Gomega, p *v1alpha1.Project) {
			meta.RemoveStatusCondition(&p.Status.Conditions, v1alpha1.ConditionAccessBound)
			g.Expect(harness.K8s.Status().Update(harness.Ctx, p)).To(Succeed())
		})
		harness.Reaches(p, func(g Gomega, p *v1alpha1.Project) {
			harness.ExpectCondition(g, p, v1alpha1.ConditionAccessBound, "True", v1alpha1.ReasonAvailable)
			harness.ExpectCondition(g, p, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
	})

	It("is Ready again when they can use them in the namespace that takes the place of one that was deleted", func() {
		user := newUser(v1alpha1.HeldRole{Role: "organization-admin", Organization: "acme"})
		project := newProject("acme")
		becomes(user, true, to("create", "grants", project, ""))
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: project}}
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		Expect(harness.K8s.Delete(harness.Ctx, namespace)).To(Succeed())
		p := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: project}}
		harness.Reaches(p, func(g Gomega, p *v1alpha1.Project) {
			harness.ExpectCondition(g, p, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
			g.Expect(p.Status.Namespace.UID).NotTo(Equal(string(namespace.UID)))
		})
		Expect(may(Default, user, to("create", "grants", project, ""))).To(BeTrue())
	})
})

var _ = Describe("RBAC", func() {
	It("is put back where somebody changed it, and what nobody may is taken away", func() {
		project, user := newProject(""), newUser()
		giveRole(project, user, "project-reader")
		becomes(user, true, to("list", "jobs", project, ""))
		bound := binding(project)
		restored := func() {
			GinkgoHelper()
			harness.Reaches(bound, func(g Gomega, bound *rbacv1.RoleBinding) {
				g.Expect(bound.Subjects).To(ConsistOf(rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: "soma:" + user}))
				g.Expect(bound.Labels).To(HaveKeyWithValue(v1alpha1.LabelAccess, v1alpha1.AccessProject))
				g.Expect(bound.RoleRef.Name).To(Equal("soma:project-reader"))
			})
		}
		restored()
		By("another subject")
		bound.Subjects = append(bound.Subjects, rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: "mallory"})
		Expect(harness.K8s.Update(harness.Ctx, bound)).To(Succeed())
		restored()
		By("no label")
		bound.Labels = nil
		Expect(harness.K8s.Update(harness.Ctx, bound)).To(Succeed())
		restored()
		By("another role")
		Expect(harness.K8s.Delete(harness.Ctx, bound)).To(Succeed())
		bound = binding(project)
		bound.Labels = map[string]string{v1alpha1.LabelAccess: v1alpha1.AccessProject, v1alpha1.LabelProject: project}
		bound.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"}
		_ = harness.K8s.Create(harness.Ctx, bound) // it may be there again already
		restored()
		By("one that looks like Soma's")
		forged := bound.DeepCopy()
		forged.ObjectMeta = metav1.ObjectMeta{Namespace: project, Name: "soma:forged", Labels: bound.Labels}
		Expect(harness.K8s.Create(harness.Ctx, forged)).To(Succeed())
		harness.Gone(forged)
	})

	It("that Soma did not make stays as it is, and the project says so", func() {
		project, user := newProject(""), newUser()
		foreign := binding(project)
		foreign.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}
		Expect(harness.K8s.Create(harness.Ctx, foreign)).To(Succeed())
		giveRole(project, user, "project-reader")
		p := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: project}}
		harness.Reaches(p, func(g Gomega, p *v1alpha1.Project) {
			harness.ExpectCondition(g, p, v1alpha1.ConditionAccessIncomplete, "True", v1alpha1.ReasonObjectForeign)
			g.Expect(harness.Message(p, v1alpha1.ConditionAccessIncomplete)).To(ContainSubstring(project + "/soma:project-reader"))
		})
		version := foreign.ResourceVersion
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(foreign), foreign)).To(Succeed())
		Expect(foreign.ResourceVersion).To(Equal(version))
	})

	It("says nothing in a namespace that is not the project's", func() {
		name := harness.Unique("project")
		foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		harness.Create(foreign)
		p := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}}
		harness.Create(p)
		user := newUser(v1alpha1.HeldRole{Role: "cluster-reader"})
		becomes(user, true, to("get", "projects", "", name))
		bindings := &rbacv1.RoleBindingList{}
		Expect(harness.K8s.List(harness.Ctx, bindings, client.InNamespace(name))).To(Succeed())
		Expect(bindings.Items).To(BeEmpty())
	})

	It("goes with the project", func() {
		user := newUser()
		p := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("project")}}
		harness.Create(p)
		harness.Reaches(p, func(g Gomega, p *v1alpha1.Project) {
			harness.ExpectCondition(g, p, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
		giveRole(p.Name, user, "project-admin")
		becomes(user, true, to("delete", "projects", "", p.Name))
		harness.Remove(p)
		for _, list := range []client.ObjectList{&rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}} {
			Eventually(func(g Gomega) {
				g.Expect(harness.K8s.List(harness.Ctx, list, client.MatchingLabels{v1alpha1.LabelProject: p.Name})).To(Succeed())
				switch list := list.(type) {
				case *rbacv1.ClusterRoleList:
					g.Expect(list.Items).To(BeEmpty())
				case *rbacv1.ClusterRoleBindingList:
					g.Expect(list.Items).To(BeEmpty())
				}
			}).Should(Succeed())
		}
		becomes(user, false, to("get", "projects", "", p.Name))
	})

	It("is not written when nothing changes", func() {
		project, user := newProject("acme"), newUser(v1alpha1.HeldRole{Role: "organization-reader", Organization: "acme"})
		given := giveRole(project, user, "project-writer")
		becomes(user, true, to("create", "jobs", project, ""))
		versions := func() map[string]string {
			found := map[string]string{}
			for _, list := range []client.ObjectList{&rbacv1.RoleBindingList{}, &rbacv1.RoleList{}, &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}} {
				Expect(harness.K8s.List(harness.Ctx, list, client.HasLabels{v1alpha1.LabelAccess})).To(Succeed())
				each(list, func(o client.Object) {
					found[o.GetNamespace()+"/"+o.GetName()+string(o.GetUID())] = o.GetResourceVersion()
				})
			}
			return found
		}
		u := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: user}}
		harness.Reaches(given, func(g Gomega, given *v1alpha1.Grant) {
			harness.ExpectCondition(g, given, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
		harness.Reaches(u, func(g Gomega, u *v1alpha1.User) {
			harness.ExpectCondition(g, u, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
		before := versions()
		// A sign-in changes nobody's rights.
		now := metav1.Now()
		u.Status.LastSignIn = &now
		Expect(harness.K8s.Status().Update(harness.Ctx, u)).To(Succeed())
		harness.Stays(given)
		harness.Stays(u)
		Expect(versions()).To(Equal(before))
	})
})
