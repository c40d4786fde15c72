package access

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func role(name string, includes []string, permissions ...string) *v1alpha1.Role {
	r := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RoleSpec{Includes: includes}}
	for _, permission := range permissions {
		action, uri, _ := strings.Cut(permission, " ")
		r.Spec.Grants = append(r.Spec.Grants, v1alpha1.Permission{URI: v1alpha1.Address(uri), Action: v1alpha1.Action(action)})
	}
	return r
}

func user(name string, change func(*v1alpha1.User)) *v1alpha1.User {
	u := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.UserSpec{Type: v1alpha1.UserPerson}}
	if change != nil {
		change(u)
	}
	return u
}

func holds(roles ...v1alpha1.HeldRole) func(*v1alpha1.User) {
	return func(u *v1alpha1.User) { u.Spec.Roles = roles }
}

func grant(project, name string, spec v1alpha1.GrantSpec) *v1alpha1.Grant {
	return &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name, CreationTimestamp: metav1.NewTime(noon)}, Spec: spec}
}

// company is a directory with one of everything.
func company() *Directory {
	d := NewDirectory()
	for _, r := range []*v1alpha1.Role{
		role(EveryoneRole, nil, "read cluster://"),
		role("reader", nil, "read job:", "read project:", "list secret:"),
		role("writer", []string{"reader"}, "write job:", "write secret:"),
		role("manager", []string{"writer"}, "manage job:", "write project:", "manage secret:"),
		role("admin", []string{"manager"}, "manage project:"),
		role("auditors", nil),
		role("root", []string{"admin"}, "manage cluster://", "manage user://", "manage role://", "manage quota://"),
		role("circle-a", []string{"circle-b"}, "read image:"),
		role("circle-b", []string{"circle-a"}, "read blob:"),
		role("reaching", nil, "manage job://local/acme", "manage role://"),
	} {
		d.SetRole(r.Name, r)
	}
	d.SetProject("vision", &ProjectFacts{Organization: "acme", Quotas: []string{"vision", "acme"}})
	d.SetProject("robots", &ProjectFacts{Organization: "acme"})
	d.SetProject("loner", &ProjectFacts{})
	for _, u := range []*v1alpha1.User{
		user("root", holds(v1alpha1.HeldRole{Role: "root"})),
		user("carol", holds(v1alpha1.HeldRole{Role: "manager", Organization: "acme"})),
		user("dave", nil),
		user("bob", func(u *v1alpha1.User) { u.Status.Groups = []string{"ml"} }),
		user("ann", holds(v1alpha1.HeldRole{Role: "auditors"})),
		user("eve", func(u *v1alpha1.User) {
			u.Spec.Disabled = new(true)
			u.Spec.Roles = []v1alpha1.HeldRole{{Role: "root"}}
		}),
		user("ci", func(u *v1alpha1.User) { u.Spec.Type, u.Spec.Owner = v1alpha1.UserServiceAccount, "dave" }),
		user("evil-ci", func(u *v1alpha1.User) { u.Spec.Type, u.Spec.Owner = v1alpha1.UserServiceAccount, "eve" }),
		user("round", holds(v1alpha1.HeldRole{Role: "circle-a"})),
	} {
		d.SetUser(u.Name, u)
	}
	later, before := metav1.NewTime(noon.Add(time.Hour)), metav1.NewTime(noon)
	for _, g := range []*v1alpha1.Grant{
		grant("vision", "bob-train", v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: "bob"}, URI: "job:train", Action: v1alpha1.ActionRead, GrantedBy: "carol"}),
		grant("vision", "dave", v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: "dave"}, Role: "writer", GrantedBy: "carol", ExpiresAt: &later}),
		grant("vision", "was", v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: "bob"}, Role: "admin", ExpiresAt: &before}),
		grant("robots", "ml", v1alpha1.GrantSpec{To: v1alpha1.Grantee{Group: "ml"}, Role: "reader"}),
		grant("robots", "auditors", v1alpha1.GrantSpec{To: v1alpha1.Grantee{Role: "auditors"}, Role: "reader"}),
		grant("robots", "ci", v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: "ci"}, Role: "writer"}),
		grant("robots", "evil-ci", v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: "evil-ci"}, Role: "writer"}),
		grant("loner", "reaching", v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: "dave"}, Role: "reaching"}),
		grant("nowhere", "dave", v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: "dave"}, Role: "admin"}),
	} {
		d.SetGrant(g.Namespace, g.Name, g)
	}
	return d
}

