package webhooks

import (
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/soma-platform/soma/internal/access"
)

// decideCluster decides about a cluster that a user of ours makes or changes; before is empty for a new one. By what the proxy is told
// about pages of jobs it asks whether one may see them, or does not: that is to let others. And whoever names a secret of Soma's own
// namespace has Soma read it and use what it finds: the status tells whether there is such a secret and such a key, and names that
// are in it.
func decideCluster(f facts, before, after *cluster) error {
	manages := func(purpose string) error {
		return f.needs(access.Manage, access.Named(access.Cluster, after.Name), purpose)
	}
	if !equality.Semantic.DeepEqual(before.Spec.KubeconfigSecret, after.Spec.KubeconfigSecret) {
		if err := manages("spec.kubeconfigSecret: only who manages a cluster says with which of the secrets in Soma's own namespace it is reached"); err != nil {
			return err
		}
	}
	if !equality.Semantic.DeepEqual(before.Spec.JobPages, after.Spec.JobPages) {
		return manages("spec.jobPages: only who manages a cluster says where the pages of its jobs are, and whether the proxy asks who may see them")
	}
	return nil
}
