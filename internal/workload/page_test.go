package workload

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

func TestPageHost(t *testing.T) {
	tests := map[[2]string]string{
		{"train", "vision"}: "train--vision",
		{"a-b", "c-d"}:      "a-b--c-d",
		{"a--b", "c"}:       `a--b--0[0-9a-f]{12}`,
		{"a", "b--c"}:       `a--0[0-9a-f]{12}`,
		{"xn", "fiqs8s"}:    `0[0-9a-f]{12}`,
		{"j123456789j123456789j123456789j123456789", "p123456789p123456789p123"}: `j123456789j123456789j123456789j123456789--0[0-9a-f]{12}`,
	}
	for names, want := range tests {
		if got := PageHost(names[0], names[1]); !regexp.MustCompile("^" + want + "$").MatchString(got) {
			t.Errorf("job %s of %s: %s, want %s", names[0], names[1], got, want)
		}
	}
}

// No two jobs have one host, and every host is one.
func TestPageHostsDiffer(t *testing.T) {
	label := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	rapid.Check(t, func(rt *rapid.T) {
		job := rapid.StringMatching(`[a-z]([-a-z0-9]{0,38}[a-z0-9])?|xn|[ab](--[ab]){0,3}`)
		project := rapid.StringMatching(`[a-z]([-a-z0-9]{0,46}[a-z0-9])?|[ab](--[ab]){0,3}`)
		one, other := [2]string{job.Draw(rt, "job"), project.Draw(rt, "project")}, [2]string{job.Draw(rt, "other job"), project.Draw(rt, "other project")}
		a, b := PageHost(one[0], one[1]), PageHost(other[0], other[1])
		if (a == b) != (one == other) {
			rt.Fatalf("%v has %s, %v has %s", one, a, other, b)
		}
		if !label.MatchString(a) {
			rt.Fatalf("%v has %s", one, a)
		}
	})
}
