package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Home is the cluster under which the platform's own objects are addressed: jobs, apps, flows, disks, secrets and projects,
// on whatever cluster their pods run.
const Home = "local"

// DefaultOrganization is the organization, in addresses, of a project that names none.
const DefaultOrganization = "default"

// Scheme is the first part of an address: what sort of thing it names.
type Scheme string

// The schemes. Those up to Image lie in projects.
const (
	Job     Scheme = "job"
	App     Scheme = "app"
	Flow    Scheme = "flow"
	Disk    Scheme = "disk"
	Secret  Scheme = "secret"
	Project Scheme = "project"
	Storage Scheme = "storage"
	Blob    Scheme = "blob"
	Image   Scheme = "image"

	Cluster Scheme = "cluster"
	Role    Scheme = "role"
	User    Scheme = "user"
	Quota   Scheme = "quota"
)

// InProjects are the schemes whose addresses have a cluster, an organization and a project; ByName those with only a name.
var (
	InProjects = []Scheme{Job, App, Flow, Disk, Secret, Project, Storage, Blob, Image}
	ByName     = []Scheme{Cluster, Role, User, Quota}
)

// What bounds an address. The schema of the API has the same bound on its length.
const (
	maxLength   = 512
	maxSegments = 32
	// inProject is how many segments name a project: cluster, organization, project.
	inProject = 3
)

// anyCluster stands in a target for whatever cluster. Nobody can write it: Parse refuses it.
const anyCluster = "*"

// Target is what an address names: a place in the hierarchy, and all that lies below it.
type Target struct {
	Scheme Scheme
	// path from the scheme on: for what lies in projects a cluster, an organization, a project and what is in it.
	path []string
}

// String is the address of the target. An address for every cluster has none, and is for people alone.
func (t Target) String() string { return string(t.Scheme) + "://" + strings.Join(t.path, "/") }

// In is the target for a path in a project: on the cluster that is named, or on every cluster if that is empty.
func In(scheme Scheme, cluster, organization, project string, path ...string) Target {
	if cluster == "" {
		cluster = anyCluster
	}
	if organization == "" {
		organization = DefaultOrganization
	}
	return Target{Scheme: scheme, path: append([]string{cluster, organization, project}, path...)}
}

// Named is the target for a cluster, a role, a user or a quota.
func Named(scheme Scheme, name string) Target { return Target{Scheme: scheme, path: []string{name}} }

// Root is the target for all of a scheme.
func Root(scheme Scheme) Target { return Target{Scheme: scheme} }

// InProject is what a relative target is in a project.
func (t Target) InProject(project string) Target {
	return In(t.Scheme, Home, "", project, t.path...)
}

// Thing is the name of what lies directly in a project that the target is, or is below; it is empty for what lies in no project,
// and for a project as a whole.
func (t Target) Thing() string {
	if !slices.Contains(InProjects, t.Scheme) || len(t.path) <= inProject {
		return ""
	}
	return t.path[inProject]
}

// covers reports whether what the other target names lies at this one or below it.
func (t Target) covers(other Target) bool {
	if t.Scheme != other.Scheme || len(t.path) > len(other.path) {
		return false
	}
	for i, segment := range t.path {
		if segment != other.path[i] && (i > 0 || segment != anyCluster || !slices.Contains(InProjects, t.Scheme)) {
			return false
		}
	}
	return true
}

// meet is what lies both at or below this target and at or below the other one. It reports false where that is nothing.
func (t Target) meet(other Target) (Target, bool) {
	if len(t.path) > len(other.path) {
		t, other = other, t
	}
	if len(t.path) > 0 && len(other.path) > 0 && other.path[0] == anyCluster && slices.Contains(InProjects, other.Scheme) {
		other.path = append([]string{t.path[0]}, other.path[1:]...)
	}
	return other, t.covers(other)
}

// projects are those in which a target lies, or which lie below it, as what may be seen to be there. It reports false for what
// lies in no project.
func (t Target) projects() (Target, bool) {
	path := slices.Clone(t.path[:min(len(t.path), inProject)])
	if len(path) > 0 {
		path[0] = Home
	}
	return Target{Scheme: Project, path: path}, slices.Contains(InProjects, t.Scheme)
}

// errAddress says what is wrong with an address.
func errAddress(address, format string, args ...any) error {
	return fmt.Errorf("address %q: "+format, append([]any{address}, args...)...)
}

