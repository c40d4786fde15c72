package webhooks

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestDecideProject(t *testing.T) {
	of := func(name, organization, quota string) *project {
		return &project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ProjectSpec{Organization: organization, Quota: quota}}
	}
	tests := map[string]struct {
		asker         string
		before, after *project
		want          string
	}{
		"in one's organization":                {asker: "soma:erin", after: of("new", "acme", "")},
		"with a quota that one may use":        {asker: "soma:erin", after: of("new", "acme", "small")},
		"with another quota":                   {asker: "soma:erin", after: of("new", "acme", "large"), want: "you lack write on quota://large: spec.quota"},
		"with a quota that is not there":       {asker: "soma:erin", after: of("new", "acme", "gone"), want: "you lack write on quota://gone: spec.quota"},
		"in another organization":              {asker: "soma:erin", after: of("new", "evil", ""), want: "you lack manage on project://local/evil/new"},
		"in none":                              {asker: "soma:erin", after: of("new", "", ""), want: "you lack manage on project://local/default/new"},
		"by who manages a project":             {asker: "soma:carol", after: of("new", "acme", ""), want: "you lack manage"},
		"everywhere":                           {asker: "soma:alice", after: of("new", "", "large")},
		"a quota set":                          {asker: "soma:carol", before: of("vision", "acme", ""), after: of("vision", "acme", "small"), want: "you lack write on quota://small"},
		"a quota kept":                         {asker: "soma:carol", before: of("vision", "acme", "small"), after: of("vision", "acme", "small")},
		"a quota taken away":                   {asker: "soma:carol", before: of("vision", "acme", "small"), after: of("vision", "acme", "")},
		"the name of one that is not all gone": {asker: "soma:alice", after: of("left", "acme", ""), want: "still has 1 grants"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := company()
			left := grantOf("left", "g", v1alpha1.Grantee{User: "bob"}, "admin")
			d.SetGrant("left", "g", left)
			if tc.before == nil {
				tc.before = &project{}
			}
			outcome(t, false, decideProject(asking(t, d, tc.asker), tc.before, tc.after), tc.want)
		})
	}
	for asker, want := range map[string]string{"soma:erin": "", "soma:carol": "you lack manage on project://local/acme/vision", "kubernetes-admin": ""} {
		outcome(t, false, decideProjectEnd(asking(t, company(), asker), of("vision", "acme", "")), want)
	}
}
