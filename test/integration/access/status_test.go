package access

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

// each calls a function for every object of a list.
func each(list client.ObjectList, do func(client.Object)) {
	GinkgoHelper()
	Expect(meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(client.Object)
		Expect(ok).To(BeTrue())
		do(object)
		return nil
	})).To(Succeed())
}

// stands waits until an object says that it is Ready, or else stalled, for a reason.
func stands[T harness.Object](o T, reason string) {
	GinkgoHelper()
	harness.Reaches(o, func(g Gomega, o T) {
		if reason == v1alpha1.ReasonAvailable {
			harness.ExpectCondition(g, o, v1alpha1.ConditionReady, "True", reason)
			return
		}
		harness.ExpectCondition(g, o, v1alpha1.ConditionReady, "False", reason)
		harness.ExpectCondition(g, o, v1alpha1.ConditionStalled, "True", reason)
	})
}

var _ = Describe("The status", func() {
	It("of a role says what it lacks, and whether it goes in a circle", func() {
		a, b := harness.Unique("role"), harness.Unique("role")
		one := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Name: a}, Spec: v1alpha1.RoleSpec{Includes: []string{b}}}
		harness.Create(one)
		stands(one, v1alpha1.ReasonRoleNotFound)
		two := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Name: b}, Spec: v1alpha1.RoleSpec{Includes: []string{a}}}
		harness.Create(two)
		stands(one, v1alpha1.ReasonRoleCircle)
		stands(two, v1alpha1.ReasonRoleCircle)
		two.Spec.Includes = []string{"project-reader"}
		Expect(harness.K8s.Update(harness.Ctx, two)).To(Succeed())
		stands(one, v1alpha1.ReasonAvailable)
		stands(two, v1alpha1.ReasonAvailable)
	})

	It("of a user says which role is not there, and whether who answers for them can", func() {
		role := harness.Unique("role")
		owner := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: newUser(v1alpha1.HeldRole{Role: role})}}
		stands(owner, v1alpha1.ReasonRoleNotFound)
		harness.Create(&v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Name: role}})
		stands(owner, v1alpha1.ReasonAvailable)
		service := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("service")}, Spec: v1alpha1.UserSpec{
			Type: v1alpha1.UserServiceAccount, Owner: owner.Name,
		}}
		harness.Create(service)
		stands(service, v1alpha1.ReasonAvailable)
		disabled := true
		owner.Spec.Disabled = &disabled
		Expect(harness.K8s.Update(harness.Ctx, owner)).To(Succeed())
		stands(service, v1alpha1.ReasonOwnerInactive)
	})

	It("of a grant says why it does not count", func() {
		project := newProject("acme")
		late := harness.Unique("user")
		toLate := giveRole(project, late, "project-reader")
		stands(toLate, v1alpha1.ReasonUserNotFound)
		harness.Create(&v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: late}})
		stands(toLate, v1alpha1.ReasonAvailable)

		role := harness.Unique("role")
		ofRole := grant(project, v1alpha1.GrantSpec{To: v1alpha1.Grantee{Group: "ml"}, Role: role})
		stands(ofRole, v1alpha1.ReasonRoleNotFound)
		empty := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Name: role}, Spec: v1alpha1.RoleSpec{
			Grants: []v1alpha1.Permission{{URI: "cluster://", Action: v1alpha1.ActionRead}},
		}}
		harness.Create(empty)
		stands(ofRole, v1alpha1.ReasonGivesNothing)
		stands(grant(project, v1alpha1.GrantSpec{To: v1alpha1.Grantee{Role: "nobody-has-it"}, Role: "project-reader"}), v1alpha1.ReasonRoleNotFound)
		stands(grant(project, v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: late}, URI: "job://local/acme/elsewhere", Action: v1alpha1.ActionRead}), v1alpha1.ReasonGivesNothing)

		ofJob := grant(project, v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: late}, URI: "job:train", Action: v1alpha1.ActionRead})
		stands(ofJob, v1alpha1.ReasonThingNotFound)
		harness.Create(harness.NewJob(project, "train"))
		stands(ofJob, v1alpha1.ReasonAvailable)
		stands(grant(project, v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: late}, URI: v1alpha1.Address("secret://local/acme/" + project + "/none"), Action: v1alpha1.ActionRead}), v1alpha1.ReasonThingNotFound)

		unmarked := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "mine"}}
		harness.Create(unmarked)
		stands(grant(project, v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: late}, URI: "secret:mine", Action: v1alpha1.ActionRead}), v1alpha1.ReasonAvailable)
		becomes(late, true, authorizationv1.ResourceAttributes{Verb: "get", Resource: "secrets", Namespace: project, Name: "mine"})

		stray := grant("default", v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: late}, Role: "project-reader"})
		stands(stray, v1alpha1.ReasonProjectNotFound)
	})
})

