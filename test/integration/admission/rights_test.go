package admission

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

// refuses expects a refusal that says all of the texts.
func refuses(texts ...string) types.GomegaMatcher {
	all := []types.GomegaMatcher{HaveOccurred()}
	for _, text := range texts {
		all = append(all, MatchError(ContainSubstring(text)))
	}
	return And(all...)
}

// tries is the error with which a user would make an object.
func tries(username string, o client.Object) error {
	GinkgoHelper()
	return as(username).Create(harness.Ctx, o, client.DryRunAll)
}

var bob = v1alpha1.Grantee{User: "bob"}

// withPages is a cluster that says where people see pages of jobs.
func withPages() *v1alpha1.Cluster {
	return &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Spec: v1alpha1.ClusterSpec{JobPages: &v1alpha1.JobPages{
		Domain: "jobs.example.org", IngressClassName: "traefik", Annotations: map[string]v1alpha1.AnnotationValue{"example.org/ask": "soma"},
	}}}
}

var _ = DescribeTable("Nobody gives what they may not give",
	func(username string, o client.Object, want types.GomegaMatcher) {
		Expect(tries(username, o)).To(want)
	},
	Entry("a grant of what one manages", "soma:carol", grant("vision", "new", bob, "read job:train"), Succeed()),
	Entry("a grant of a role that one may give", "soma:carol", grant("vision", "new", bob, "writer"), Succeed()),
	Entry("a grant of what one only writes", "soma:dave", grant("vision", "new", bob, "read job:train"), refuses("you lack manage on job://*/acme/vision/train")),
	Entry("a grant of what does not exist and one does not manage", "soma:dave", grant("vision", "new", bob, "read job:gone"), refuses("you lack manage on job://*/acme/vision/gone")),
	Entry("a grant of a job that does not exist", "soma:carol", grant("vision", "new", bob, "read job:gone"), refuses(`spec.uri: there is no job "gone" in project "vision"`)),
	Entry("a grant of a secret", "soma:carol", grant("vision", "new", bob, "read secret:s3"), Succeed()),
	Entry("a grant of a secret that does not exist", "soma:carol", grant("vision", "new", bob, "read secret://local/acme/vision/gone"), refuses(`there is no secret "gone"`)),
	Entry("a grant of a disk", "soma:alice", grant("vision", "new", bob, "read disk:data"), refuses("you lack manage on disk://")),
	Entry("a grant of a disk where there are none", "kubernetes-admin", grant("vision", "new", bob, "read disk:data"), refuses(`there is no disk "data" in project "vision"`)),
	Entry("a grant of a folder, of which nobody here can tell", "kubernetes-admin", grant("vision", "new", bob, "read storage:data/a"), Succeed()),
	Entry("a grant of another project", "soma:alice", grant("vision", "new", bob, "read job://local/acme/robots/x"), refuses("spec.uri", "not in this project")),
	Entry("a grant in another project", "soma:carol", grant("robots", "new", bob, "read job:"), refuses("you lack manage on job://*/acme/robots")),
	Entry("a grant to nobody", "soma:carol", grant("vision", "new", v1alpha1.Grantee{User: "eve"}, "read job:train"), refuses(`spec.to.user: there is no user "eve"`)),
	Entry("a grant in no project", "kubernetes-admin", grant("default", "new", bob, "read job:"), refuses(`there is no project "default"`)),
	Entry("a role that one may not see", "soma:carol", grant("vision", "new", bob, "root"), refuses(`spec.role: there is no role "root" that you may give`)),
	Entry("a role that does not exist", "soma:carol", grant("vision", "new", bob, "gone"), refuses(`spec.role: there is no role "gone" that you may give`)),
	Entry("as nobody", "soma:eve", grant("vision", "new", bob, "read job:train"), refuses(`there is no user "eve"`)),
	Entry("an identity's user", "https://id.example.org#carol", grant("vision", "new", bob, "read job:train"), Succeed()),
	Entry("a role of what one lacks", "soma:greta", role("new", nil, "read job:"), refuses("you lack manage on job://")),
	Entry("a role that includes what is granted to another", "soma:greta", role("new", []string{"team"}), refuses("you lack manage on job://*/acme/robots")),
	Entry("a role with a circle", "soma:alice", role("new", []string{"gone"}), refuses(`spec.includes[0]: there is no role "gone"`)),
	Entry("a user", "soma:frank", person("new"), Succeed()),
	Entry("a user by who may not", "soma:carol", person("new"), refuses("you lack write on user://")),
	Entry("a user with a role that one lacks", "soma:frank", person("new", "root"), refuses(`spec.roles[0].role: there is no role "root" that you may give`)),
	Entry("a user with one's identity", "soma:frank", &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "new"},
		Spec: v1alpha1.UserSpec{Identities: []v1alpha1.Identity{identity("alice")}}}, refuses(`is user "alice" already`)),
	Entry("one's own service account", "soma:bob", service("new", "bob"), Succeed()),
	Entry("another's service account", "soma:bob", service("new", "alice"), refuses("you lack write on user://")),
	Entry("a project of one's organization", "soma:erin", &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Spec: v1alpha1.ProjectSpec{Organization: "acme"}}, Succeed()),
	Entry("a project of another", "soma:erin", &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "new"}}, refuses("you lack manage on project://local/default/new")),
	Entry("a project with a quota of others", "soma:erin", &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "new"},
		Spec: v1alpha1.ProjectSpec{Organization: "acme", Quota: "large"}}, refuses("you lack write on quota://large: spec.quota")),
	Entry("a cluster with pages of jobs", "soma:alice", withPages(), Succeed()),
	Entry("a cluster with pages of jobs by who does not manage it", "soma:carol", withPages(), refuses("you lack manage on cluster://new: spec.jobPages")),
	Entry("what an owner would take along", "soma:carol", func() client.Object {
		g := grant("vision", "new", bob, "read job:train")
		g.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}}
		return g
	}(), refuses("metadata.ownerReferences")),
)

