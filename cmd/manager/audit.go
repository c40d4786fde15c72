package main

import (
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/soma-platform/soma/internal/gateway/audit"
)

// +kubebuilder:rbac:groups="",resources=secrets,namespace=soma-system,resourceNames=soma-audit,verbs=update

// setupAudit has the manager that leads keep the gateways' audit log ready, so that no gateway needs the address of the database's
// owner.
func setupAudit(mgr ctrl.Manager, o options) error {
	plain, err := uncached(mgr)
	if err != nil {
		return err
	}
	// A runnable of which nothing else is said runs in the manager that leads.
	return mgr.Add(&audit.Keeper{
		DatabaseURL: o.databaseURL, Client: plain, Secret: types.NamespacedName{Namespace: o.namespace, Name: audit.WriterSecret},
		Clock: clock.RealClock{}, Log: mgr.GetLogger().WithName("audit"),
	})
}
