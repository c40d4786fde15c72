package accessapi

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	api "github.com/soma-platform/soma/api/access/v1alpha1"
	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// roles are those that come with Soma.
func roles(t *testing.T) []*platform.Role {
	t.Helper()
	text, err := os.ReadFile("../../config/access/roles.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []*platform.Role
	for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
		role := &platform.Role{}
		if err := decoder.Decode(role); err != nil {
			break
		}
		if role.Name != "" {
			all = append(all, role)
		}
	}
	if len(all) < 10 {
		t.Fatalf("want the roles that come with Soma, got %d", len(all))
	}
	return all
}

func grant(project, name string, spec platform.GrantSpec) *platform.Grant {
	return &platform.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name, CreationTimestamp: metav1.NewTime(noon)}, Spec: spec}
}

func user(name string, held ...platform.HeldRole) *platform.User {
	return &platform.User{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: platform.UserSpec{Type: platform.UserPerson, Roles: held}}
}

// team is a project vision of acme that carol manages and ann reads, and one of others.
func team() (users []*platform.User, grants []*platform.Grant, projects map[string]string) {
	ada := user("ada", platform.HeldRole{Role: "cluster-admin"})
	ada.Spec.DisplayName, ada.Status.Groups = "Ada", []string{"admins"}
	gone := user("gone", platform.HeldRole{Role: "cluster-admin"})
	gone.Spec.Disabled = new(true)
	ci := user("ci")
	ci.Spec.Type, ci.Spec.Owner = platform.UserServiceAccount, "bob"
	ci.Spec.Tokens = []platform.Token{
		{ID: "all", ExpiresAt: metav1.NewTime(noon.Add(time.Hour))}, {ID: "old", ExpiresAt: metav1.NewTime(noon)},
		{ID: "reads", ExpiresAt: metav1.NewTime(noon.Add(time.Hour)), Scope: []platform.Permission{{URI: "job://local/default/speech", Action: "read"}}},
	}
	users = []*platform.User{ada, user("ann"), user("bob"), user("carol"), ci, gone}
	to := func(user string) platform.Grantee { return platform.Grantee{User: user} }
	grants = []*platform.Grant{
		grant("vision", "carol", platform.GrantSpec{To: to("carol"), Role: "project-manager", GrantedBy: "ada"}),
		grant("vision", "ann", platform.GrantSpec{To: to("ann"), Role: "project-reader", GrantedBy: "carol"}),
		grant("vision", "bob.read.job.train", platform.GrantSpec{To: to("bob"), URI: "job:train", Action: "read", GrantedBy: "carol", ExpiresAt: &metav1.Time{Time: noon.Add(time.Hour)}}),
		grant("speech", "ci", platform.GrantSpec{To: to("ci"), Role: "project-writer", GrantedBy: "ada"}),
	}
	return users, grants, map[string]string{"vision": "acme", "speech": ""}
}

// known are the facts about the team, for who asks.
func known(t *testing.T, username string) facts {
	t.Helper()
	d := access.NewDirectory()
	for _, role := range roles(t) {
		d.SetRole(role.Name, role)
	}
	users, grants, projects := team()
	for name, organization := range projects {
		d.SetProject(name, &access.ProjectFacts{Organization: organization})
	}
	for _, u := range users {
		d.SetUser(u.Name, u)
	}
	for _, g := range grants {
		d.SetGrant(g.Namespace, g.Name, g)
	}
	m := access.NewMembership(d)
	m.Update(noon, d.Users()...)
	a := asker{username: username, groups: []string{"system:authenticated"}}
	a.user, a.ours = d.ByUsername(username)
	return facts{d, m, noon, a}
}

const home = "job://local/acme/vision/train"

