package webhooks

import (
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/soma-platform/soma/internal/access"
)

// decideCluster decides about a cluster that a user of ours makes or changes; before is empty for a new one. By what the proxy is told
// about pages of jobs it asks whether one may see them, or does not: that is to let others.
func decideCluster(f facts, before, after *cluster) error {
	if equality.Semantic.DeepEqual(before.Spec.JobPages, after.Spec.JobPages) {
		return nil
	}
	return f.needs(access.Manage, access.Named(access.Cluster, after.Name), "spec.jobPages: only who manages a cluster says where the pages of its jobs are, and whether the proxy asks who may see them")
}
