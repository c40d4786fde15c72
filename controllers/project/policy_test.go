package project

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Jobs are reached from where Soma is installed, wherever that is, and from where the proxy before their pages is.
func TestNetworkPolicyLetsSomaAndTheProxyIn(t *testing.T) {
	for _, namespace := range []string{"soma-system", "mlops"} {
		var found []string
		for _, rule := range networkPolicy(namespace).Ingress {
			for _, peer := range rule.From {
				if peer.NamespaceSelector != nil {
					found = append(found, fmt.Sprint(peer.NamespaceSelector.MatchLabels))
				}
			}
		}
		want := []string{"map[" + corev1.LabelMetadataName + ":" + namespace + "]", "map[" + v1alpha1.LabelProxy + ":true]"}
		if !slices.Equal(found, want) {
			t.Errorf("namespaces that are let in: %v, want %v alone", found, want)
		}
	}
}
