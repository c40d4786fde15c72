package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/internal/gateway/audit"
)

// +kubebuilder:rbac:groups="",resources=secrets,namespace=soma-system,resourceNames=soma-audit,verbs=update

// setupAudit has the manager that leads keep the gateways' audit log ready, so that no gateway needs the address of the database's
// owner.
func setupAudit(mgr ctrl.Manager, o options) error {
	// As with the serving certificate: the manager's own client would keep every secret of the cluster in memory.
	plain, err := client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("make a client for the secret %s: %w", audit.WriterSecret, err)
	}
	// A runnable of which nothing else is said runs in the manager that leads.
	return mgr.Add(&audit.Keeper{
		DatabaseURL: o.databaseURL, Client: plain, Secret: types.NamespacedName{Namespace: o.namespace, Name: audit.WriterSecret},
		Clock: clock.RealClock{}, Log: mgr.GetLogger().WithName("audit"),
	})
}
