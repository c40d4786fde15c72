package access

import (
	"slices"
	"strings"
	"testing"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		want     Target
		relative bool
	}{
		"job://":                                    {want: Target{Scheme: Job}},
		"job:":                                      {want: Target{Scheme: Job}, relative: true},
		"job:train":                                 {want: Target{Scheme: Job, path: []string{"train"}}, relative: true},
		"job://local/acme/vision":                   {want: Target{Scheme: Job, path: []string{"local", "acme", "vision"}}},
		"storage://east/acme/vision/data/Ü.ñ":       {want: Target{Scheme: Storage, path: []string{"east", "acme", "vision", "data", "Ü.ñ"}}},
		"storage:a.b/..c/-":                         {want: Target{Scheme: Storage, path: []string{"a.b", "..c", "-"}}, relative: true},
		"image://local/acme/vision/torch:2.9":       {want: Target{Scheme: Image, path: []string{"local", "acme", "vision", "torch:2.9"}}},
		"cluster://":                                {want: Target{Scheme: Cluster}},
		"role://project-writer":                     {want: Target{Scheme: Role, path: []string{"project-writer"}}},
		"job://" + strings.Repeat("a", 63):          {want: Target{Scheme: Job, path: []string{strings.Repeat("a", 63)}}},
		"storage:" + strings.Repeat("a/", 31) + "a": {want: Target{Scheme: Storage, path: slices.Repeat([]string{"a"}, 32)}, relative: true},
	}
	for address, tc := range tests {
		t.Run(address, func(t *testing.T) {
			got, relative, err := Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != tc.want.String() || got.Scheme != tc.want.Scheme || !slices.Equal(got.path, tc.want.path) || relative != tc.relative {
				t.Errorf("%v, relative %t; want %v, %t", got, relative, tc.want, tc.relative)
			}
		})
	}
}

// Whatever can be taken for another address than the one that it is, or for none, is refused.
func TestParseRefuses(t *testing.T) {
	tests := map[string]string{
		"":                                 "begins with a scheme",
		"train":                            "begins with a scheme",
		"Job://local":                      `no scheme "Job"`,
		"jobs://local":                     `no scheme "jobs"`,
		"://local":                         `no scheme ""`,
		"job:/local":                       "empty segment",
		"job:///acme":                      "empty segment",
		"job://local//vision":              "empty segment",
		"job://local/acme/":                "empty segment",
		"job://local/acme/..":              "'.' or '..'",
		"job://local/acme/../evil":         "'.' or '..'",
		"storage:.":                        "'.' or '..'",
		"job://local/acme/%2e%2e":          "addresses do not have",
		"job://local%2Facme":               "addresses do not have",
		`storage:a\b`:                      "addresses do not have",
		"storage:a?b":                      "addresses do not have",
		"storage:a#b":                      "addresses do not have",
		"storage:*":                        "addresses do not have",
		"job://*/acme/vision":              "addresses do not have",
		"storage:a b":                      "addresses do not have",
		"storage:a\x00b":                   "addresses do not have",
		"storage:a\nb":                     "addresses do not have",
		"storage:a\u200bb":                 "addresses do not have",
		"storage:a\u202eb":                 "addresses do not have",
		"storage:u\u0308":                  "more than one way",
		"storage:\uff41":                   "more than one way",
		"storage:\ufb01le":                 "more than one way",
		"storage:\xff":                     "not UTF-8",
		"job://Local":                      "lower-case",
		"job://local/ac_me":                "lower-case",
		"job://local/acme/Vision":          "lower-case",
		"job://local/аcme":                 "lower-case", // the first letter is Cyrillic
		"cluster:local":                    "lies in no project",
		"role:":                            "lies in no project",
		"cluster://a/b":                    "nothing below",
		"user://Bob":                       "lower-case",
		"job://-a":                         "lower-case",
		"job://" + strings.Repeat("a", 64): "lower-case",
		"storage:" + strings.Repeat("a/", 32) + "a": "33 segments",
		"storage:" + strings.Repeat("a", 505):       "513 characters",
	}
	for address, want := range tests {
		t.Run(address, func(t *testing.T) {
			target, _, err := Parse(address)
			if err == nil {
				t.Fatalf("read as %v", target)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want it to say %q", err, want)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	everywhere, acme := scope{}, scope{organization: "acme"}
	vision := scope{organization: "acme", project: "vision"}
	tests := []struct {
		where   scope
		address v1alpha1.Address
		want    string // empty where nothing is left
	}{
		{everywhere, "job:", "job://"},
		{everywhere, "job:train", ""},
		{everywhere, "job://local/acme", "job://local/acme"},
		{everywhere, "cluster://east", "cluster://east"},
		{acme, "job:", "job://*/acme"},
		{acme, "job:train", ""},
		{acme, "job://", "job://*/acme"},
		{acme, "job://local", "job://local/acme"},
		{acme, "job://local/other", ""},
		{acme, "job://local/acme/vision/train", "job://local/acme/vision/train"},
		{acme, "cluster://east", ""},
		{vision, "job:", "job://*/acme/vision"},
		{vision, "job:train", "job://*/acme/vision/train"},
		{vision, "job://", "job://*/acme/vision"},
		{vision, "storage://east", "storage://east/acme/vision"},
		{vision, "storage://east/acme/vision/data", "storage://east/acme/vision/data"},
		{vision, "job://local/acme/robots", ""},
		{vision, "job://local/acme/robots/vision", ""},
		{vision, "role://", ""},
		{vision, "job://local/acme/../x", ""},
	}
	for _, tc := range tests {
		target, ok := tc.where.resolve(tc.address)
		got := target.String()
		if !ok {
			got = ""
		}
		if got != tc.want {
			t.Errorf("%s in %+v is %q; want %q", tc.address, tc.where, got, tc.want)
		}
	}
}

// FuzzParse looks for an address that is read as something which, written again, is another address.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"job:train", "job://local/acme/vision", "storage://a/b/c/d.e", "cluster://x", "job:", "job://", "storage:a//b", "job://%2e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		target, relative, err := Parse(address)
		if err != nil {
			return
		}
		written := target.String()
		if relative {
			written = string(target.Scheme) + ":" + strings.Join(target.path, "/")
		}
		if written != address {
			t.Fatalf("%q is read as %q", address, written)
		}
		for _, segment := range target.path {
			if segment == "" || segment == "." || segment == ".." || strings.ContainsAny(segment, "/%\\*?# ") {
				t.Fatalf("%q has the segment %q", address, segment)
			}
		}
	})
}
