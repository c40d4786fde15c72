package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// place is what a person names by an address: as rights are written, job:train or job://local/acme/vision/train, or as kubectl
// names things, job/train.
type place struct {
	uri v1alpha1.Address
	// project in which it lies; for what lies in none, the current one.
	project string
}

// String is the place for a person.
func (p place) String() string {
	if strings.Contains(string(p.uri), "://") {
		return string(p.uri)
	}
	return fmt.Sprintf("%s in project %s", p.uri, p.project)
}

// actionWords are the actions, from the least to the most.
var actionWords = []v1alpha1.Action{v1alpha1.ActionList, v1alpha1.ActionRead, v1alpha1.ActionWrite, v1alpha1.ActionManage}

// parseAction reads an action.
func parseAction(text string) (v1alpha1.Action, error) {
	if action := v1alpha1.Action(text); slices.Contains(actionWords, action) {
		return action, nil
	}
	return "", fmt.Errorf("there is no action %q; the actions are list, read, write and manage, each with those before it", text)
}

// isAddress reports whether a word is meant as an address, and not as the name of somebody.
func isAddress(text string) bool {
	scheme, rest, found := strings.Cut(text, ":")
	if !found {
		scheme, _, found = strings.Cut(text, "/")
		return found && schemeOf(scheme) != ""
	}
	named := access.Scheme(scheme)
	return slices.Contains(access.InProjects, named) || slices.Contains(access.ByName, named) && strings.HasPrefix(rest, "//")
}

// schemeOf is the scheme that a word names, as one or as many: job, jobs. It is empty where there is none.
func schemeOf(word string) access.Scheme {
	for _, scheme := range slices.Concat(access.InProjects, access.ByName) {
		if word == string(scheme) || word == string(scheme)+"s" {
			return scheme
		}
	}
	return ""
}

// parsePlace reads an address. What is relative lies in the current project.
func parsePlace(text, current string) (place, error) {
	p := place{uri: v1alpha1.Address(text), project: current}
	if !strings.Contains(text, ":") {
		word, name, named := strings.Cut(text, "/")
		scheme := schemeOf(word)
		switch {
		case scheme == "":
			return p, fmt.Errorf("%q is no address: write job/train, job:train or job://local/ORGANIZATION/PROJECT/train", text)
		case named && name == "":
			return p, fmt.Errorf("%q is no address: a name is missing behind '/'", text)
		case scheme == access.Project && named:
			p.uri, p.project = v1alpha1.Address(scheme+":"), name
		case slices.Contains(access.ByName, scheme):
			p.uri = v1alpha1.Address(string(scheme) + "://" + name)
		default:
			p.uri = v1alpha1.Address(string(scheme) + ":" + name)
		}
	}
	target, relative, err := access.Parse(string(p.uri))
	if err != nil {
		return p, err
	}
	if !relative {
		p.project = cmp.Or(target.Project(), p.project)
	}
	return p, nil
}

// within is the address of a place as a grant in its project has it, and whether there is one: what lies in no project, or
// spans several, no grant can give.
func (p place) within() (v1alpha1.Address, bool) {
	target, relative, err := access.Parse(string(p.uri))
	switch {
	case err != nil || !relative && target.Project() == "":
		return "", false
	case !relative && target.Cluster() == access.Home:
		return v1alpha1.Address(target.Relative()), true
	}
	return p.uri, true
}

// place reads an address against the current project.
func (a *app) place(text string) (place, error) {
	c, err := a.connect()
	if err != nil {
		return place{}, err
	}
	return parsePlace(text, c.project)
}

// actions offers the actions.
func actions() completer {
	return offer(func(context.Context, []string, string) ([]string, error) {
		return []string{"list\tknow that it is there", "read\tlook at it", "write\tmake, change, use and remove it", "manage\tlet others"}, nil
	})
}

// addresses offers the jobs of the current project, and what is as a whole.
func (a *app) addresses() completer {
	find := offer(func(ctx context.Context, _ []string, _ string) ([]string, error) {
		words := []string{"job:\tall jobs of the project", "project:\tthe project", "secret:\tall its secrets"}
		found, err := a.findJobs(ctx, nil, phases)
		if err != nil {
			return words, nil //nolint:nilerr // who may not list jobs still has the others
		}
		for _, job := range found {
			words = append(words, "job/"+job)
		}
		return words, nil
	})
	return openEnded(find)
}