// Parse reads an address as a person gives it: absolute, `job://local/acme/vision/train`, or relative to a project or an
// organization, `job:train`. It refuses what is not the one way of writing an address: nobody has to ask whether two of them
// are the same.
func Parse(address string) (target Target, relative bool, err error) {
	if len(address) > maxLength {
		return Target{}, false, errAddress(address[:32]+"…", "has %d characters; %d are allowed", len(address), maxLength)
	}
	if !utf8.ValidString(address) {
		return Target{}, false, errAddress(address, "is not UTF-8")
	}
	scheme, rest, found := strings.Cut(address, ":")
	if !found {
		return Target{}, false, errAddress(address, "begins with a scheme and ':', as in job:train or job://local/acme/vision")
	}
	target.Scheme = Scheme(scheme)
	lies := slices.Contains(InProjects, target.Scheme)
	if !lies && !slices.Contains(ByName, target.Scheme) {
		return Target{}, false, errAddress(address, "there is no scheme %q", scheme)
	}
	rest, absolute := strings.CutPrefix(rest, "//")
	if !lies && !absolute {
		return Target{}, false, errAddress(address, "a %s lies in no project: write %s://NAME", scheme, scheme)
	}
	if rest == "" {
		return target, !absolute, nil
	}
	target.path = strings.Split(rest, "/")
	if len(target.path) > maxSegments {
		return Target{}, false, errAddress(address, "has %d segments; %d are allowed", len(target.path), maxSegments)
	}
	for i, segment := range target.path {
		if err := segmentError(segment); err != nil {
			return Target{}, false, errAddress(address, "%w", err)
		}
		// What names something of ours has the form of a name in Kubernetes.
		if absolute && (i < inProject || !lies) && len(validation.IsDNS1123Label(segment)) > 0 {
			return Target{}, false, errAddress(address, "%q is no name of a %s: names have lower-case letters, digits and '-'", segment, namedAt(target.Scheme, i))
		}
	}
	if !lies && len(target.path) > 1 {
		return Target{}, false, errAddress(address, "there is nothing below a %s", scheme)
	}
	return target, !absolute, nil
}

// namedAt says what the segment at an index names.
func namedAt(scheme Scheme, index int) string {
	if slices.Contains(ByName, scheme) {
		return string(scheme)
	}
	return []string{"cluster", "organization", "project"}[index]
}

var (
	errEmpty     = errors.New("it has an empty segment")
	errDots      = errors.New("it has a segment '.' or '..'")
	errUnicode   = errors.New("it has a character that is written in more than one way: use the composed one (NFC)")
	errCharacter = errors.New(`it has a character that addresses do not have: of % ? # * \, a space at an end, or one that cannot be seen`)
)

func segmentError(segment string) error {
	switch {
	case segment == "":
		return errEmpty
	case segment == "." || segment == "..":
		return errDots
	case !norm.NFC.IsNormalString(segment) || !norm.NFKC.IsNormalString(segment):
		return errUnicode
	case strings.ContainsFunc(segment, forbidden):
		return errCharacter
	}
	return nil
}

// forbidden is what no segment has: what has a meaning of its own elsewhere, and what a person does not see.
func forbidden(r rune) bool {
	return strings.ContainsRune(`%?#*\`, r) || r == ' ' || !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r)
}

// scope is where a role is held: everywhere, in an organization or in a project.
type scope struct{ organization, project string }

// resolve finds what an address means where a role is held: a relative one is a path in each place of the scope, and of an
// absolute one counts what lies in the scope. It reports false where nothing is left.
func (s scope) resolve(address v1alpha1.Address) (Target, bool) {
	target, relative, err := Parse(string(address))
	if err != nil {
		return Target{}, false
	}
	if relative {
		switch {
		case s.project != "":
			return In(target.Scheme, "", s.organization, s.project, target.path...), true
		case len(target.path) > 0:
			// A path is in one project, not in each of many.
			return Target{}, false
		case s.organization != "":
			return Target{Scheme: target.Scheme, path: []string{anyCluster, s.organization}}, true
		}
		return target, true
	}
	return s.cut(target)
}

// cut leaves of a target what lies in the scope.
func (s scope) cut(target Target) (Target, bool) {
	if s == (scope{}) {
		return target, true
	}
	if !slices.Contains(InProjects, target.Scheme) {
		return Target{}, false
	}
	within := []string{anyCluster, s.organization}
	if s.project != "" {
		within = append(within, s.project)
	}
	path := slices.Clone(target.path)
	for i, segment := range within {
		switch {
		case i >= len(path):
			path = append(path, segment)
		case i > 0 && path[i] != segment:
			return Target{}, false
		}
	}
	return Target{Scheme: target.Scheme, path: path}, true
}
