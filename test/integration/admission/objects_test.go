package admission

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

func permissions(all ...string) []v1alpha1.Permission {
	var found []v1alpha1.Permission
	for _, permission := range all {
		action, uri, _ := strings.Cut(permission, " ")
		found = append(found, v1alpha1.Permission{URI: v1alpha1.Address(uri), Action: v1alpha1.Action(action)})
	}
	return found
}

func role(name string, includes []string, grants ...string) *v1alpha1.Role {
	return &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RoleSpec{Includes: includes, Grants: permissions(grants...)}}
}

func identity(subject string) v1alpha1.Identity {
	return v1alpha1.Identity{Issuer: "https://id.example.org", Subject: subject}
}

func person(name string, roles ...string) *v1alpha1.User {
	u := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.UserSpec{Identities: []v1alpha1.Identity{identity(name)}}}
	for _, held := range roles {
		name, organization, _ := strings.Cut(held, "@")
		u.Spec.Roles = append(u.Spec.Roles, v1alpha1.HeldRole{Role: name, Organization: organization})
	}
	return u
}

func service(name, owner string) *v1alpha1.User {
	return &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.UserSpec{Type: v1alpha1.UserServiceAccount, Owner: owner}}
}

func grant(project, name string, to v1alpha1.Grantee, gives string) *v1alpha1.Grant {
	g := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name}, Spec: v1alpha1.GrantSpec{To: to}}
	if action, uri, found := strings.Cut(gives, " "); found {
		g.Spec.URI, g.Spec.Action = v1alpha1.Address(uri), v1alpha1.Action(action)
	} else {
		g.Spec.Role = gives
	}
	return g
}

// made makes an object as an administrator, and removes it at the end of the spec.
func made[T client.Object](o T) T {
	GinkgoHelper()
	Expect(harness.K8s.Create(harness.Ctx, o)).To(Succeed())
	DeferCleanup(func() { harness.Remove(o) })
	return o
}

// changed is the error with which a user changes an object, which is as before afterwards.
func changed[T client.Object](c client.Client, o T, change func(T)) error {
	GinkgoHelper()
	before, ok := o.DeepCopyObject().(T)
	Expect(ok).To(BeTrue())
	after, ok := o.DeepCopyObject().(T)
	Expect(ok).To(BeTrue())
	change(after)
	return c.Patch(harness.Ctx, after, client.MergeFrom(before), client.DryRunAll)
}
