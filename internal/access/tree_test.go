package access

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func right(t testing.TB, address string, level Level) Right {
	t.Helper()
	target, relative, err := Parse(address)
	if err != nil || relative {
		t.Fatalf("%s: relative %t, %v", address, relative, err)
	}
	return Right{Target: target, Level: level}
}

func TestLevel(t *testing.T) {
	tree := NewTree([]Right{
		right(t, "job://local/acme/vision", Read),
		right(t, "job://local/acme/vision/train", Manage),
		right(t, "job://local/acme/robots/arm", Write),
		right(t, "cluster://east", Read),
		right(t, "image://", Read),
		{Target: In(Storage, "", "acme", "vision"), Level: Read},
		{Target: In(Storage, "east", "acme", "vision", "scratch"), Level: Write},
	})
	tests := map[string]Level{
		"job://local/acme/vision":                 Read,
		"job://local/acme/vision/train":           Manage,
		"job://local/acme/vision/train/deeper":    Manage,
		"job://local/acme/vision/other":           Read,
		"job://local/acme/vision-2":               None, // whole segments
		"job://local/acme/robots":                 List, // something below
		"job://local/acme/robots/arm":             Write,
		"job://local/acme/robots/leg":             None,
		"job://local/acme":                        List,
		"job://":                                  List,
		"job://east/acme/vision":                  None,
		"image://anywhere/acme/vision/torch":      Read,
		"image://":                                Read,
		"storage://east/acme/vision":              Read,
		"storage://east/acme/vision/scratch/deep": Write,
		"storage://west/acme/vision/scratch":      Read,
		"storage://west/acme/robots":              None,
		"storage://west/acme":                     List,
		"cluster://east":                          Read,
		"cluster://west":                          None,
		"secret://local/acme/vision":              None,
	}
	for address, want := range tests {
		if got := tree.Level(right(t, address, None).Target); got != want {
			t.Errorf("%s: %d, want %d", address, got, want)
		}
	}
	// What is said of one cluster says nothing of all of them.
	if got := tree.Level(In(Storage, "", "acme", "vision", "scratch")); got != Read {
		t.Errorf("scratch on every cluster: %d, want %d", got, Read)
	}
	below := tree.Below(right(t, "job://local/acme/vision", None).Target)
	if want := map[string]Level{"train": Manage}; !maps.Equal(below, want) {
		t.Errorf("below the project: %v, want %v", below, want)
	}
	if got := tree.Most(right(t, "job://local/acme", None).Target); got != Manage {
		t.Errorf("the most in the organization: %d, want %d", got, Manage)
	}
}

// A token allows what it is made for, of what its user may do, and nothing besides.
func TestWithin(t *testing.T) {
	tree := NewTree([]Right{right(t, "job://local/acme/vision", Write), right(t, "storage://local/acme/vision", Read)}).
		Within([]v1alpha1.Permission{
			{URI: "job://local/acme/vision/train", Action: v1alpha1.ActionManage},
			{URI: "job://local/acme/robots", Action: v1alpha1.ActionRead},
			{URI: "storage:", Action: v1alpha1.ActionManage},
		})
	tests := map[string]Level{
		"job://local/acme/vision/train": Write,
		"job://local/acme/vision/other": None,
		"job://local/acme/vision":       List,
		"job://local/acme/robots":       None,
		"storage://local/acme/vision":   None,
	}
	for address, want := range tests {
		if got := tree.Level(right(t, address, None).Target); got != want {
			t.Errorf("%s: %d, want %d", address, got, want)
		}
	}
	if got := tree.Most(right(t, "job://local/acme/vision", None).Target); got != Write {
		t.Errorf("the most in the project: %d, want %d", got, Write)
	}
}

