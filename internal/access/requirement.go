package access

import (
	"slices"

	historyv1 "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// Request is a request to the API of Kubernetes, as far as rights depend on it.
type Request struct {
	Verb, Group, Resource, Subresource string
	// Namespace and Name are empty where the request is about all.
	Namespace, Name string
	// Job is the name of the job that a pod belongs to, where the request is about a pod.
	Job string
}

// Requirement is what somebody must be allowed for a request. It reports false for a request that no right of Soma's allows,
// as nothing in projects corresponds to it.
func (d *Directory) Requirement(r Request) (Target, Level, bool) {
	if r.Namespace == "" && r.Group == v1alpha1.GroupName {
		for scheme, kind := range kinds {
			if kind == r.Resource && r.Subresource == "" {
				return d.platformRequirement(scheme, r)
			}
		}
	}
	scheme, level, known := projectRequirement(r)
	if !known {
		return Target{}, None, false
	}
	facts, found := d.projects[r.Namespace]
	if !found {
		// Elsewhere than in projects there are no jobs: who may look at all of them finds that out.
		return Target{Scheme: scheme, path: []string{Home}}, level, scheme == Job && level == Read && ours(r.Group)
	}
	name := r.Name
	if r.Resource == "pods" {
		name = r.Job
	}
	// Who may make one, or remove several, may do so with all; nor is a single event, record or grant a thing of its own.
	single := name != "" && r.Verb != "create" || name != "" && r.Resource == "pods"
	if !single || r.Verb == "deletecollection" || !slices.Contains([]string{"jobs", "pods", "secrets"}, r.Resource) {
		return In(scheme, Home, facts.Organization, r.Namespace), level, true
	}
	return In(scheme, Home, facts.Organization, r.Namespace, name), level, true
}

func ours(group string) bool { return group == v1alpha1.GroupName || group == historyv1.GroupName }

// platformRequirement is for kinds that lie in no namespace.
func (d *Directory) platformRequirement(scheme Scheme, r Request) (Target, Level, bool) {
	level := Write
	switch {
	case slices.Contains(look, r.Verb):
		level = Read
	case r.Verb != "create" && !slices.Contains(changeOne, r.Verb):
		return Target{}, None, false
	}
	if scheme != Project {
		if r.Name == "" || r.Verb == "create" {
			return Root(scheme), level, true
		}
		return Named(scheme, r.Name), level, true
	}
	if r.Verb == "create" || r.Verb == "delete" {
		level = Manage
	}
	if r.Name == "" || r.Verb == "create" {
		return Target{Scheme: Project, path: []string{Home}}, level, true
	}
	facts, found := d.projects[r.Name]
	if !found {
		// Who may look at all projects finds out that there is none of that name.
		return Target{Scheme: Project, path: []string{Home}}, level, true
	}
	if level == Read {
		level = List
	}
	return In(Project, Home, facts.Organization, r.Name), level, true
}

// projectRequirement is for kinds that lie in a project: of what scheme they are, and what level a request needs.
func projectRequirement(r Request) (Scheme, Level, bool) {
	verbs := func(reading bool) (Level, bool) {
		switch {
		case slices.Contains(look, r.Verb):
			return Read, true
		case !reading && slices.Contains(change, r.Verb):
			return Write, true
		}
		return None, false
	}
	kind := r.Resource
	if r.Subresource != "" {
		kind += "/" + r.Subresource
	}
	switch r.Group {
	case v1alpha1.GroupName:
		switch kind {
		case "jobs":
			level, known := verbs(false)
			return Job, level, known
		case "jobs/status":
			return Job, Read, r.Verb == "get"
		case "grants":
			level, known := verbs(true)
			return Project, level, known
		}
	case historyv1.GroupName:
		return Job, Read, kind == "jobrecords" && (r.Verb == "get" || r.Verb == "list")
	case "events.k8s.io":
		level, known := verbs(true)
		return Job, level, known && kind == "events"
	case "":
		switch {
		case kind == "secrets":
			level, known := verbs(false)
			return Secret, level, known
		case kind == "pods" || kind == "events":
			level, known := verbs(true)
			return Job, level, known
		case kind == "pods/log":
			return Job, Read, r.Verb == "get"
		case slices.Contains(connections, kind):
			return Job, Write, r.Verb == "get" || r.Verb == "create"
		}
	}
	return "", None, false
}