var _ = Describe("A grant", func() {
	It("is said to count when it is bound, and not before", func() {
		project, user := newProject(""), newUser()
		allow := refuseBindings(project)
		given := giveRole(project, user, "project-writer")
		harness.Reaches(given, func(g Gomega, given *v1alpha1.Grant) {
			harness.ExpectCondition(g, given, v1alpha1.ConditionReady, "False", v1alpha1.ReasonError)
			harness.ExpectCondition(g, given, v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonError)
		})
		allow()
		harness.Reaches(given, func(g Gomega, given *v1alpha1.Grant) {
			harness.ExpectCondition(g, given, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
		isBound(project, user, "writer")

		for range 20 {
			other := newUser()
			stands(giveRole(project, other, "project-reader"), v1alpha1.ReasonAvailable)
			isBound(project, other, "reader")
		}
	})
})

// refuseBindings has the API server refuse bindings in a project, until the function is called that it returns.
func refuseBindings(project string) (allow func()) {
	GinkgoHelper()
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: project}, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: project}},
			ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{rbacv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"rolebindings"}},
			}}},
		},
		Validations: []admissionv1.Validation{{Expression: "false", Message: "nothing is bound here"}},
	}}
	harness.Create(policy)
	use := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: project}, Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: project, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
	}}
	harness.Create(use)
	Eventually(func() error {
		try := binding(project)
		try.Name, try.RoleRef = "try", rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}
		return harness.K8s.Create(harness.Ctx, try, client.DryRunAll)
	}).Should(MatchError(ContainSubstring("nothing is bound here")))
	return func() {
		Expect(harness.K8s.Delete(harness.Ctx, use)).To(Succeed())
		Expect(harness.K8s.Delete(harness.Ctx, policy)).To(Succeed())
	}
}

// isBound expects that there is a binding of those who read or write a project, and a user in it.
func isBound(project, user, as string) {
	GinkgoHelper()
	there := binding(project)
	there.Name = "soma:project-" + as
	Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(there), there)).To(Succeed())
	Expect(there.Subjects).To(ContainElement(HaveField("Name", "soma:"+user)))
}

var _ = Describe("A user who is deleted", func() {
	It("leaves nothing to a later one of the name", func() {
		one, other := newProject(""), newProject("")
		user := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("user")}, Spec: v1alpha1.UserSpec{
			Roles: []v1alpha1.HeldRole{{Role: "cluster-reader"}},
		}}
		harness.Create(user)
		service := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("service")}, Spec: v1alpha1.UserSpec{
			Type: v1alpha1.UserServiceAccount, Owner: user.Name,
		}}
		harness.Create(service)
		boss := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("boss")}, Spec: v1alpha1.UserSpec{
			Delegates: []string{"before", user.Name},
		}}
		harness.Create(boss)
		given := []*v1alpha1.Grant{
			giveRole(one, user.Name, "project-writer"), giveRole(other, user.Name, "project-admin"), giveRole(other, service.Name, "project-reader"),
		}
		becomes(user.Name, true, to("create", "jobs", one, ""))
		becomes(user.Name, true, to("delete", "projects", "", other))
		becomes(service.Name, true, to("list", "jobs", other, ""))
		becomes(user.Name, true, to("list", "users", "", ""))
		Expect(harness.K8s.Delete(harness.Ctx, user)).To(Succeed())
		harness.Gone(user)
		for _, g := range given {
			Expect(client.IgnoreNotFound(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(g), g))).To(Succeed())
			Expect(g.DeletionTimestamp == nil && harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(g), g) == nil).To(BeFalse(), g.Name)
		}
		harness.Gone(service)
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(boss), boss)).To(Succeed())
		Expect(boss.Spec.Delegates).To(Equal([]string{"before"}))
		for _, list := range []client.ObjectList{&rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleBindingList{}} {
			Expect(harness.K8s.List(harness.Ctx, list, client.HasLabels{v1alpha1.LabelAccess})).To(Succeed())
			each(list, func(o client.Object) {
				subjects := []rbacv1.Subject{}
				switch o := o.(type) {
				case *rbacv1.RoleBinding:
					subjects = o.Subjects
				case *rbacv1.ClusterRoleBinding:
					subjects = o.Subjects
				}
				Expect(subjects).NotTo(ContainElement(HaveField("Name", "soma:"+user.Name)))
			})
		}
		later := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: user.Name}}
		harness.Create(later)
		stands(later, v1alpha1.ReasonAvailable)
		for _, no := range []string{one, other} {
			Expect(may(Default, user.Name, to("list", "jobs", no, ""))).To(BeFalse())
		}
	})
})
