package webhooks

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestDecideUser(t *testing.T) {
	yes, no := true, false
	changed := func(name string, change func(*user)) (before, after *user) {
		before = company().User(name)
		return before, with(before.DeepCopy(), change)
	}
	tokens := func(ends time.Duration, scope ...v1alpha1.Address) func(*user) {
		return func(u *user) {
			one := token{ID: "new", Hash: "x", ExpiresAt: metav1.NewTime(noon.Add(ends))}
			for _, uri := range scope {
				one.Scope = append(one.Scope, v1alpha1.Permission{URI: uri, Action: v1alpha1.ActionRead})
			}
			u.Spec.Tokens = append(u.Spec.Tokens, one)
		}
	}
	delegate := func(name string) func(*user) {
		return func(u *user) { u.Spec.Delegates = append(u.Spec.Delegates, name) }
	}
	claim := func(name string) func(*user) {
		return func(u *user) { u.Spec.Identities = append(u.Spec.Identities, identityOf(name)) }
	}
	held := func(roles ...v1alpha1.HeldRole) func(*user) {
		return func(u *user) { u.Spec.Roles = append(u.Spec.Roles, roles...) }
	}
	const year = 365 * 24 * time.Hour
	tests := map[string]struct {
		asker  string
		made   *user
		name   string
		change func(*user)
		want   string
	}{
		"a person":                                 {asker: "soma:frank", made: person("new")},
		"a name that somebody has":                 {asker: "soma:bob", made: service("carol", "bob"), want: `metadata.name: a user "carol" exists already`},
		"a person, by who may not":                 {asker: "soma:carol", made: person("new"), want: "you lack write on user://: without it, one makes service accounts"},
		"a person with a role":                     {asker: "soma:alice", made: person("new", "root", "reader@acme")},
		"a person with a role that one lacks":      {asker: "soma:frank", made: person("new", "reader@acme"), want: `spec.roles[0].role: there is no role "reader" that you may give`},
		"a person with a role that is granted to":  {asker: "soma:frank", made: person("new", "team"), want: `there is no role "team" that you may give`},
		"that role in an organization":             {asker: "soma:frank", made: person("new", "team@acme")},
		"a person with a role that is not there":   {asker: "soma:alice", made: person("new", "gone"), want: `spec.roles[0].role: there is no role "gone"`},
		"a name that grants still name":            {asker: "soma:frank", made: person("late"), want: "take another name"},
		"that name for a service account":          {asker: "soma:bob", made: service("late", "bob"), want: "take another name"},
		"an identity of another":                   {asker: "soma:frank", made: with(person("new"), claim("alice")), want: `spec.identities[1]: the subject "alice" of https://id.example.org is user "alice" already`},
		"one's own service account":                {asker: "soma:bob", made: service("new", "bob")},
		"one's own with a role":                    {asker: "soma:bob", made: service("new", "bob", "reader@acme"), want: `no role "reader" that you may give`},
		"the role of one's own organization":       {asker: "soma:erin", made: service("new", "erin", "writer@acme")},
		"a service account of another":             {asker: "soma:bob", made: service("new", "alice"), want: "you lack write on user://"},
		"of somebody who is not there":             {asker: "soma:frank", made: service("new", "eve"), want: `spec.owner: there is no person "eve"`},
		"of who is being deleted":                  {asker: "soma:frank", made: service("new", "leaving"), want: `spec.owner: the user "leaving" is being deleted`},
		"a delegate who is being deleted":          {asker: "soma:bob", name: "bob", change: delegate("leaving"), want: `spec.delegates[0]: the user "leaving" is being deleted`},
		"of a service account":                     {asker: "soma:frank", made: service("new", "bot"), want: `spec.owner: there is no person "bot"`},
		"by a service account, its own":            {asker: "soma:bot", made: service("new", "bot"), want: `spec.owner: there is no person "bot"`},
		"by a service account, its owner's":        {asker: "soma:bot", made: service("new", "bob"), want: "you lack write on user://"},
		"by others":                                {asker: "kubernetes-admin", made: person("new")},
		"with a role, by others":                   {asker: "kubernetes-admin", made: person("new", "reader"), want: "escalate"},
		"for a delegate who is not there":          {asker: "soma:frank", made: with(person("new"), delegate("eve")), want: `spec.delegates[0]: there is no user "eve"`},
		"one's identity added to another":          {asker: "soma:frank", name: "alice", change: claim("eve"), want: "you lack manage on"},
		"to one who has nothing":                   {asker: "soma:frank", name: "carla", change: claim("eve"), want: "you lack manage on user://carla: only who manages a user says who else comes as them"},
		"to one who has nothing, by who may":       {asker: "soma:alice", name: "carla", change: claim("eve")},
		"to one who has nothing, by others":        {asker: "kubernetes-admin", name: "carla", change: claim("eve")},
		"to oneself, by who may write users":       {asker: "soma:frank", name: "frank", change: claim("eve"), want: "you lack manage on user://"},
		"an identity exchanged":                    {asker: "soma:frank", name: "carla", change: func(u *user) { u.Spec.Identities = []v1alpha1.Identity{identityOf("eve")} }, want: "you lack manage on user://carla"},
		"a delegate of one who has nothing":        {asker: "soma:frank", name: "carla", change: delegate("bot"), want: "you lack manage on user://carla"},
		"one who has nothing is enabled":           {asker: "soma:frank", name: "idle", change: func(u *user) { u.Spec.Disabled = nil }},
		"to who answers for a service account":     {asker: "soma:frank", name: "bob", change: claim("eve"), want: "you lack manage on"},
		"another's identity taken":                 {asker: "soma:alice", name: "bob", change: claim("carol"), want: `is user "carol" already`},
		"roles taken away":                         {asker: "soma:frank", name: "alice", change: func(u *user) { u.Spec.Roles = nil }},
		"a role added":                             {asker: "soma:frank", name: "bob", change: held(v1alpha1.HeldRole{Role: "hr"}), want: "you lack manage on user://"},
		"a role added to oneself":                  {asker: "soma:carol", name: "carol", change: held(v1alpha1.HeldRole{Role: "root"}), want: "you lack write on user://carol"},
		"a name":                                   {asker: "soma:frank", name: "alice", change: func(u *user) { u.Spec.DisplayName = "A." }},
		"disabled":                                 {asker: "soma:frank", name: "alice", change: func(u *user) { u.Spec.Disabled = &yes }},
		"enabled":                                  {asker: "soma:frank", name: "mallory", change: func(u *user) { u.Spec.Disabled = &no }, want: "you lack manage on"},
		"enabled, without the word":                {asker: "soma:frank", name: "mallory", change: func(u *user) { u.Spec.Disabled = nil }, want: "you lack manage on"},
		"enabled by who may":                       {asker: "soma:alice", name: "mallory", change: func(u *user) { u.Spec.Disabled = nil }},
		"enabled by others":                        {asker: "kubernetes-admin", name: "mallory", change: func(u *user) { u.Spec.Disabled = nil }, want: "escalate"},
		"roles exchanged for an identity":          {asker: "soma:frank", name: "alice", change: func(u *user) { claim("eve")(u); u.Spec.Roles = nil }, want: "you lack manage on"},
		"sessions ended":                           {asker: "soma:frank", name: "alice", change: func(u *user) { u.Spec.NotBefore = &metav1.Time{Time: noon} }, want: "you lack manage on"},
		"a token by the owner":                     {asker: "soma:bob", name: "bot", change: tokens(year)},
		"a token of a mightier one by the owner":   {asker: "soma:bob", name: "admin-bot", change: tokens(year)},
		"a token by another":                       {asker: "soma:frank", name: "admin-bot", change: tokens(year), want: "you lack manage on"},
		"a token of one with nothing, by another":  {asker: "soma:frank", name: "deployer", change: tokens(year), want: "you lack manage on user://deployer"},
		"a token by itself":                        {asker: "soma:admin-bot", name: "admin-bot", change: tokens(year)},
		"a token of one with nothing, by itself":   {asker: "soma:deployer", name: "deployer", change: tokens(year), want: "you lack write on user://deployer"},
		"a token that has ended":                   {asker: "soma:bob", name: "bot", change: tokens(0), want: "spec.tokens[0].expiresAt: the token would have ended"},
		"a token for ever":                         {asker: "soma:bob", name: "bot", change: tokens(2 * year), want: "ends within a year"},
		"a token for something":                    {asker: "soma:bob", name: "bot", change: tokens(year, "job://local/acme/vision")},
		"a token for something relative":           {asker: "soma:bob", name: "bot", change: tokens(year, "job:train"), want: "spec.tokens[0].scope[0].uri: address \"job:train\" is relative"},
		"a token for no address":                   {asker: "soma:bob", name: "bot", change: tokens(year, "job://local/.."), want: "spec.tokens[0].scope[0].uri"},
		"an old token is left":                     {asker: "soma:bob", name: "admin-bot", change: func(u *user) { u.Spec.Email = "a@b" }},
		"one's own delegate":                       {asker: "soma:dave", name: "dave", change: delegate("bot")},
		"oneself labelled":                         {asker: "soma:dave", name: "dave", change: func(u *user) { u.Labels = map[string]string{"a": "b"} }, want: "spec.delegates"},
		"a delegate of another":                    {asker: "soma:frank", name: "dave", change: delegate("bot"), want: "you lack manage on"},
		"a delegate of another, by who may":        {asker: "soma:alice", name: "dave", change: delegate("bot"), want: ""},
		"delegates of the service account":         {asker: "soma:bob", name: "bot", change: delegate("dave")},
		"an identity, by who is it":                {asker: "soma:dave", name: "dave", change: claim("eve"), want: "you lack write on user://dave"},
		"a role of a service account by the owner": {asker: "soma:bob", name: "bot", change: held(v1alpha1.HeldRole{Role: "hr"}), want: "that you may give"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := &user{}, tc.made
			if tc.made == nil {
				before, after = changed(tc.name, tc.change)
			}
			escalates, err := decideUser(asking(t, company(), tc.asker), before, after)
			outcome(t, escalates, err, tc.want)
		})
	}
}

