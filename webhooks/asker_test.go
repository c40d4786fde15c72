package webhooks

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// synced is an authority that knows that there is nobody.
func synced(t *testing.T) *authority.Authority {
	t.Helper()
	a := authority.New(clocktesting.NewFakeClock(noon))
	knows := make(chan struct{})
	var once sync.Once
	a.Listen(func(authority.Change) { once.Do(func() { close(knows) }) })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Start(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-knows
	return a
}

func roleOf(name string, includes []string, permissions ...string) *role {
	r := &role{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RoleSpec{Includes: includes}}
	for _, permission := range permissions {
		action, uri, _ := strings.Cut(permission, " ")
		r.Spec.Grants = append(r.Spec.Grants, v1alpha1.Permission{URI: v1alpha1.Address(uri), Action: v1alpha1.Action(action)})
	}
	return r
}

func person(name string, roles ...string) *user {
	u := &user{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.UserSpec{
		Type: v1alpha1.UserPerson, Identities: []v1alpha1.Identity{identityOf(name)},
	}}
	for _, held := range roles {
		name, organization, _ := strings.Cut(held, "@")
		u.Spec.Roles = append(u.Spec.Roles, v1alpha1.HeldRole{Role: name, Organization: organization})
	}
	return u
}

func identityOf(subject string) v1alpha1.Identity {
	return v1alpha1.Identity{Issuer: "https://id.example.org", Subject: subject}
}

func service(name, owner string, roles ...string) *user {
	u := person(name, roles...)
	u.Spec.Type, u.Spec.Owner, u.Spec.Identities = v1alpha1.UserServiceAccount, owner, nil
	return u
}

func with[T any](object *T, change func(*T)) *T {
	change(object)
	return object
}

func grantOf(project, name string, to v1alpha1.Grantee, gives string) *grant {
	g := &grant{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name}, Spec: v1alpha1.GrantSpec{To: to}}
	if action, uri, found := strings.Cut(gives, " "); found {
		g.Spec.URI, g.Spec.Action = v1alpha1.Address(uri), v1alpha1.Action(action)
	} else {
		g.Spec.Role = gives
	}
	return g
}

// company is a directory with one of everything. Alice manages all; carol manages the project vision, in which dave works; erin
// manages the organization acme; frank makes users, and greta roles.
func company() *access.Directory {
	d := access.NewDirectory()
	for _, r := range []*role{
		roleOf(access.EveryoneRole, nil, "read cluster://"),
		roleOf("reader", nil, "read job:", "read project:", "list secret:"),
		roleOf("writer", []string{"reader"}, "write job:", "write secret:"),
		roleOf("manager", []string{"writer"}, "manage job:", "write project:", "manage secret:"),
		roleOf("admin", []string{"manager"}, "manage project:"),
		roleOf("root", []string{"admin"}, "manage cluster://", "manage user://", "manage role://", "manage quota://"),
		roleOf("hr", nil, "write user://"),
		roleOf("role-maker", nil, "write role://"),
		roleOf("quota-user", nil, "write quota://small"),
		roleOf("team", nil),
		roleOf("broken", []string{"gone"}),
	} {
		d.SetRole(r.Name, r)
	}
	d.SetProject("vision", &access.ProjectFacts{Organization: "acme", Quotas: []string{"small"}})
	d.SetProject("robots", &access.ProjectFacts{Organization: "acme"})
	yes := true
	for _, u := range []*user{
		person("alice", "root"), person("bob"), person("carol"), person("dave", "team"), person("erin", "admin@acme", "quota-user"),
		person("frank", "hr"), person("greta", "role-maker"),
		with(person("mallory", "root"), func(u *user) { u.Spec.Disabled = &yes }),
		person("carla"), with(person("idle"), func(u *user) { u.Spec.Disabled = &yes }),
		with(person("leaving"), func(u *user) { u.DeletionTimestamp = &metav1.Time{Time: noon} }),
		service("bot", "bob"), service("deployer", "carol"), service("orphan", "mallory"),
		with(service("admin-bot", "bob", "root"), func(u *user) {
			u.Spec.Tokens = []token{{ID: "old", ExpiresAt: metav1.NewTime(noon)}, {ID: "jobs", ExpiresAt: metav1.NewTime(noon.Add(time.Hour)),
				Scope: []v1alpha1.Permission{{URI: "job://local/acme/vision", Action: v1alpha1.ActionManage}}}}
		}),
	} {
		d.SetUser(u.Name, u)
	}
	for _, g := range []*grant{
		grantOf("vision", "carol", v1alpha1.Grantee{User: "carol"}, "manager"),
		grantOf("vision", "dave", v1alpha1.Grantee{User: "dave"}, "writer"),
		grantOf("vision", "late", v1alpha1.Grantee{User: "late"}, "writer"),
		grantOf("robots", "team", v1alpha1.Grantee{Role: "team"}, "reader"),
		grantOf("robots", "team-that-was", v1alpha1.Grantee{Role: "that-was"}, "reader"),
	} {
		d.SetGrant(g.Namespace, g.Name, g)
	}
	return d
}