// What a role gives is on every cluster, and a token names one. Who has something in a project may know that it is there.
func TestWithinOfEveryCluster(t *testing.T) {
	tree := NewTree([]Right{
		{Target: In(Job, "", "acme", "vision"), Level: Manage},
		{Target: In(Secret, "", "acme", "vision"), Level: Write},
		{Target: In(Project, Home, "acme", "vision"), Level: Write},
		{Target: In(Project, Home, "acme", "robots"), Level: Write},
	})
	one := tree.Within([]v1alpha1.Permission{{URI: "job://local/acme", Action: v1alpha1.ActionWrite}, {URI: "job://local/acme/vision/train", Action: v1alpha1.ActionRead}})
	both := one.Within([]v1alpha1.Permission{{URI: "job://local/acme/vision/train", Action: v1alpha1.ActionManage}})
	tests := map[string]struct {
		tree *Tree
		want []string
		most Level
	}{
		"none": {tree, []string{"manage job://*/acme/vision", "write project://local/acme/robots", "write project://local/acme/vision", "write secret://*/acme/vision"}, Manage},
		"one":  {one, []string{"list project://local/acme/robots", "list project://local/acme/vision", "read job://local/acme/vision/train", "write job://local/acme/vision"}, Write},
		"both": {both, []string{"list project://local/acme/vision", "read job://local/acme/vision/train", "write job://local/acme/vision/train"}, Write},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, right := range test.tree.Rights() {
				got = append(got, string(right.Level.Action())+" "+right.Target.String())
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got := test.tree.Most(right(t, "job://local/acme", None).Target); got != test.most {
				t.Errorf("the most in the organization: %d, want %d", got, test.most)
			}
		})
	}
	if got := both.Level(right(t, "job://local/acme/vision/other", None).Target); got != None {
		t.Errorf("what one of two tokens is not for: %d", got)
	}
}

// Against what addresses mean, right by right.
func TestTreeIsWhatItsRightsAre(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		segment := rapid.SampledFrom([]string{"a", "b", "c"})
		draw := func(label string, cluster bool) Target {
			scheme := rapid.SampledFrom([]Scheme{Job, Storage, Cluster}).Draw(rt, label+" scheme")
			longest := 5
			if scheme == Cluster {
				longest = 1
			}
			path := rapid.SliceOfN(segment, 0, longest).Draw(rt, label)
			if cluster && scheme != Cluster && len(path) > 0 && rapid.Bool().Draw(rt, label+" on every cluster") {
				path[0] = anyCluster
			}
			return Target{Scheme: scheme, path: path}
		}
		rights := make([]Right, rapid.IntRange(0, 8).Draw(rt, "rights"))
		for i := range rights {
			rights[i] = Right{Target: draw(fmt.Sprint("right ", i), true), Level: Level(rapid.IntRange(int(List), int(Manage)).Draw(rt, "level"))}
		}
		tree := NewTree(rights)
		asked := draw("asked", true)
		want := None
		for _, r := range rights {
			if r.Target.covers(asked) {
				want = max(want, r.Level)
			}
			if meets(asked, r.Target) {
				want = max(want, List)
			}
		}
		if got := tree.Level(asked); got != want {
			rt.Fatalf("%s: %d, want %d of %v", asked, got, want, rights)
		}
		for level := Read; level <= Manage; level++ {
			because := tree.Explain(asked, level)
			if allowed := tree.Allows(asked, level); allowed != (len(because) > 0) {
				rt.Fatalf("%s of %s: allowed %t, because %v", level.Action(), asked, allowed, because)
			}
			if !slices.IsSortedFunc(because, func(a, b Right) int { return int(a.Level) - int(b.Level) }) {
				rt.Fatalf("the least right comes first: %v", because)
			}
		}
	})
}

// meets reports whether a right lies below a target, on its cluster or on every one.
func meets(target, of Target) bool {
	if target.Scheme != of.Scheme || len(target.path) > len(of.path) {
		return false
	}
	for i, segment := range target.path {
		if segment != of.path[i] && (i > 0 || of.path[0] != anyCluster || target.Scheme == Cluster) {
			return false
		}
	}
	return true
}