var _ = Describe("A role", func() {
	It("does not get into a circle", func() {
		first := made(role("circle-a", nil))
		made(role("circle-b", []string{"circle-a"}))
		Expect(changed(as("soma:alice"), first, func(r *v1alpha1.Role) { r.Spec.Includes = []string{"circle-b"} })).To(
			refuses("spec.includes: the roles would include each other in a circle: circle-a → circle-b → circle-a"))
	})

	It("is changed as far as one may give what is added", func() {
		r := made(role("growing", nil, "read user://"))
		greta := as("soma:greta")
		Expect(changed(greta, r, func(r *v1alpha1.Role) { r.Spec.Grants = permissions("list user://") })).To(Succeed())
		Expect(changed(greta, r, func(r *v1alpha1.Role) { r.Spec.Grants = permissions("write user://") })).To(refuses("you lack manage on user://"))
		Expect(changed(greta, r, func(r *v1alpha1.Role) { r.Labels = map[string]string{"a": "b"} })).To(Succeed())
	})
})

var _ = Describe("A role that is in use", func() {
	It("is deleted by who manages it", func() {
		gone := func(username, name string) error {
			return as(username).Delete(harness.Ctx, role(name, nil), client.DryRunAll)
		}
		Expect(gone("soma:greta", "reader")).To(refuses("you lack manage on role://reader"))
		Expect(gone("soma:alice", "reader")).To(Succeed())
		Expect(gone("kubernetes-admin", "reader")).To(Succeed())
		made(role("unused", nil))
		Expect(gone("soma:greta", "unused")).To(Succeed())
	})
})