// Whose an identity is, is told to those alone who may see that user.
func TestIdentityOfSomebodyUnseen(t *testing.T) {
	d := company()
	blind := roleOf("blind", nil, "write user://new")
	d.SetRole(blind.Name, blind)
	d.SetUser("blind", person("blind", "blind"))
	before := person("new")
	_, err := decideUser(asking(t, d, "soma:blind"), before, with(before.DeepCopy(), func(u *user) {
		u.Spec.Identities = append(u.Spec.Identities, identityOf("alice"))
	}))
	outcome(t, false, err, `is another user already`)
}

func TestServiceAccountsAreBounded(t *testing.T) {
	d := company()
	for i := range maxServices {
		name := "bot-" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		d.SetUser(name, service(name, "carol"))
	}
	_, err := decideUser(asking(t, d, "soma:carol"), &user{}, service("one-more", "carol"))
	outcome(t, false, err, "you have 64 service accounts already")
	_, err = decideUser(asking(t, d, "soma:frank"), &user{}, service("one-more", "carol"))
	outcome(t, false, err, "")
}

func TestDelegatesSecretsCount(t *testing.T) {
	d := company()
	d.SetUser("dave", with(d.User("dave").DeepCopy(), func(u *user) { u.Spec.Delegates = []string{"runner"} }))
	_, err := decideUser(asking(t, d, "soma:bob"), &user{}, service("runner", "bob"))
	outcome(t, false, err, "take another name")
	_, err = decideUser(asking(t, d, "soma:alice"), &user{}, service("runner", "bob"))
	outcome(t, false, err, "")
}

func TestWhoComesForAUserIsGivenAndNotTaken(t *testing.T) {
	d := company()
	before := with(d.User("admin-bot").DeepCopy(), func(u *user) { u.Spec.Delegates = []string{"dave"} })
	fewer := with(before.DeepCopy(), func(u *user) { u.Spec.Delegates = nil })
	others := with(before.DeepCopy(), func(u *user) { u.Spec.Delegates = []string{"carol"} })
	escalates, err := decideUser(asking(t, d, "kubernetes-admin"), before, fewer)
	outcome(t, escalates, err, "")
	escalates, err = decideUser(asking(t, d, "kubernetes-admin"), before, others)
	outcome(t, escalates, err, "escalate")
}
