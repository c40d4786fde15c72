package access

import (
	"slices"
	"testing"
)

func TestResolveInProject(t *testing.T) {
	d := company()
	tests := map[string]struct {
		address, project string
		// want is the address, and what is said of it.
		want, in, relative, cluster string
		absent                      bool
	}{
		"a job":                    {address: "job:train", project: "vision", want: "job://local/acme/vision/train", in: "vision", relative: "job:train", cluster: "local"},
		"of no organization":       {address: "job:", project: "loner", want: "job://local/default/loner", in: "loner", relative: "job:", cluster: "local"},
		"data is on every cluster": {address: "storage:a/b", project: "vision", want: "storage://*/acme/vision/a/b", in: "vision", relative: "storage:a/b", cluster: "*"},
		"an absolute one":          {address: "blob://east/acme/robots/x", project: "vision", want: "blob://east/acme/robots/x", in: "robots", relative: "blob:x", cluster: "east"},
		"an organization":          {address: "job://local/acme", want: "job://local/acme", relative: "job://local/acme", cluster: "local"},
		"a user":                   {address: "user://bob", want: "user://bob", relative: "user://bob"},
		"no such project":          {address: "job:train", project: "gone", absent: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, found, err := d.Resolve(test.address, test.project)
			if err != nil || found == test.absent {
				t.Fatalf("got %v, %t, %v", got, found, err)
			}
			if found && (got.String() != test.want || got.Project() != test.in || got.Relative() != test.relative || got.Cluster() != test.cluster) {
				t.Errorf("got %s in %q, %s, on %q", got, got.Project(), got.Relative(), got.Cluster())
			}
		})
	}
	if _, found, err := d.Resolve("jobs:x", "vision"); err == nil || found {
		t.Error("an address that is none is resolved")
	}
}

// Who answers for a service account has rights on it, so that they change with it.
func TestServiceAccountsConcernTheirOwners(t *testing.T) {
	d := company()
	for user, want := range map[string][]string{"ci": {"ci", "dave"}, "dave": {"ci", "dave"}, "bob": {"bob"}} {
		if got := d.OfUser(user); !slices.Equal(got, want) {
			t.Errorf("%s: want %v, got %v", user, want, got)
		}
	}
}