var _ = Describe("A grant", func() {
	It("says who made it, whatever it says itself", func() {
		g := grant("vision", "recorded", bob, "read job:train")
		g.Spec.GrantedBy = "mallory"
		carol := as("soma:carol")
		Expect(carol.Create(harness.Ctx, g)).To(Succeed())
		DeferCleanup(func() { harness.Remove(g) })
		Expect(g.Spec.GrantedBy).To(Equal("carol"))
		Expect(changed(carol, g, func(g *v1alpha1.Grant) { g.Spec.GrantedBy = "mallory" })).To(refuses("spec.grantedBy", "cannot be changed"))
		Expect(changed(carol, g, func(g *v1alpha1.Grant) { g.Spec.GrantedBy = "" })).To(Succeed(), "it stays as it is")
		Expect(changed(carol, g, func(g *v1alpha1.Grant) { g.Spec.To = v1alpha1.Grantee{User: "dave"} })).To(refuses("spec.to", "make another one"))
		Expect(changed(carol, g, func(g *v1alpha1.Grant) { g.Spec.Action = v1alpha1.ActionWrite })).To(refuses("spec", "make another one"))
		soon := metav1.NewTime(time.Now().Add(time.Hour))
		Expect(changed(carol, g, func(g *v1alpha1.Grant) { g.Spec.ExpiresAt = &soon })).To(Succeed())
		Expect(changed(as("soma:dave"), g, func(g *v1alpha1.Grant) { g.Spec.ExpiresAt = &soon })).To(refuses("you lack manage on"))
		Expect(changed(carol, g, func(g *v1alpha1.Grant) { g.Spec.ExpiresAt = ptr.To(metav1.NewTime(time.Unix(0, 0))) })).To(refuses("spec.expiresAt"))
	})

	It("is revoked by who gave it, has it or could give it", func() {
		g := made(grant("vision", "revoked", bob, "read job:train"))
		for username, want := range map[string]types.GomegaMatcher{
			"soma:bob": Succeed(), "soma:carol": Succeed(), "kubernetes-admin": Succeed(), "soma:dave": refuses("you lack manage on"),
		} {
			Expect(as(username).Delete(harness.Ctx, g, client.DryRunAll)).To(want, username)
		}
	})

	It("by somebody who is no user of Soma's needs the verb escalate", func() {
		binding := func(name string, rules ...rbacv1.PolicyRule) {
			made(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules})
			made(&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
				RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
				Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "argocd"}}})
		}
		config := rest.CopyConfig(harness.Server.Config)
		config.Impersonate = rest.ImpersonationConfig{UserName: "argocd"}
		argocd, err := client.New(config, client.Options{Scheme: harness.Server.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		binding("makes-grants", rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"grants", "roles"}, Verbs: []string{"create"}})
		makes := func(o client.Object) func() error {
			return func() error { return argocd.Create(harness.Ctx, o, client.DryRunAll) }
		}
		Eventually(makes(grant("vision", "new", bob, "writer"))).Should(refuses(`"argocd" is no user of Soma's`, `the verb "escalate" on grants`))
		Expect(makes(role("new", nil))()).To(Succeed(), "it gives nothing")
		Expect(makes(role("new", nil, "read job:"))()).To(refuses(`the verb "escalate" on roles`))
		shipped := role("new", []string{"gone"}, "read job:")
		shipped.Labels = map[string]string{"app.kubernetes.io/part-of": "soma"}
		Expect(makes(shipped)()).To(refuses(`there is no role "gone"`), "a label alone makes nothing part of Soma")
		Expect(harness.K8s.Create(harness.Ctx, shipped, client.DryRunAll)).To(Succeed(), "it is installed before the manager runs")
		binding("escalates", rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"grants"}, Verbs: []string{"escalate"}})
		Eventually(makes(grant("vision", "new", bob, "writer"))).Should(Succeed())
		Expect(makes(role("new", nil, "read job:"))()).To(refuses(`the verb "escalate" on roles`))
	})
})

