package webhooks

import (
	"fmt"
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// world is a directory in which people make, change and delete what they like, as far as admission lets them: Kubernetes lets
// them do everything.
type world struct {
	directory *access.Directory
	users     map[string]*user
	roles     map[string]*role
	grants    map[string]*grant
	// knows are the people who know a token, by its hash.
	knows map[string]string
	made  int
}

// What people choose from. The same names come again after what had them was deleted.
var (
	people    = []string{"root", "ann", "ben", "cid"}
	userNames = []string{"u0", "u1", "u2", "s0", "s1", "s2"}
	roleNames = []string{"r0", "r1", "r2", access.EveryoneRole}
	places    = []string{"p0", "p1"}
	groups    = []string{"g0", "g1"}
	uris      = []v1alpha1.Address{
		"job:", "job:a", "job://local/o", "job://local/o/p0", "secret:", "secret://local/o/p1", "secret:x", "project:", "project://local/o",
		"user://", "user://u0", "role://", "role://r0", "quota://", "cluster://",
	}
	levels = []v1alpha1.Action{v1alpha1.ActionList, v1alpha1.ActionRead, v1alpha1.ActionWrite, v1alpha1.ActionManage}
)

func newWorld() *world {
	w := &world{directory: access.NewDirectory(), users: map[string]*user{}, roles: map[string]*role{}, grants: map[string]*grant{}, knows: map[string]string{}}
	for _, place := range places {
		w.directory.SetProject(place, &access.ProjectFacts{Organization: "o"})
	}
	w.putRole("all", roleOf("all", nil, "manage job:", "manage secret:", "manage project:", "manage user://", "manage role://", "manage quota://", "manage cluster://"))
	w.putRole("some", roleOf("some", nil, "manage job:", "write secret:", "write project:"))
	for _, name := range roleNames {
		w.putRole(name, roleOf(name, nil))
	}
	w.putUser("root", person("root", "all"))
	for i, who := range people[1:] {
		own := person(userNames[i])
		own.Spec.Identities[0] = identityOf(who)
		w.putUser(own.Name, own)
		w.putUser(userNames[i+3], service(userNames[i+3], own.Name))
	}
	return w
}

func (w *world) putUser(name string, u *user) {
	w.users[name] = u
	w.directory.SetUser(name, u)
}

func (w *world) putRole(name string, r *role) {
	w.roles[name] = r
	w.directory.SetRole(name, r)
}

func (w *world) putGrant(project, name string, g *grant) {
	w.grants[project+"/"+name] = g
	w.directory.SetGrant(project, name, g)
}

// hands are the users as whom a person can come: by their identity, by a token that they know, or because they answer for it.
func (w *world) hands(who string) []string {
	var names []string
	own, _ := w.directory.ByIdentity(identityOf(who))
	for name, u := range w.users {
		if u == nil || !w.directory.Active(name) {
			continue
		}
		known := slices.ContainsFunc(u.Spec.Tokens, func(t token) bool { return w.knows[t.Hash] == who })
		if name == own || known || own != "" && u.Spec.Owner == own {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// reach is all that a person may do, as whomever they come, less what everybody sees of themselves. Whom they may submit jobs for
// lends them secrets.
func (w *world) reach(who string) []access.Right {
	var rights []access.Right
	for _, name := range w.hands(who) {
		rights = append(rights, w.rights(name)...)
		for other, u := range w.users {
			if u == nil || !slices.Contains(u.Spec.Delegates, name) {
				continue
			}
			for _, right := range w.rights(other) {
				if right.Target.Scheme == access.Secret {
					rights = append(rights, right)
				}
			}
		}
	}
	return rights
}

func (w *world) rights(name string) []access.Right {
	return slices.DeleteFunc(w.directory.Rights(name, noon), func(r access.Right) bool {
		return r.Why.Self || r.Why.Owner || r.Why.Project != "" || r.Why.Everyone && len(r.Why.Roles) == 0
	})
}

// change is one thing that somebody tries.
type change struct {
	what   string
	admit  func(f facts) (bool, error)
	commit func()
	// own is the user who says who may act for them.
	own string
}

// draw chooses a change.
func (w *world) draw(t *rapid.T, who string) change {
	pick := func(label string, from []string) string { return rapid.SampledFrom(from).Draw(t, label) }
	some := func(label string, from []string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID[string]).Draw(t, label)
	}
	held := func() []v1alpha1.HeldRole {
		var all []v1alpha1.HeldRole
		for _, name := range some("roles", append(slices.Clone(roleNames), "all", "some")) {
			all = append(all, v1alpha1.HeldRole{Role: name, Organization: rapid.SampledFrom([]string{"", "o"}).Draw(t, "organization")})
		}
		return all
	}
	switch pick("kind", []string{"role", "role", "no role", "user", "user", "user", "user", "no user", "grant", "grant", "no grant"}) {
	case "role":
		name := pick("role", roleNames)
		after := &role{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RoleSpec{Includes: some("includes", append(slices.Clone(roleNames), "all", "some"))}}
		for _, uri := range rapid.SliceOfNDistinct(rapid.SampledFrom(uris), 0, 2, rapid.ID[v1alpha1.Address]).Draw(t, "uris") {
			after.Spec.Grants = append(after.Spec.Grants, v1alpha1.Permission{URI: uri, Action: rapid.SampledFrom(levels).Draw(t, "action")})
		}
		before := or(w.roles[name])
		return change{what: fmt.Sprintf("role %s %+v", name, after.Spec), admit: func(f facts) (bool, error) { return decideRole(f, before, after) },
			commit: func() { w.putRole(name, after) }}
	case "no role":
		name := pick("role", roleNames)
		return change{what: "no role " + name, commit: func() { w.putRole(name, nil) }}
	case "no user":
		name := pick("user", userNames)
		return change{what: "no user " + name, commit: func() { w.putUser(name, nil) }}
	case "grant":
		return w.drawGrant(t, pick)
	case "no grant":
		project, name := pick("project", places), pick("grant", []string{"a", "b", "c"})
		gone := or(w.grants[project+"/"+name])
		return change{what: "no grant " + name, admit: func(f facts) (bool, error) { return false, decideGrantEnd(f, gone) },
			commit: func() { w.putGrant(project, name, nil) }}
	}
	name := pick("user", userNames)
	before := or(w.users[name])
	after := before.DeepCopy()
	if before.Name == "" {
		after.Name, after.Spec.Type = name, v1alpha1.UserPerson
		if name[0] == 's' {
			after.Spec.Type, after.Spec.Owner = v1alpha1.UserServiceAccount, pick("owner", userNames)
		}
	}
	own := ""
	switch pick("change", []string{"roles", "roles", "identity", "token", "delegates", "disabled"}) {
	case "roles":
		after.Spec.Roles = held()
	case "identity":
		if after.Spec.Type == v1alpha1.UserPerson {
			after.Spec.Identities = []v1alpha1.Identity{identityOf(pick("identity", people))}
		}
	case "token":
		if after.Spec.Type == v1alpha1.UserServiceAccount {
			w.made++
			hash := fmt.Sprint(w.made)
			w.knows[hash] = who
			after.Spec.Tokens = []token{{ID: "t", Hash: hash, ExpiresAt: metav1.NewTime(noon.Add(time.Hour))}}
		}
	case "delegates":
		after.Spec.Delegates, own = some("delegates", userNames), name
	case "disabled":
		off := rapid.Bool().Draw(t, "off")
		after.Spec.Disabled = &off
	}
	return change{what: fmt.Sprintf("user %s %+v", name, after.Spec), admit: func(f facts) (bool, error) { return decideUser(f, before, after) },
		commit: func() { w.putUser(name, after) }, own: own}
}

func (w *world) drawGrant(t *rapid.T, pick func(string, []string) string) change {
	project, name := pick("project", places), pick("grant", []string{"a", "b", "c"})
	after := &grant{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name}}
	switch pick("to", []string{"user", "user", "group", "role"}) {
	case "user":
		after.Spec.To.User = pick("grantee", userNames)
	case "group":
		after.Spec.To.Group = pick("grantee", groups)
	case "role":
		after.Spec.To.Role = pick("grantee", roleNames)
	}
	if rapid.Bool().Draw(t, "a role") {
		after.Spec.Role = pick("gives", append(slices.Clone(roleNames), "all", "some"))
	} else {
		after.Spec.URI, after.Spec.Action = rapid.SampledFrom(uris).Draw(t, "uri"), rapid.SampledFrom(levels).Draw(t, "action")
	}
	before := or(w.grants[project+"/"+name])
	if before.Name != "" {
		// Nothing of a grant is changed but its end.
		after = before.DeepCopy()
		ends := metav1.NewTime(noon.Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "hours")) * time.Hour))
		after.Spec.ExpiresAt = &ends
	}
	return change{what: fmt.Sprintf("grant %s/%s %+v", project, name, after.Spec), admit: func(f facts) (bool, error) { return decideGrant(f, before, after) },
		commit: func() { w.putGrant(project, name, after) }}
}

