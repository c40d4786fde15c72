package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestGrantName(t *testing.T) {
	user := func(name string) v1alpha1.Grantee { return v1alpha1.Grantee{User: name} }
	tests := map[string]struct {
		spec v1alpha1.GrantSpec
		want string
	}{
		"one job":          {v1alpha1.GrantSpec{To: user("bob"), Action: "read", URI: "job:train"}, "bob.read.job.train"},
		"all jobs":         {v1alpha1.GrantSpec{To: user("bob"), Action: "write", URI: "job:"}, "bob.write.job"},
		"a folder":         {v1alpha1.GrantSpec{To: user("bob"), Action: "read", URI: "storage:data/raw"}, "bob.read.storage.data.raw"},
		"a role":           {v1alpha1.GrantSpec{To: user("bob"), Role: "project-writer"}, "bob.project-writer"},
		"to a group":       {v1alpha1.GrantSpec{To: v1alpha1.Grantee{Group: "ml"}, Role: "project-reader"}, "group.ml.project-reader"},
		"to a role":        {v1alpha1.GrantSpec{To: v1alpha1.Grantee{Role: "auditors"}, Action: "read", URI: "job:"}, "role.auditors.read.job"},
		"other letters":    {v1alpha1.GrantSpec{To: user("bob"), Action: "read", URI: "storage:Daten/Größe"}, "bob.read.storage.daten.gr-e-"},
		"a group's path":   {v1alpha1.GrantSpec{To: v1alpha1.Grantee{Group: "/Org/ML Team"}, Role: "project-reader"}, "group.org.ml-team.project-reader-"},
		"of one cluster":   {v1alpha1.GrantSpec{To: user("bob"), Action: "read", URI: "storage://east/acme/vision/x"}, "bob.read.storage.east.acme.vision.x-"},
		"a user group":     {v1alpha1.GrantSpec{To: user("group"), Action: "read", URI: "job:"}, "group.read.job-"},
		"more than fits":   {v1alpha1.GrantSpec{To: user("bob"), Action: "read", URI: v1alpha1.Address("storage:" + strings.Repeat("a/", 60) + "b")}, "bob.read.storage.a.a.a"},
		"nothing readable": {v1alpha1.GrantSpec{To: user("bob"), Action: "read", URI: "storage:图"}, "bob.read.storage-"},
	}
	seen := map[string]string{}
	for name, test := range tests {
		got := grantName(&test.spec)
		if got != test.want && (!strings.HasPrefix(got, test.want) || !strings.Contains(got, "-")) || len(got) > maxGrantName || got != grantName(&test.spec) {
			t.Errorf("%s: want %s, got %s", name, test.want, got)
		}
		if other := seen[got]; other != "" {
			t.Errorf("%s and %s are both %s", name, other, got)
		}
		seen[got] = name
	}
}

func FuzzGrantName(f *testing.F) {
	f.Add("bob", "job:train")
	f.Add("..", "storage:../..//")
	f.Fuzz(func(t *testing.T, user, uri string) {
		name := grantName(&v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: user}, Action: "read", URI: v1alpha1.Address(uri)})
		for part := range strings.SplitSeq(name, ".") {
			if !readable.MatchString(part) || len(name) > maxGrantName {
				t.Errorf("%q is no name", name)
			}
		}
	})
}

func TestParseGrantee(t *testing.T) {
	for text, want := range map[string]v1alpha1.Grantee{
		"bob": {User: "bob"}, "user:bob": {User: "bob"}, "group:ml": {Group: "ml"}, "group:/org/ml": {Group: "/org/ml"}, "role:auditors": {Role: "auditors"},
	} {
		if got, err := parseGrantee(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "group:", "team:ml", ":bob"} {
		if _, err := parseGrantee(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestParseUntil(t *testing.T) {
	for text, want := range map[string]time.Time{
		"": {}, "7d": noon.AddDate(0, 0, 7), "12h": noon.Add(12 * time.Hour), noon.AddDate(1, 0, 0).Format(time.DateOnly): noon.AddDate(1, 0, 0).Truncate(24 * time.Hour),
	} {
		if got, err := parseUntil(text, noon); err != nil || !got.Equal(want) {
			t.Errorf("%q: want %s, got %s, %v", text, want, got, err)
		}
	}
	for _, text := range []string{"0s", "2020-01-01", "soon", "-1d"} {
		if _, err := parseUntil(text, noon); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestWantedGrants(t *testing.T) {
	bob := v1alpha1.Grantee{User: "bob"}
	shared := v1alpha1.GrantSpec{To: bob, Action: "read", URI: "job:train"}
	tests := map[string]struct {
		words wanted
		spec  v1alpha1.GrantSpec
		want  bool
	}{
		"whatever it allows":  {wanted{to: bob, uri: "job:train"}, shared, true},
		"that action":         {wanted{to: bob, uri: "job:train", actions: []v1alpha1.Action{"read"}}, shared, true},
		"another action":      {wanted{to: bob, uri: "job:train", actions: []v1alpha1.Action{"write"}}, shared, false},
		"another job":         {wanted{to: bob, uri: "job:other"}, shared, false},
		"somebody else":       {wanted{to: v1alpha1.Grantee{Group: "bob"}, uri: "job:train"}, shared, false},
		"written absolutely":  {wanted{to: bob, uri: "job:train"}, v1alpha1.GrantSpec{To: bob, Action: "read", URI: "job://local/acme/vision/train"}, true},
		"a role":              {wanted{to: bob, role: "project-reader"}, v1alpha1.GrantSpec{To: bob, Role: "project-reader"}, true},
		"another role":        {wanted{to: bob, role: "project-reader"}, v1alpha1.GrantSpec{To: bob, Role: "project-writer"}, false},
		"a role, not a share": {wanted{to: bob, role: "project-reader"}, shared, false},
		"a share, not a role": {wanted{to: bob, uri: "job:train"}, v1alpha1.GrantSpec{To: bob, Role: "project-reader"}, false},
	}
	for name, test := range tests {
		if got := test.words.matches(&test.spec); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestAbout(t *testing.T) {
	found := &unstructured.UnstructuredList{}
	for name, spec := range map[string]map[string]any{
		"above": {"uri": "job:", "action": "read"}, "itself": {"uri": "job:train", "action": "read"}, "beside": {"uri": "job:training", "action": "read"},
		"role": {"role": "project-reader"}, "absolute": {"uri": "job://local/acme/vision/train", "action": "read"}, "other": {"uri": "secret:", "action": "read"},
	} {
		found.Items = append(found.Items, unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": name}, "spec": spec}})
	}
	about(found, place{uri: "job:train", project: "vision"})
	if diff := cmp.Diff([]string{"above", "absolute", "itself", "role"}, distinct(names(found))); diff != "" {
		t.Error(diff)
	}
}
