package project

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Jobs are reached from where Soma is installed, wherever that is.
func TestNetworkPolicyLetsSomaIn(t *testing.T) {
	for _, namespace := range []string{"soma-system", "mlops"} {
		var found []string
		for _, rule := range networkPolicy(namespace).Ingress {
			for _, peer := range rule.From {
				if peer.NamespaceSelector != nil {
					found = append(found, peer.NamespaceSelector.MatchLabels[corev1.LabelMetadataName])
				}
			}
		}
		if len(found) != 1 || found[0] != namespace {
			t.Errorf("namespaces that are let in: %v, want %s alone", found, namespace)
		}
	}
}