var _ = Describe("A user", func() {
	It("is not taken over by who may change users", func() {
		victim := made(person("victim", "root"))
		frank := as("soma:frank")
		for what, change := range map[string]func(*v1alpha1.User){
			"an identity":      func(u *v1alpha1.User) { u.Spec.Identities = append(u.Spec.Identities, identity("eve")) },
			"a delegate":       func(u *v1alpha1.User) { u.Spec.Delegates = []string{"bob"} },
			"ended sessions":   func(u *v1alpha1.User) { u.Spec.NotBefore = ptr.To(metav1.Now()) },
			"another identity": func(u *v1alpha1.User) { u.Spec.Identities = []v1alpha1.Identity{identity("eve")}; u.Spec.Roles = nil },
		} {
			Expect(changed(frank, victim, change)).To(refuses("you lack manage on"), what)
		}
		fresh := made(person("fresh"))
		Expect(changed(frank, fresh, func(u *v1alpha1.User) { u.Spec.Identities = append(u.Spec.Identities, identity("eve")) })).To(
			refuses("you lack manage on user://fresh"), "it would be theirs as well what is given later")
		Expect(changed(frank, victim, func(u *v1alpha1.User) { u.Spec.Disabled = ptr.To(true) })).To(Succeed())
		Expect(changed(as("soma:victim"), victim, func(u *v1alpha1.User) { u.Spec.Delegates = []string{"bob"} })).To(Succeed(), "it is theirs to say")
	})

	It("who is disabled does nothing, and is not enabled by who lacks their rights", func() {
		u := person("asleep", "reader")
		u.Spec.Disabled = ptr.To(true)
		made(u)
		Expect(tries("soma:asleep", service("new", "asleep"))).To(refuses(`there is no user "asleep" who is not disabled`))
		Expect(changed(as("soma:frank"), u, func(u *v1alpha1.User) { u.Spec.Disabled = nil })).To(refuses("you lack manage on job://"))
	})

	It("that is a service account gets tokens from its owner, for a year at most", func() {
		bot := service("bot", "bob")
		Expect(as("soma:bob").Create(harness.Ctx, bot)).To(Succeed())
		DeferCleanup(func() { harness.Remove(bot) })
		token := func(ends time.Duration, scope ...string) func(*v1alpha1.User) {
			return func(u *v1alpha1.User) {
				u.Spec.Tokens = []v1alpha1.Token{{ID: "a", Hash: hash, ExpiresAt: metav1.NewTime(time.Now().Add(ends)), Scope: permissions(scope...)}}
			}
		}
		Expect(changed(as("soma:bob"), bot, token(time.Hour, "read job://local/acme/vision"))).To(Succeed())
		Expect(changed(as("soma:bob"), bot, token(367*24*time.Hour))).To(refuses("spec.tokens[0].expiresAt", "within a year"))
		Expect(changed(as("soma:bob"), bot, token(-time.Hour))).To(refuses("spec.tokens[0].expiresAt"))
		Expect(changed(as("soma:bob"), bot, token(time.Hour, "read job:train"))).To(refuses("spec.tokens[0].scope[0].uri", "relative"))
	})
})

const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var _ = Describe("A project", func() {
	It("is held by what stands for it, and not given an owner by whom it would be deleted", func() {
		p := &v1alpha1.Project{}
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKey{Name: "vision"}, p)).To(Succeed())
		before := p.DeepCopy()
		p.Finalizers = []string{v1alpha1.FinalizerHistory}
		Expect(harness.K8s.Patch(harness.Ctx, p, client.MergeFrom(before))).To(Succeed())
		carol := as("soma:carol")
		Expect(changed(carol, p, func(p *v1alpha1.Project) { p.Finalizers = nil })).To(refuses("metadata.finalizers"))
		Expect(changed(carol, p, func(p *v1alpha1.Project) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}}
		})).To(refuses("metadata.ownerReferences"))
		Expect(changed(carol, p, func(p *v1alpha1.Project) { p.Spec.Description = "ours" })).To(Succeed())
		Expect(changed(carol, p, func(p *v1alpha1.Project) { p.Spec.Quota = "large" })).To(refuses("you lack write on quota://large"))
		Expect(carol.Delete(harness.Ctx, p, client.DryRunAll)).To(refuses("you lack manage on project://local/acme/vision"))
		Expect(as("soma:erin").Delete(harness.Ctx, p, client.DryRunAll)).To(Succeed())
	})
})