// asking are the facts when a user of the cluster asks.
func asking(t *testing.T, d *access.Directory, username string) facts {
	t.Helper()
	f := facts{directory: d, now: noon, trees: func(user string) *access.Tree { return d.Tree(user, noon) }}
	var err error
	if f.asker, err = f.who(authenticationv1.UserInfo{Username: username}); err != nil {
		t.Fatal(err)
	}
	return f
}

// outcome is what a table expects of a decision: nothing where it is allowed, "escalate" where Kubernetes is asked, and otherwise
// what the refusal says.
func outcome(t *testing.T, escalates bool, err error, want string) {
	t.Helper()
	switch {
	case err == nil && escalates:
		if want != "escalate" {
			t.Errorf("Kubernetes is asked; want %q", want)
		}
	case err == nil:
		if want != "" {
			t.Errorf("allowed; want %q", want)
		}
	case want == "" || !strings.Contains(err.Error(), want):
		t.Errorf("refused: %v; want %q", err, want)
	}
}

func TestWho(t *testing.T) {
	tests := map[string]struct {
		username   string
		tokens     []string
		user, name string
		refused    string
	}{
		"a user of ours":                       {username: "soma:bob", user: "bob", name: "bob"},
		"by an identity":                       {username: "https://id.example.org#bob", user: "bob", name: "bob"},
		"by the identity of nobody":            {username: "https://id.example.org#eve", name: "https://id.example.org#eve"},
		"an administrator":                     {username: "kubernetes-admin", name: "kubernetes-admin"},
		"a service account of Kubernetes":      {username: "system:serviceaccount:argocd:argocd", name: "system:serviceaccount:argocd:argocd"},
		"an administrator with a name of ours": {username: "bob", name: "kubernetes:bob"},
		"a service account":                    {username: "soma:bot", user: "bot", name: "bot"},
		"a disabled user":                      {username: "soma:mallory", refused: "no user"},
		"one who is not there":                 {username: "soma:eve", refused: "no user"},
		"nobody":                               {username: "soma:", refused: "no user"},
		"one whose owner is disabled":          {username: "soma:orphan", refused: "no user"},
		"by a token":                           {username: "soma:admin-bot", tokens: []string{"jobs"}, user: "admin-bot", name: "admin-bot"},
		"by a token that has ended":            {username: "soma:admin-bot", tokens: []string{"old"}, refused: "has ended"},
		"by a token that was taken away":       {username: "soma:admin-bot", tokens: []string{"jobs", "gone"}, refused: "has ended"},
		"a name too long":                      {username: strings.Repeat("x", 254), refused: "253 can be recorded"},
	}
	d := company()
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := facts{directory: d, now: noon, trees: func(user string) *access.Tree { return d.Tree(user, noon) }}
			info := authenticationv1.UserInfo{Username: tc.username}
			if tc.tokens != nil {
				info.Extra = map[string]authenticationv1.ExtraValue{access.TokenExtra: tc.tokens}
			}
			got, err := f.who(info)
			if tc.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tc.refused) {
					t.Fatalf("refused: %v; want %q", err, tc.refused)
				}
				return
			}
			if err != nil || got.user != tc.user || got.name != tc.name {
				t.Fatalf("%+v, %v; want user %q, name %q", got, err, tc.user, tc.name)
			}
			if tc.tokens == nil {
				return
			}
			if got.tree.Allows(access.Root(access.User), access.List) || !got.tree.Allows(access.In(access.Job, access.Home, "acme", "vision"), access.Manage) {
				t.Error("the token allows other than what it is made for")
			}
		})
	}
}

// What one may not see has the same answer as what does not exist.
func TestAbsentAndForbiddenLookAlike(t *testing.T) {
	f := asking(t, company(), "soma:carol")
	for _, gives := range []string{"root", "no-such-role"} {
		_, err := decideGrant(f, &grant{}, grantOf("vision", "new", v1alpha1.Grantee{User: "bob"}, gives))
		if want := `spec.role: there is no role "` + gives + `" that you may give`; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", gives, err, want)
		}
	}
}

func TestRespond(t *testing.T) {
	if got := respond(nil); !got.Allowed {
		t.Error("nothing is wrong, and it is refused")
	}
	if got := respond(errors.New("boom")); got.Allowed || got.Result.Code != http.StatusInternalServerError {
		t.Errorf("an error is answered with %+v", got.Result)
	}
	got := respond(invalid("spec.uri: %s", strings.Repeat("ü", maxText)))
	if got.Allowed || got.Result.Code != http.StatusUnprocessableEntity || len(got.Result.Message) > maxText+len("…") || !strings.HasSuffix(got.Result.Message, "ü…") {
		t.Errorf("a long refusal is answered with %d bytes, code %d", len(got.Result.Message), got.Result.Code)
	}
}