// or is the object, or an empty one.
func or[T any](object *T) *T {
	if object == nil {
		return new(T)
	}
	return object
}

// By nothing that is admitted, whoever does it, does anybody come to a right that who did it may not give.
func TestNobodyEscalates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		for range rapid.IntRange(0, 25).Draw(t, "given") {
			w.try(t, "root", "root")
			if rapid.IntRange(0, 4).Draw(t, "signs in") == 0 {
				w.signIn(t)
			}
		}
		for range rapid.IntRange(1, 25).Draw(t, "tried") {
			who := rapid.SampledFrom(people[1:]).Draw(t, "who")
			if hands := w.hands(who); len(hands) > 0 {
				w.try(t, who, rapid.SampledFrom(hands).Draw(t, "as"))
			}
		}
	})
}

// signIn has the identity provider tell of somebody's groups.
func (w *world) signIn(t *rapid.T) {
	name := rapid.SampledFrom(userNames).Draw(t, "who signs in")
	if u := w.users[name]; u != nil && u.Spec.Type == v1alpha1.UserPerson {
		u = u.DeepCopy()
		u.Status.Groups = rapid.SliceOfNDistinct(rapid.SampledFrom(groups), 0, 2, rapid.ID[string]).Draw(t, "groups")
		w.putUser(name, u)
	}
}