func TestAccess(t *testing.T) {
	tests := map[string]struct {
		asker string
		spec  api.AccessReviewSpec
		// want is the level, and what stands in the reasons or is missing.
		allowed  bool
		level    platform.Action
		because  string
		missing  string
		managers []string
		message  string
	}{
		"a shared job": {
			asker: "soma:bob", spec: api.AccessReviewSpec{URI: "job:train", Project: "vision", Action: "read"}, allowed: true, level: "read",
			because: "read on job:train was granted by carol on 2026-11-02, until 2026-11-02T13:00:00Z (grant bob.read.job.train in project vision)",
		},
		"no more than was shared": {
			asker: "soma:bob", spec: api.AccessReviewSpec{URI: "job:train", Project: "vision", Action: "write"}, level: "read", missing: "write " + home,
		},
		"another job": {
			asker: "soma:bob", spec: api.AccessReviewSpec{URI: "job://local/acme/vision/other", Action: "read"}, missing: "read job://local/acme/vision/other",
		},
		"who reads the project is told who manages it": {
			asker: "soma:ann", spec: api.AccessReviewSpec{URI: "job:train", Project: "vision", Action: "write"}, level: "read", missing: "write " + home, managers: []string{"carol"},
		},
		"a project that one may not know of": {
			asker: "soma:bob", spec: api.AccessReviewSpec{URI: "job:train", Project: "speech", Action: "read"}, missing: "read job:train",
		},
		"a project that is not there": {
			asker: "soma:bob", spec: api.AccessReviewSpec{URI: "job:train", Project: "nowhere", Action: "read"}, missing: "read job:train",
		},
		"the way to what was shared": {
			asker: "soma:bob", spec: api.AccessReviewSpec{URI: "job:", Project: "vision", Action: "list"}, allowed: true, level: "list", because: onTheWay,
		},
		"oneself by name": {
			asker: "soma:bob", spec: api.AccessReviewSpec{User: "bob", URI: "job:train", Project: "vision", Action: "read"}, allowed: true, level: "read", because: "granted by carol",
		},
		"another, of what one manages": {
			asker: "soma:carol", spec: api.AccessReviewSpec{User: "bob", URI: "job:train", Project: "vision", Action: "read"}, allowed: true, level: "read", because: "granted by carol",
		},
		"another, of a project that one writes": {
			asker: "soma:carol", spec: api.AccessReviewSpec{User: "ann", URI: "project:", Project: "vision", Action: "read"}, allowed: true, level: "read", because: "role project-reader",
		},
		"another, of what one does not manage": {
			asker: "soma:ann", spec: api.AccessReviewSpec{User: "bob", URI: "job:train", Project: "vision", Action: "read"}, missing: "read " + home,
		},
		"another who is not there": {
			asker: "soma:carol", spec: api.AccessReviewSpec{User: "nobody", URI: "job:train", Project: "vision", Action: "read"}, missing: "read " + home,
		},
		"one's own service account": {
			asker: "soma:bob", spec: api.AccessReviewSpec{User: "ci", URI: "job://local/default/speech", Action: "write"}, allowed: true, level: "write", because: "role project-writer",
		},
		"a disabled user": {
			asker: "soma:gone", spec: api.AccessReviewSpec{URI: "job:train", Project: "vision", Action: "read"}, missing: "read job:train", message: "is disabled",
		},
		"a user of the cluster": {
			asker: "kubernetes-admin", spec: api.AccessReviewSpec{URI: "job:train", Project: "vision", Action: "read"}, missing: "read job:train", message: `Soma does not know "kubernetes-admin"`,
		},
		"a user of the cluster, of others": {
			asker: "kubernetes-admin", spec: api.AccessReviewSpec{User: "ada", URI: "job:train", Project: "vision", Action: "read"}, missing: "read job:train",
		},
		"a name without a user": {
			asker: "soma:ghost", spec: api.AccessReviewSpec{URI: "cluster://", Action: "read"}, missing: "read cluster://", message: `there is no user "ghost"`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := known(t, test.asker).access(&test.spec)
			if err != nil {
				t.Fatal(err)
			}
			var missing string
			for _, m := range got.Missing {
				missing += fmt.Sprintf("%s %s", m.Action, m.URI)
			}
			if got.Allowed != test.allowed || got.Level != test.level || missing != test.missing || !reflect.DeepEqual(got.Managers, test.managers) {
				t.Errorf("got %+v", got)
			}
			if test.because != "" && (len(got.Because) == 0 || !strings.Contains(got.Because[0].Text, test.because)) || test.because == "" && got.Because != nil {
				t.Errorf("want because %q, got %+v", test.because, got.Because)
			}
			if !strings.Contains(got.Message, test.message) || test.message == "" && got.Message != "" {
				t.Errorf("want the message %q, got %q", test.message, got.Message)
			}
		})
	}
}