func TestWhoMayDoWhat(t *testing.T) {
	d := company()
	tests := []struct {
		user, address string
		want          Level
		why           string
	}{
		{"root", "job://east/default/loner/x", Manage, "user root has role root, which includes admin, which includes manager"},
		{"root", "user://bob", Manage, "user root has role root"},
		{"carol", "job://local/acme/vision/train", Manage, "user carol has role manager in organization acme"},
		{"carol", "job://local/default/loner", None, ""},
		{"carol", "quota://acme", Read, "they may do something in project vision"},
		{"dave", "job://local/acme/vision", Write, "role writer was granted by carol on 2026-11-02, until 2026-11-02T13:00:00Z (grant dave in project vision)"},
		{"dave", "secret://local/acme/vision/key", Write, "role writer"},
		{"dave", "job://local/acme/robots", None, ""},
		{"dave", "user://dave", Read, "themselves"},
		{"dave", "user://ci", Manage, "the service account is theirs"},
		// A role that names more than the project it is granted in gives no more than that.
		{"dave", "job://local/default/loner", None, ""},
		{"dave", "role://x", None, ""},
		{"bob", "job://local/acme/vision/train", Read, "read on job:train was granted by carol"},
		{"bob", "job://local/acme/vision/other", None, ""},
		{"bob", "project://local/acme/vision", List, ""},
		{"bob", "quota://vision", None, ""}, // a single job is not what the project has to use
		{"dave", "quota://vision", Read, "project vision"},
		{"bob", "job://local/acme/robots", Read, "role reader, of group ml, was granted"},
		{"bob", "secret://local/acme/robots", List, ""},
		{"bob", "cluster://east", Read, "everybody has role everyone"},
		{"ann", "job://local/acme/robots", Read, "of all who have role auditors"},
		{"ann", "role://auditors", Read, "roles that they hold"},
		{"ann", "role://root", None, ""},
		{"eve", "cluster://east", None, ""},
		{"ci", "job://local/acme/robots", Write, "role writer"},
		{"evil-ci", "job://local/acme/robots", None, ""}, // its owner is disabled
		{"round", "blob://x", Read, "role circle-a, which includes circle-b"},
		{"nobody", "cluster://east", None, ""},
	}
	for _, tc := range tests {
		tree := d.Tree(tc.user, noon)
		target := right(t, tc.address, None).Target
		if got := tree.Level(target); got != tc.want {
			t.Errorf("%s on %s: %d, want %d", tc.user, tc.address, got, tc.want)
		}
		if tc.why == "" {
			continue
		}
		because := tree.Explain(target, tc.want)
		if len(because) == 0 || !strings.Contains(because[0].String(), tc.why) {
			t.Errorf("%s on %s because %v; want %q", tc.user, tc.address, because, tc.why)
		}
	}
}

// whoCan are the users who may do something at a time, in order.
func whoCan(d *Directory, target Target, level Level, now time.Time) []string {
	return slices.DeleteFunc(d.Users(), func(name string) bool { return !d.Tree(name, now).Allows(target, level) })
}

