package access

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// person is a user to whom something is done.
func person(change func(*v1alpha1.User)) *v1alpha1.User {
	u := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "bob"}, Spec: v1alpha1.UserSpec{Type: v1alpha1.UserPerson}}
	if change != nil {
		change(u)
	}
	return u
}

func disabled(u *v1alpha1.User) { u.Spec.Disabled = new(true) }

func service(u *v1alpha1.User) { u.Spec.Type, u.Spec.Owner = v1alpha1.UserServiceAccount, "carol" }

func TestDeriveRole(t *testing.T) {
	tests := map[string]struct {
		found roleFacts
		want  string
	}{
		"nothing is wrong":    {want: v1alpha1.ReasonAvailable},
		"it lacks one":        {found: roleFacts{missing: []string{"reader"}}, want: v1alpha1.ReasonRoleNotFound},
		"it goes in a circle": {found: roleFacts{missing: []string{"reader"}, circle: []string{"a", "b", "a"}}, want: v1alpha1.ReasonRoleCircle},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { expect(t, deriveRole(test.found), test.want) })
	}
}

func TestDeriveUser(t *testing.T) {
	leaving := person(nil)
	leaving.DeletionTimestamp = &metav1.Time{Time: noon}
	tests := map[string]struct {
		user  *v1alpha1.User
		found userFacts
		want  string
	}{
		"nothing is wrong":                       {user: person(nil), want: v1alpha1.ReasonAvailable},
		"disabled":                               {user: person(disabled), want: v1alpha1.ReasonDisabled},
		"holds what does not exist":              {user: person(nil), found: userFacts{missing: []string{"reader"}}, want: v1alpha1.ReasonRoleNotFound},
		"shares an identity":                     {user: person(nil), found: userFacts{sharing: []string{"mallory"}, missing: []string{"reader"}}, want: v1alpha1.ReasonIdentityShared},
		"a service account":                      {user: person(service), found: userFacts{owner: person(nil)}, want: v1alpha1.ReasonAvailable},
		"a service account without owner":        {user: person(service), want: v1alpha1.ReasonOwnerInactive},
		"a service account of one who leaves":    {user: person(service), found: userFacts{owner: leaving}, want: v1alpha1.ReasonOwnerInactive},
		"a service account of one disabled":      {user: person(service), found: userFacts{owner: person(disabled)}, want: v1alpha1.ReasonOwnerInactive},
		"a service account of a service account": {user: person(service), found: userFacts{owner: person(service)}, want: v1alpha1.ReasonOwnerInactive},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { expect(t, deriveUser(test.user, test.found), test.want) })
	}
}

func TestDeriveGrant(t *testing.T) {
	good := grantFacts{inProject: true, userFound: true, roleFound: true, toRoleFound: true, gives: 1}
	but := func(change func(*grantFacts)) grantFacts {
		found := good
		change(&found)
		return found
	}
	tests := map[string]struct {
		ends  time.Time
		found grantFacts
		want  string
	}{
		"nothing is wrong":        {found: good, want: v1alpha1.ReasonAvailable},
		"it lasts":                {ends: noon.Add(time.Second), found: good, want: v1alpha1.ReasonAvailable},
		"it has ended":            {ends: noon, found: good, want: v1alpha1.ReasonExpired},
		"no project":              {found: but(func(f *grantFacts) { f.inProject = false }), want: v1alpha1.ReasonProjectNotFound},
		"no user":                 {found: but(func(f *grantFacts) { f.userFound = false }), want: v1alpha1.ReasonUserNotFound},
		"no role to give":         {found: but(func(f *grantFacts) { f.roleFound, f.gives = false, 0 }), want: v1alpha1.ReasonRoleNotFound},
		"no role to give it to":   {found: but(func(f *grantFacts) { f.toRoleFound = false }), want: v1alpha1.ReasonRoleNotFound},
		"nothing in this project": {found: but(func(f *grantFacts) { f.gives = 0 }), want: v1alpha1.ReasonGivesNothing},
		"no such job":             {found: but(func(f *grantFacts) { f.lacks = `job "train"` }), want: v1alpha1.ReasonThingNotFound},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			grant := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "one"}}
			if !test.ends.IsZero() {
				grant.Spec.ExpiresAt = &metav1.Time{Time: test.ends}
			}
			expect(t, deriveGrant(grant, test.found, noon), test.want)
		})
	}
}

func expect(t *testing.T, got verdict, want string) {
	t.Helper()
	healthy := want == v1alpha1.ReasonAvailable || want == v1alpha1.ReasonDisabled
	if got.reason != want || got.stalled == healthy || got.message == "" {
		t.Errorf("got %+v, want %s", got, want)
	}
}

func TestAgain(t *testing.T) {
	ends := func(after time.Duration) *v1alpha1.Grant {
		return &v1alpha1.Grant{Spec: v1alpha1.GrantSpec{ExpiresAt: &metav1.Time{Time: noon.Add(after)}}}
	}
	for name, test := range map[string]struct {
		grant  *v1alpha1.Grant
		untold bool
		want   time.Duration
	}{
		"it lasts":                      {grant: &v1alpha1.Grant{}, want: 0},
		"it ends soon":                  {grant: ends(time.Minute), want: time.Minute},
		"it ended":                      {grant: ends(-time.Hour), want: 23 * time.Hour},
		"nothing is told of its secret": {grant: &v1alpha1.Grant{}, untold: true, want: untoldInterval},
		"nothing is told of its secret, and it lasts": {grant: ends(time.Hour), untold: true, want: untoldInterval},
		"nothing is told of its secret, and it ends":  {grant: ends(time.Second), untold: true, want: time.Second},
	} {
		if got := again(test.grant, grantFacts{untold: test.untold}, noon); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision", UID: "p"}}
	project.Status.Namespace = &v1alpha1.ProjectNamespace{Name: "vision", UID: "n"}
	fresh := project.DeepCopy()
	fresh.Status.Namespace = nil
	namespace := func(uid string, owner *v1alpha1.Project, ends bool) *corev1.Namespace {
		n := &corev1.Namespace{}
		n.UID = "n"
		if uid != "" {
			n.SetUID("other")
		}
		if owner != nil {
			n.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, v1alpha1.GroupVersion.WithKind("Project"))}
		}
		if ends {
			n.DeletionTimestamp = &metav1.Time{Time: noon}
		}
		return n
	}
	other := project.DeepCopy()
	other.UID = "another"
	for name, test := range map[string]struct {
		project   *v1alpha1.Project
		namespace *corev1.Namespace
		want      place
	}{
		"its own":                        {project, namespace("", project, false), owned},
		"its own, which ends":            {project, namespace("", project, true), ending},
		"one that it has not noted yet":  {fresh, namespace("", project, false), nowhere},
		"one that was made again":        {project, namespace("other", project, false), nowhere},
		"one of a project of that name":  {project, namespace("", other, false), nowhere},
		"one that belongs to nobody":     {project, namespace("", nil, false), nowhere},
		"none":                           {project, nil, nowhere},
		"one without a project any more": {nil, namespace("", project, false), nowhere},
	} {
		if got := placeOf(test.project, test.namespace); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