var _ = Describe("A job", func() {
	uses := func(job *v1alpha1.Job, secret string) *v1alpha1.Job {
		job.Spec.Env = []v1alpha1.EnvVar{{Name: "KEY", Secret: &v1alpha1.SecretKey{Name: secret, Key: "key"}}}
		return job
	}

	It("uses the secrets that its submitter may read", func() {
		Expect(tries("soma:dave", uses(harness.NewJob("vision", "new"), "s3"))).To(Succeed())
		Expect(tries("soma:dave", uses(harness.NewJob("vision", "new"), "not-there"))).To(Succeed(), "it waits for it")
		sharing := made(grant("vision", "sharing", bob, "write job:"))
		for _, secret := range []string{"s3", "not-there"} {
			Expect(tries("soma:bob", uses(harness.NewJob("vision", "new"), secret))).To(refuses("you lack read on secret://local/acme/vision/" + secret))
		}
		pulls := harness.NewJob("vision", "new")
		pulls.Spec.ImagePullSecret = "s3"
		Expect(tries("soma:bob", pulls)).To(refuses("you lack read on secret://local/acme/vision/s3"))
		mounts := harness.NewJob("vision", "new")
		mounts.Spec.Volumes = []v1alpha1.Volume{{MountPath: "/keys", Secret: &v1alpha1.SecretVolume{Name: "s3"}}}
		Expect(tries("soma:bob", mounts)).To(refuses("you lack read on secret://local/acme/vision/s3"))
		Expect(tries("soma:bob", harness.NewJob("vision", "new"))).To(Succeed(), "without secrets")
		Expect(sharing.Spec.GrantedBy).NotTo(BeEmpty())
	})

	It("of somebody who is no user of Soma's uses the secrets that Kubernetes lets them get", func() {
		made(&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "runs"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"jobs"}, Verbs: []string{"create"}},
			{APIGroups: []string{corev1.GroupName}, Resources: []string{"secrets"}, ResourceNames: []string{"s3"}, Verbs: []string{"get"}},
		}})
		made(&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "runs"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "runs"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "runner"}}})
		config := rest.CopyConfig(harness.Server.Config)
		config.Impersonate = rest.ImpersonationConfig{UserName: "runner"}
		runner, err := client.New(config, client.Options{Scheme: harness.Server.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() error {
			return runner.Create(harness.Ctx, uses(harness.NewJob("vision", "new"), "s3"), client.DryRunAll)
		}).Should(Succeed())
		Expect(runner.Create(harness.Ctx, uses(harness.NewJob("vision", "new"), "other"), client.DryRunAll)).To(
			refuses(`"runner" may not get the secret "other"`))
	})

	It("is submitted on behalf of who lets one, and says so", func() {
		runner := made(service("runner", "bob"))
		as := as("soma:runner")
		job := harness.NewJob("vision", "behalf")
		job.Spec.SubmittedBy, job.Spec.SubmittedThrough = "dave", "mallory"
		Expect(as.Create(harness.Ctx, job, client.DryRunAll)).To(Succeed())
		Expect(job.Spec.SubmittedBy).To(Equal("runner"), "dave has not said so yet")
		Expect(job.Spec.SubmittedThrough).To(BeEmpty())

		dave := &v1alpha1.User{}
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKey{Name: "dave"}, dave)).To(Succeed())
		before := dave.DeepCopy()
		dave.Spec.Delegates = []string{runner.Name}
		Expect(harness.K8s.Patch(harness.Ctx, dave, client.MergeFrom(before))).To(Succeed())
		DeferCleanup(func() {
			before := dave.DeepCopy()
			dave.Spec.Delegates = nil
			Expect(harness.K8s.Patch(harness.Ctx, dave, client.MergeFrom(before))).To(Succeed())
		})
		Eventually(func(g Gomega) {
			job = uses(harness.NewJob("vision", "behalf"), "s3")
			job.Spec.SubmittedBy = "dave"
			g.Expect(as.Create(harness.Ctx, job, client.DryRunAll)).To(Succeed())
		}).Should(Succeed(), "dave may read the secret")
		job = harness.NewJob("vision", "behalf")
		job.Spec.SubmittedBy = "dave"
		Expect(as.Create(harness.Ctx, job)).To(Succeed())
		DeferCleanup(func() { harness.Remove(job) })
		Expect([]string{job.Spec.SubmittedBy, job.Spec.SubmittedThrough}).To(Equal([]string{"dave", "runner"}))
		Expect(changed(as, job, func(j *v1alpha1.Job) { j.Spec.SubmittedThrough = "mallory" })).To(refuses("submittedThrough", "cannot be changed"))
		Expect(changed(as, job, func(j *v1alpha1.Job) { j.Spec.SubmittedThrough, j.Spec.Description = "", "again" })).To(Succeed(), "it stays")

		elsewhere := harness.NewJob("robots", "behalf")
		elsewhere.Spec.SubmittedBy = "dave"
		Expect(as.Create(harness.Ctx, elsewhere, client.DryRunAll)).To(Succeed())
		Expect(elsewhere.Spec.SubmittedBy).To(Equal("runner"), "dave runs no jobs there")
	})
})

var _ = Describe("What is refused", func() {
	It("has the codes of the API server", func() {
		Expect(tries("soma:dave", grant("vision", "new", bob, "read job:train"))).To(Satisfy(apierrors.IsForbidden))
		Expect(tries("soma:carol", grant("vision", "new", bob, "read job:gone"))).To(Satisfy(apierrors.IsInvalid))
	})
})
