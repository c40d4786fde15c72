package webhooks

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

func TestDecideGrant(t *testing.T) {
	bob := v1alpha1.Grantee{User: "bob"}
	until := func(end time.Duration, g *grant) *grant {
		ends := metav1.NewTime(noon.Add(end))
		g.Spec.ExpiresAt = &ends
		return g
	}
	simple := func() *grant { return grantOf("vision", "g", bob, "read job:train") }
	tests := map[string]struct {
		asker         string
		before, after *grant
		want          string
	}{
		"one thing":                        {asker: "soma:carol", after: simple()},
		"a role":                           {asker: "soma:carol", after: grantOf("vision", "g", bob, "writer")},
		"to a group":                       {asker: "soma:carol", after: grantOf("vision", "g", v1alpha1.Grantee{Group: "vision"}, "reader")},
		"to who holds a role":              {asker: "soma:alice", after: grantOf("vision", "g", v1alpha1.Grantee{Role: "team"}, "reader")},
		"that others see and write it":     {asker: "soma:carol", after: grantOf("vision", "g", bob, "write project:")},
		"that others may delete it":        {asker: "soma:carol", after: grantOf("vision", "g", bob, "manage project:"), want: "you lack manage on project://*/acme/vision"},
		"what one only writes":             {asker: "soma:dave", after: simple(), want: "you lack manage on job://*/acme/vision/train"},
		"a role that one only has":         {asker: "soma:dave", after: grantOf("vision", "g", bob, "writer"), want: `no role "writer" that you may give`},
		"in another project":               {asker: "soma:carol", after: grantOf("robots", "g", bob, "read job:train"), want: "you lack manage on job://*/acme/robots/train"},
		"an absolute one":                  {asker: "soma:carol", after: grantOf("vision", "g", bob, "read job://local/acme/vision/train")},
		"of another project":               {asker: "soma:alice", after: grantOf("vision", "g", bob, "read job://local/acme/robots/train"), want: "spec.uri: address \"job://local/acme/robots/train\" is not in this project"},
		"of another organization":          {asker: "soma:alice", after: grantOf("vision", "g", bob, "read job://local/evil/vision/train"), want: "not in this project"},
		"of all projects":                  {asker: "soma:alice", after: grantOf("vision", "g", bob, "read job://"), want: "not in this project"},
		"of an organization":               {asker: "soma:alice", after: grantOf("vision", "g", bob, "read job://local/acme"), want: "not in this project"},
		"of no project":                    {asker: "soma:alice", after: grantOf("vision", "g", bob, "read user://bob"), want: "not in this project"},
		"a job of another cluster":         {asker: "soma:alice", after: grantOf("vision", "g", bob, "read job://east/acme/vision/train"), want: "below the cluster local"},
		"data of another cluster":          {asker: "soma:alice", after: grantOf("vision", "g", bob, "read storage://east/acme/vision/data"), want: "lack manage on storage://east/acme/vision/data"},
		"with ..":                          {asker: "soma:carol", after: grantOf("vision", "g", bob, "read job:../robots/x"), want: "'.' or '..'"},
		"with %2f":                         {asker: "soma:carol", after: grantOf("vision", "g", bob, "read job:a%2fb"), want: "spec.uri"},
		"to nobody":                        {asker: "soma:carol", after: grantOf("vision", "g", v1alpha1.Grantee{User: "eve"}, "read job:train"), want: `spec.to.user: there is no user "eve"`},
		"to who is being deleted":          {asker: "soma:carol", after: grantOf("vision", "g", v1alpha1.Grantee{User: "leaving"}, "read job:train"), want: `spec.to.user: the user "leaving" is being deleted`},
		"to a role that is not there":      {asker: "soma:alice", after: grantOf("vision", "g", v1alpha1.Grantee{Role: "gone"}, "read job:train"), want: `spec.to.role: there is no role "gone"`},
		"to one, by who sees no roles":     {asker: "soma:carol", after: grantOf("vision", "g", v1alpha1.Grantee{Role: "gone"}, "read job:train"), want: `spec.to.role: there is no role "gone" that you may see`},
		"to one that is hidden":            {asker: "soma:carol", after: grantOf("vision", "g", v1alpha1.Grantee{Role: "root"}, "read job:train"), want: `spec.to.role: there is no role "root" that you may see`},
		"to everybody":                     {asker: "soma:carol", after: grantOf("vision", "g", v1alpha1.Grantee{Role: access.EveryoneRole}, "read job:train"), want: `spec.to.role: everybody holds the role "everyone"`},
		"to a group with signs":            {asker: "soma:carol", after: grantOf("vision", "g", v1alpha1.Grantee{Group: `ACME\Vision Team #1`}, "read job:train")},
		"to a group with a space after":    {asker: "soma:carol", after: grantOf("vision", "g", v1alpha1.Grantee{Group: "ml "}, "read job:train"), want: "spec.to.group"},
		"to a group with what is not seen": {asker: "soma:carol", after: grantOf("vision", "g", v1alpha1.Grantee{Group: "m\u200bl"}, "read job:train"), want: "spec.to.group"},
		"to a group that looks like one":   {asker: "soma:carol", after: grantOf("vision", "g", v1alpha1.Grantee{Group: "me\u0301"}, "read job:train"), want: "spec.to.group"},
		"in no project":                    {asker: "kubernetes-admin", after: grantOf("kube-system", "g", bob, "read job:train"), want: `metadata.namespace: there is no project "kube-system"`},
		"that has ended":                   {asker: "soma:carol", after: until(0, simple()), want: "spec.expiresAt: the grant would have ended already"},
		"until soon":                       {asker: "soma:carol", after: until(time.Second, simple())},
		"for longer":                       {asker: "soma:carol", before: until(time.Hour, simple()), after: until(2*time.Hour, simple())},
		"for longer, by who may not":       {asker: "soma:dave", before: until(time.Hour, simple()), after: until(2*time.Hour, simple()), want: "you lack manage"},
		"for ever, by who may not":         {asker: "soma:bob", before: until(-time.Hour, simple()), after: simple(), want: "you lack manage"},
		"until the past":                   {asker: "soma:carol", before: simple(), after: until(-time.Hour, simple()), want: "ended already"},
		"not changed":                      {asker: "soma:dave", before: until(-time.Hour, simple()), after: until(-time.Hour, simple())},
		"by others":                        {asker: "kubernetes-admin", after: simple(), want: "escalate"},
		"for longer, by others":            {asker: "kubernetes-admin", before: until(time.Hour, simple()), after: simple(), want: "escalate"},
		"by a service account of who may":  {asker: "soma:deployer", after: simple(), want: "you lack manage"},
		"by who manages the organization":  {asker: "soma:erin", after: grantOf("robots", "g", bob, "admin")},
		"more than a role has, by manager": {asker: "soma:carol", after: grantOf("vision", "g", bob, "admin"), want: `no role "admin" that you may give`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.before == nil {
				tc.before = &grant{}
			}
			escalates, err := decideGrant(asking(t, company(), tc.asker), tc.before, tc.after)
			outcome(t, escalates, err, tc.want)
		})
	}
}

