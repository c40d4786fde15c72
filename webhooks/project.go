package webhooks

import (
	"github.com/soma-platform/soma/internal/access"
)

// decideProject decides about a project that a user of ours makes or changes; before is empty for a new one. Others do what
// Kubernetes lets them.
func decideProject(f facts, before, after *project) error {
	if before.Name == "" {
		if err := f.needs(access.Manage, placeOf(after), "only who manages an organization makes projects in it"); err != nil {
			return err
		}
		// What is left of a namespace of that name must not come to count for this project.
		if left := len(f.directory.Grants(after.Name)); left > 0 {
			return invalid("metadata.name: the namespace of that name still has %d grants that are not of this project: wait until it is gone, or take another name", left)
		}
	}
	if quota := after.Spec.Quota; quota != "" && quota != before.Spec.Quota {
		return f.needs(access.Write, access.Named(access.Quota, quota), "spec.quota: only who may change a quota lets a project use it")
	}
	return nil
}

// decideProjectEnd decides about a project that is deleted.
func decideProjectEnd(f facts, gone *project) error {
	return f.needs(access.Manage, placeOf(gone), "only who manages a project deletes it")
}

func placeOf(p *project) access.Target {
	return access.In(access.Project, access.Home, p.Spec.Organization, p.Name)
}
