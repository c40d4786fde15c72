package access

import (
	"slices"
	"strings"
)

// data are the schemes whose things lie on the cluster that an address names. All others that lie in projects are the
// platform's own objects, under Home.
var data = []Scheme{Storage, Blob, Image}

// InProject is the target for a path in a project: of a Kubernetes object where the platform has it, of data on every cluster.
func InProject(scheme Scheme, organization, project string, path ...string) Target {
	if slices.Contains(data, scheme) {
		return In(scheme, "", organization, project, path...)
	}
	return In(scheme, Home, organization, project, path...)
}

// Resolve finds what an address means to who works in a project: a relative one names a path in it. It reports false where
// there is no such project.
func (d *Directory) Resolve(address, project string) (target Target, found bool, err error) {
	target, relative, err := Parse(address)
	if err != nil || !relative {
		return target, err == nil, err
	}
	facts, found := d.projects[project]
	if !found {
		return Target{}, false, nil
	}
	return InProject(target.Scheme, facts.Organization, project, target.path...), true, nil
}

// Project is the project that a target lies in, empty where it lies in none. It is that of an absolute address.
func (t Target) Project() string {
	if !slices.Contains(InProjects, t.Scheme) || len(t.path) < inProject {
		return ""
	}
	return t.path[inProject-1]
}

// Cluster is the first segment of an absolute address that lies in projects, empty where there is none.
func (t Target) Cluster() string {
	if !slices.Contains(InProjects, t.Scheme) || len(t.path) == 0 {
		return ""
	}
	return t.path[0]
}

// Relative is the address of a target within its project, as in job:train. It is that of an absolute address.
func (t Target) Relative() string {
	if t.Project() == "" {
		return t.String()
	}
	return string(t.Scheme) + ":" + strings.Join(t.path[inProject:], "/")
}