func TestDecideGrantEnd(t *testing.T) {
	g := grantOf("vision", "g", v1alpha1.Grantee{User: "bob"}, "read job:train")
	g.Spec.GrantedBy = "frank"
	for asker, want := range map[string]string{
		"soma:carol":       "", // could give it
		"soma:frank":       "", // gave it
		"soma:bob":         "", // gives it back
		"kubernetes-admin": "",
		"soma:dave":        "you lack manage on job://*/acme/vision/train",
		"soma:greta":       "you lack manage",
	} {
		t.Run(asker, func(t *testing.T) { outcome(t, false, decideGrantEnd(asking(t, company(), asker), g), want) })
	}
}

// With a token that is for less one takes what one could give with it, and neither what one gave nor what one has otherwise.
func TestGrantEndsByAToken(t *testing.T) {
	f := asking(t, company(), "soma:carol")
	g := grantOf("vision", "gone", v1alpha1.Grantee{User: "carol"}, "reader")
	g.Spec.GrantedBy = "carol"
	if err := decideGrantEnd(f, g); err != nil {
		t.Errorf("who has it may give it back: %v", err)
	}
	f.asker.scoped, f.asker.tree = true, &access.Tree{}
	if err := decideGrantEnd(f, g); err == nil {
		t.Error("a token for nothing takes a grant")
	}
}

func TestRecordGrant(t *testing.T) {
	tests := map[string]struct {
		old                 bool
		before, after, want string
	}{
		"made":               {after: "mallory", want: "carol"},
		"applied again":      {old: true, before: "dave", want: "dave"},
		"left to the schema": {old: true, before: "dave", after: "mallory", want: "mallory"},
		"not recorded":       {old: true, after: "mallory", want: ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := &grant{}, &grant{}
			if tc.old {
				before.Name, before.Spec.GrantedBy = "g", tc.before
			}
			after.Spec.GrantedBy = tc.after
			recordGrant(asker{name: "carol"}, before, after)
			if after.Spec.GrantedBy != tc.want {
				t.Errorf("granted by %q, want %q", after.Spec.GrantedBy, tc.want)
			}
		})
	}
}

func TestShared(t *testing.T) {
	tests := map[v1alpha1.Address]struct {
		want    thing
		refused bool
	}{
		"job:train":                     {want: thing{"job", "train"}},
		"secret://local/acme/vision/s3": {want: thing{"secret", "s3"}},
		"job:":                          {},
		"job://local/acme/vision":       {},
		"disk:data":                     {want: thing{"disk", "data"}},
		"image:data":                    {},
		"storage:data/a":                {},
		"":                              {},
		"job:train/logs":                {refused: true},
	}
	for uri, tc := range tests {
		t.Run(string(uri), func(t *testing.T) {
			got, found, err := shared(&grant{Spec: v1alpha1.GrantSpec{URI: uri}})
			if got != tc.want || found != (tc.want != thing{}) || (err != nil) != tc.refused {
				t.Errorf("%v, %t, %v; want %+v", got, found, err, tc)
			}
		})
	}
}