// try has somebody, who comes as a user, try a change, and checks what it gave to whom.
func (w *world) try(t *rapid.T, who, as string) {
	wanted := w.draw(t, who)
	f := facts{directory: w.directory, now: noon, trees: func(user string) *access.Tree { return w.directory.Tree(user, noon) }}
	var err error
	if f.asker, err = f.who(authenticationv1.UserInfo{Username: access.UserPrefix + as}); err != nil {
		t.Fatal(err)
	}
	if wanted.admit != nil {
		if escalates, err := wanted.admit(f); err != nil || escalates {
			return
		}
	}
	// What everybody has is nothing that is given.
	everyone := w.directory.HeldBy(person("", access.EveryoneRole))
	before := map[string][]access.Right{}
	for _, someone := range people {
		before[someone] = append(w.reach(someone), everyone...)
	}
	tree, own := f.asker.tree, w.rights(as)
	wanted.commit()
	for _, someone := range people {
		for _, right := range access.Beyond(before[someone], w.reach(someone)) {
			lent := wanted.own == as && len(access.Beyond(own, []access.Right{right})) == 0
			if !tree.MayPass(right) && !lent {
				t.Fatalf("%s, as %s, made %s, by which %s came to %s on %s (%+v)", who, as, wanted.what, someone, right.Level.Action(), right.Target, right.Why)
			}
		}
	}
}