// About what one may not know, the answer is word by word that about what does not exist.
func TestForbiddenIsAbsent(t *testing.T) {
	f := known(t, "soma:ann")
	answer := func(user, project string) string {
		t.Helper()
		status, err := f.access(&api.AccessReviewSpec{User: user, URI: "job:train", Project: project, Action: "read"})
		if err != nil {
			t.Fatal(err)
		}
		status.User = ""
		_, err = f.holders(&api.HoldersReviewSpec{URI: "job:train", Project: project, Action: "read"})
		return fmt.Sprintf("%+v %v", status, err)
	}
	if there, not := answer("bob", "vision"), answer("nobody", "vision"); there != not {
		t.Errorf("of a user who exists %s, of one who does not %s", there, not)
	}
	if there, not := answer("", "speech"), answer("", "nowhere"); there != not {
		t.Errorf("of a project that exists %s, of one that does not %s", there, not)
	}
}

func TestHolders(t *testing.T) {
	tests := map[string]struct {
		asker   string
		all     bool
		spec    api.HoldersReviewSpec
		want    string
		refused string
	}{
		"of a job":                   {asker: "soma:carol", spec: api.HoldersReviewSpec{URI: "job:train", Project: "vision", Action: "read"}, want: "ada manage, carol manage, ann read, bob read"},
		"who may write":              {asker: "soma:carol", spec: api.HoldersReviewSpec{URI: home, Action: "write"}, want: "ada manage, carol manage"},
		"of a project":               {asker: "soma:carol", spec: api.HoldersReviewSpec{URI: "project:", Project: "vision", Action: "read"}, want: "ada manage, carol write, ann read"},
		"for who manages everything": {asker: "soma:ada", spec: api.HoldersReviewSpec{URI: "user://", Action: "manage"}, want: "ada manage"},
		"for a reader":               {asker: "soma:ann", spec: api.HoldersReviewSpec{URI: "job:train", Project: "vision", Action: "read"}, refused: "missing manage on " + home},
		"of a project, for a reader": {asker: "soma:ann", spec: api.HoldersReviewSpec{URI: "project:", Project: "vision", Action: "read"}, refused: "missing write on project://local/acme/vision"},
		"of what one does not know":  {asker: "soma:bob", spec: api.HoldersReviewSpec{URI: "job:train", Project: "speech", Action: "read"}, refused: "missing manage on job:train"},
		"for a user of the cluster":  {asker: "kubernetes-admin", spec: api.HoldersReviewSpec{URI: "job:train", Project: "vision", Action: "read"}, refused: "missing manage on job:train"},
		"for an administrator of it": {asker: "kubernetes-admin", all: true, spec: api.HoldersReviewSpec{URI: "job:train", Project: "vision", Action: "write"}, want: "ada manage, carol manage"},
		"of a project without organization, for an administrator": {asker: "kubernetes-admin", all: true, spec: api.HoldersReviewSpec{URI: "job:", Project: "speech", Action: "write"}, want: "ada manage, ci write"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := known(t, test.asker)
			f.asker.readsAll = test.all
			got, err := f.holders(&test.spec)
			if test.refused != "" {
				if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), test.refused) {
					t.Fatalf("want a refusal with %q, got %v", test.refused, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, holder := range got.Holders {
				all = append(all, holder.User+" "+string(holder.Level))
				if holder.Because == "" {
					t.Errorf("%s has no reason", holder.User)
				}
			}
			if text := strings.Join(all, ", "); text != test.want {
				t.Errorf("want %s, got %s", test.want, text)
			}
		})
	}
}