func TestWhoCan(t *testing.T) {
	d := company()
	tests := map[string][]string{
		"job://local/acme/vision/train": {"bob", "carol", "dave", "root"},
		"job://local/acme/robots":       {"ann", "bob", "carol", "ci", "root"},
		"cluster://east":                {"ann", "bob", "carol", "ci", "dave", "root", "round"},
	}
	for address, want := range tests {
		if got := whoCan(d, right(t, address, None).Target, Read, noon); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	if got := whoCan(d, right(t, "job://local/acme/vision/train", None).Target, Read, noon.Add(time.Hour)); !slices.Equal(got, []string{"bob", "carol", "root"}) {
		t.Errorf("after a grant ended: %v", got)
	}
}

// Nobody passes on what they do not manage, by whatever object.
func TestPassing(t *testing.T) {
	d := company()
	carol, dave := d.Tree("carol", noon), d.Tree("dave", noon)
	grants := map[string]struct {
		spec        v1alpha1.GrantSpec
		project     string
		carol, dave bool
	}{
		"a job":                  {v1alpha1.GrantSpec{URI: "job:train", Action: v1alpha1.ActionManage}, "vision", true, false},
		"a role of writers":      {v1alpha1.GrantSpec{Role: "writer"}, "vision", true, false},
		"a role of managers":     {v1alpha1.GrantSpec{Role: "manager"}, "vision", true, false},
		"a role of admins":       {v1alpha1.GrantSpec{Role: "admin"}, "vision", false, false},
		"elsewhere":              {v1alpha1.GrantSpec{Role: "reader"}, "loner", false, false},
		"data":                   {v1alpha1.GrantSpec{URI: "storage:x", Action: v1alpha1.ActionRead}, "vision", false, false},
		"what the role reaches":  {v1alpha1.GrantSpec{Role: "reaching"}, "vision", true, false},
		"the project to be seen": {v1alpha1.GrantSpec{URI: "project:", Action: v1alpha1.ActionRead}, "vision", true, false},
		"the project's end":      {v1alpha1.GrantSpec{URI: "project:", Action: v1alpha1.ActionManage}, "vision", false, false},
	}
	for name, tc := range grants {
		rights := d.GivenBy(grant(tc.project, "new", tc.spec))
		if len(rights) == 0 {
			t.Errorf("%s: the grant gives nothing", name)
		}
		if got := len(carol.Unpassable(rights)) == 0; got != tc.carol {
			t.Errorf("%s: carol may %t, want %t", name, got, tc.carol)
		}
		if got := len(dave.Unpassable(rights)) == 0; got != tc.dave {
			t.Errorf("%s: dave may %t, want %t", name, got, tc.dave)
		}
	}
	root := d.Tree("root", noon)
	for _, r := range []*v1alpha1.Role{role("new", nil, "read job:"), role("new", []string{"reader"}), role("new", nil, "read job://local/default")} {
		if len(carol.Unpassable(d.Added(role("new", nil), r, noon))) == 0 {
			t.Errorf("carol may make the role %+v", r.Spec)
		}
		if left := root.Unpassable(d.Added(role("new", nil), r, noon)); len(left) > 0 {
			t.Errorf("root may not make the role %+v: %v", r.Spec, left)
		}
	}
}

func TestCircle(t *testing.T) {
	d := company()
	tests := map[string]struct {
		role *v1alpha1.Role
		want []string
	}{
		"none":             {role("new", []string{"admin", "writer"}), nil},
		"itself":           {role("new", []string{"new"}), []string{"new", "new"}},
		"over others":      {role("reader", []string{"admin"}), []string{"reader", "admin", "manager", "writer", "reader"}},
		"beside a circle":  {role("new", []string{"circle-a"}), nil},
		"with the missing": {role("new", []string{"missing"}), nil},
	}
	for name, tc := range tests {
		if got := d.Circle(tc.role); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// Several users with one identity are nobody: no one comes to be another by claiming to be them.
func TestIdentities(t *testing.T) {
	d := company()
	identity := v1alpha1.Identity{Issuer: "https://issuer", Subject: "7"}
	is := func(u *v1alpha1.User) { u.Spec.Identities = []v1alpha1.Identity{identity} }
	d.SetUser("bob", user("bob", is))
	if name, found := d.ByUsername("https://issuer#7"); !found || name != "bob" {
		t.Errorf("one claims it: %q, %t", name, found)
	}
	d.SetUser("mallory", user("mallory", is))
	if name, found := d.ByIdentity(identity); found {
		t.Errorf("two claim it: %q", name)
	}
	if subjects := d.Subjects("bob"); len(subjects) != 1 {
		t.Errorf("bob is still bound by an identity that two claim: %v", subjects)
	}
	d.SetUser("mallory", nil)
	if name, found := d.ByIdentity(identity); !found || name != "bob" {
		t.Errorf("one claims it again: %q, %t", name, found)
	}
	for username, want := range map[string]string{"soma:bob": "bob", "system:admin": "", "bob": "", "https://issuer": "", "https://issuer#8": ""} {
		if name, _ := d.ByUsername(username); name != want {
			t.Errorf("%s is %q, want %q", username, name, want)
		}
	}
}