func TestSelf(t *testing.T) {
	got := known(t, "soma:ada").self()
	if got.User != "ada" || got.Username != "soma:ada" || got.DisplayName != "Ada" || !reflect.DeepEqual(got.Groups, []string{"admins"}) ||
		len(got.Roles) != 1 || got.Message != "" {
		t.Errorf("got %+v", got)
	}
	rights := map[string]api.HeldRight{}
	for _, right := range got.Rights {
		if _, twice := rights[right.URI]; twice {
			t.Errorf("%s is told twice", right.URI)
		}
		rights[right.URI] = right
	}
	if right := rights["job://"]; right.Action != "manage" || !strings.Contains(right.Because.Text, "role cluster-admin, which includes cluster-manager") {
		t.Errorf("got %+v", right)
	}

	got = known(t, "kubernetes-admin").self()
	if got.User != "" || got.Rights != nil || !reflect.DeepEqual(got.Groups, []string{"system:authenticated"}) || !strings.Contains(got.Message, "does not know") {
		t.Errorf("got %+v", got)
	}
}

func TestWrongQuestions(t *testing.T) {
	tests := map[string]struct {
		spec api.AccessReviewSpec
		want string
	}{
		"no scheme":               {api.AccessReviewSpec{URI: "train", Action: "read"}, "begins with a scheme"},
		"unknown scheme":          {api.AccessReviewSpec{URI: "jobs:train", Action: "read"}, `there is no scheme "jobs"`},
		"dots":                    {api.AccessReviewSpec{URI: "job://local/acme/../x", Action: "read"}, "'..'"},
		"any cluster":             {api.AccessReviewSpec{URI: "job://*/acme/vision", Action: "read"}, "it has a character that addresses do not have"},
		"unknown action":          {api.AccessReviewSpec{URI: "job:train", Project: "vision", Action: "admin"}, "supported values: \"list\", \"read\", \"write\", \"manage\""},
		"relative, to no project": {api.AccessReviewSpec{URI: "job:train", Action: "read"}, "job://CLUSTER/ORGANIZATION/PROJECT/train"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := known(t, "soma:bob").access(&test.spec)
			var status apierrors.APIStatus
			if !errors.As(err, &status) || !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want an error with %q, got %v", test.want, err)
			}
		})
	}
}

// A token that is made for less than its account may do is told of less.
func TestTokens(t *testing.T) {
	tests := map[string]struct {
		tokens  []string
		job     platform.Action
		secret  platform.Action
		project platform.Action
		message string
	}{
		"none":                {job: "write", secret: "write", project: "list"},
		"for everything":      {tokens: []string{"all"}, job: "write", secret: "write", project: "list"},
		"for reading jobs":    {tokens: []string{"reads"}, job: "read", project: "list", message: "nothing but read on job://local/default/speech"},
		"both":                {tokens: []string{"all", "reads"}, job: "read", project: "list", message: "nothing but"},
		"one that has ended":  {tokens: []string{"old"}, message: `token "old" has ended`},
		"one that is no more": {tokens: []string{"reads", "gone"}, message: `token "gone" has ended`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := known(t, "soma:ci")
			f.asker.tokens = test.tokens
			for uri, want := range map[platform.Address]platform.Action{"job://local/default/speech/x": test.job, "secret://local/default/speech": test.secret} {
				got, err := f.access(&api.AccessReviewSpec{URI: uri, Action: "read"})
				if err != nil || got.Level != want || got.Allowed != (want != "") || !strings.Contains(got.Message, test.message) {
					t.Errorf("%s: got %+v, %v", uri, got, err)
				}
			}
			told := map[string]platform.Action{}
			for _, right := range f.self().Rights {
				told[strings.Replace(right.URI, "*", "local", 1)] = right.Action
				if len(test.tokens) > 0 && test.message != "" && (right.Action == "write" || strings.HasPrefix(right.URI, "secret:")) {
					t.Errorf("told of %+v", right)
				}
			}
			if told["job://local/default/speech"] != test.job || told["project://local/default/speech"] != test.project {
				t.Errorf("told of %v", told)
			}
		})
	}
}
